"""Puts curation_cases within reach of the tests in sub-folders."""
