"""Puts credit_cases within reach of the tests in sub-folders."""
