"""`vlrl init`: a recipe and a config from a look at a user's rows.

`columns` finds out which column holds what, `answers` how golds are judged, `look` reads all rows by that, `init_files`
writes. What can't be told from the rows is asked, with the option that answers it; nothing is guessed.
"""
