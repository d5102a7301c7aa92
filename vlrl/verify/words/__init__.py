"""The words of ten languages by what they do in a sentence, one YAML file each: adding a language is adding a file.

languages reads the files.
"""
