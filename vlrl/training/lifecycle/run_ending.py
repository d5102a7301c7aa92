"""How a run ends: what its card says of the end; and what can be read of an earlier end."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from vlrl import interrupts
from vlrl.errors import RunError, storage_error
from vlrl.report.trackers.tracker import Tracker
from vlrl.runlog.run_folder import RunFolder


@contextmanager
def recorded_ending(run: RunFolder, tracker: Tracker | None = None) -> Iterator[None]:
    """The block is the run; its card then says how it ended. An error after a signal is the signal's.

    Raises what the block raises; where not even the card can be written, that is said besides.
    """
    status, reason = "failed", None
    try:
        yield
        status = "finished"
    except KeyboardInterrupt as stop:
        status, reason = "interrupted", ": ".join(part for part in (interrupts.heard() or "Ctrl-C", str(stop)) if part)
        raise
    except Exception as error:
        known = storage_error(error)
        reason = str(known or error) or type(error).__name__
        if (signal := interrupts.heard()) is not None:  # engines end at Ctrl-C, too, and the step with them
            status, reason = "interrupted", f"{signal}: {reason}"
            raise interrupts.stop("the step that was going on is lost") from error
        raise
    finally:
        try:
            run.finish(status, reason)
        except OSError as error:
            print(f"{run.path / 'run_card.json'} can't be written: {storage_error(error)}", file=sys.stderr)
        if tracker is not None:
            tracker.finish(failed=status != "finished")


def settings_of(folder: Path) -> dict[str, Any] | None:
    """The settings of the run that a folder holds, None where it holds none: of run.yaml, or of the card if that is
    damaged. Raises RunError where neither can be read.
    """
    file = folder / "run.yaml"
    if not file.is_file():
        return None
    try:
        held = yaml.safe_load(file.read_bytes())
        if isinstance(held, dict):
            return held
        reason = "it holds no settings"
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
    try:
        of_card = json.loads((folder / "run_card.json").read_bytes())["settings"]
        if isinstance(of_card, dict):
            print(f"{file} is damaged ({reason}): the settings are taken from run_card.json")
            return of_card
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise RunError(
        str(file),
        f"is damaged ({reason}), and run_card.json has no settings either",
        "restore one of them; or, where the settings are as they were, delete run.yaml: it is then written again",
    )


def has_finished(folder: Path) -> bool:
    """Whether a run folder's card says that the run came to its end."""
    return is_readable(folder / "run_card.json", "finished")


def has_content(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


def is_readable(file: Path, status: str | None = None) -> bool:
    """Whether a file holds a JSON object, of this `status` where one is given."""
    if not has_content(file):
        return False
    try:
        held = json.loads(file.read_bytes())
    except ValueError:
        return False
    return isinstance(held, dict) and status in (None, held.get("status"))
