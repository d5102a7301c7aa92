"""`vlrl import`: settings of another trainer as ours.

`foreign_file` reads what was written, a table in `trainers/` says what each key means in words that all trainers share
(`facts`), and `assemble` makes a run's settings and a recipe of those. No key is dropped: each is translated, makes no
difference here, or is listed with a reason.
"""
