"""One row of a table becomes one problem, read whole or refused by name.

Read row_to_problem, then row_view; the other files read one kind of column each."""
