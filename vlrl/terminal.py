"""Where commands print: in a terminal at its width; into a file or a pipe whole lines, without control characters."""

from __future__ import annotations

import os
import sys

from rich.console import Console

WHOLE = 1000  # columns, more than any table has: outside of a terminal nothing is folded or cut


def console(markup: bool = False) -> Console:
    """A console whose tables are whole wherever no width is known. COLUMNS, where it is set, is the width."""
    found = Console(highlight=False, markup=markup)
    if os.environ.get("COLUMNS", "").isdigit() or (found.is_terminal and _columns()):
        return found
    return Console(highlight=False, markup=markup, width=WHOLE)


def _columns() -> int:
    """The width that one of the standard streams' terminals has; 0 where none says."""
    for stream in (sys.__stdout__, sys.__stderr__, sys.__stdin__):
        try:
            if stream is not None and (columns := os.get_terminal_size(stream.fileno()).columns):
                return columns
        except (OSError, ValueError):  # no terminal, or closed
            continue
    return 0


def print_any_character() -> None:
    """What a stream's encoding lacks (`→` in ASCII or Latin-1) is written as an escape, and ends no command."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
