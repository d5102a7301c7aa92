"""Puts test_every_loss within reach of the tests in sub-folders."""
