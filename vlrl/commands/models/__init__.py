"""`vlrl models`: which families of models can be trained here, what was tested of them, what is refused and why.

All of it is models_command.
"""
