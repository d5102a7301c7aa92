"""Bodies of the CLI's commands; cli.py only parses.

Each file is one command: read evaluate and curate; benchmark_page, exit_code and the files that end in _cli serve them.
"""
