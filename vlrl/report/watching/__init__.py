"""`vlrl watch`: a run while it goes on.

`live_run` follows the files of a run folder, `watch_server` serves what it finds to a browser, `terminal_view` draws it
in a terminal.
"""
