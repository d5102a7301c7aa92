"""The exit code of a command, and the one message of an error: never a traceback for what has a place and a remedy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import typer

from vlrl import dist
from vlrl.errors import VlrlError, storage_error


def exit_code_of(command: Callable[[], Any]) -> int:
    """Run a command of typer; 0, 2 for a user's mistake, 1 for a failure of the system, 130 for Ctrl-C.

    Raises whatever error is none of ours and none of a disk: a fault in the program, with its traceback.
    """
    try:
        code = command()
        return code if isinstance(code, int) else 0  # typer's own exits; commands return nothing
    except VlrlError as error:
        return _failed(error)
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except typer.Exit as end:
        return int(end.exit_code)
    except Exception as error:
        show = getattr(error, "show", None)  # typer's own usage errors print themselves
        if show is not None:
            show()
            return 2
        known = storage_error(error)
        if known is None:
            raise
        return _failed(known)


def _failed(error: VlrlError) -> int:
    of_rank = "" if dist.is_first() else f"rank {dist.rank()}: "
    print(f"{of_rank}error: {error}", file=sys.stderr)
    return error.exit_code
