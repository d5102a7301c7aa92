"""The clause that an answer stands in: what it denies, changes, supposes or counts, and what later takes it back.

Read declaration, then retraction and afterwards.
"""
