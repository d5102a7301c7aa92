"""From a recipe to problems: sources, their mixture, and fixed sets drawn from them.

Read recipe, sources and mixture; tables/ and rows/ turn a file's rows into problems.
"""
