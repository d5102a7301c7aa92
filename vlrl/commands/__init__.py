"""Bodies of the CLI's commands; cli.py only parses.

Each file is one command."""
