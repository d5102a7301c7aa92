"""The text of an answer as a typed value: one normaliser, one grammar, units, comparison by type.

Read normaliser and quantity, then units and compare.
"""
