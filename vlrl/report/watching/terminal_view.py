"""A run in a terminal while it goes on: figures with their courses, and the newest responses. Works over ssh."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from vlrl.report.watching.live_run import Change, LiveRun

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 40  # points of a course
SHOWN = (
    "accuracy/mean",
    "reward/mean",
    "loss/total",
    "length/mean",
    "entropy/mean",
    "gradient/norm",
    "groups/informative_rate",
    "time/step_seconds",
    "tokens/rollout_per_second",
)
SECONDS = 1.0


def plain(text: Any) -> str:
    """A text without characters that a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else "·" for c in str(text))


def course(values: list[float]) -> str:
    """The last values as small bars between their least and largest."""
    held = values[-WIDTH:]
    least, most = min(held), max(held)
    span = (most - least) or 1.0
    return "".join(BARS[min(7, int(8 * (value - least) / span))] for value in held)


class TerminalView:
    """What was seen so far, drawn again after each change."""

    def __init__(self) -> None:
        self._lines: list[Mapping[str, Any]] = []
        self._groups: list[Mapping[str, Any]] = []
        self._status: Mapping[str, Any] = {}

    def take(self, change: Change) -> None:
        """Add what is new."""
        if change.restarted:
            self._lines, self._groups = [], []
        self._status = change.status
        self._lines += change.metrics
        self._groups = [*self._groups, *change.groups][-3:]

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._status.get("status") not in ("running", "starting", "gone", None)

    def draw(self) -> Group:
        """The screen: status, figures of the phase that goes on, newest responses."""
        status = self._status
        head = f"{plain(status.get('name', ''))}: {plain(status.get('status', ''))}"
        if status.get("damaged"):
            head += f", {status['damaged']} damaged lines passed over"
        last = self._lines[-1] if self._lines else None
        phases = [line["phase"] for line in self._lines if line["phase"] != "eval"]
        phase = phases[-1] if phases else "eval"
        title = head if last is None else f"{head}, {plain(last['phase'])} step {last['step']}"
        table = Table(title=Text(title), title_justify="left")
        for column in ("", "now", "course"):
            table.add_column(column, justify="right" if column == "now" else "left", no_wrap=True)
        for key in SHOWN:
            held = [
                line[key] for line in self._lines if line["phase"] == phase and isinstance(line.get(key), int | float)
            ]
            if held:
                table.add_row(key, f"{held[-1]:.4g}", course(held))
        return Group(table, *(_group(group) for group in self._groups))


def _group(group: Mapping[str, Any]) -> Panel:
    question = " ".join(piece.get("text", "[image]") for piece in group["prompt"])
    body = Text(plain(question)[:300] + f"\nanswer {plain(group['answer'])[:80]}")
    marks = {"right": ("✓", "green"), "wrong": ("✗", "red"), "fault": ("!", "yellow")}
    for response in group["responses"][:3]:
        mark, colour = marks[response["state"]]
        body.append(f"\n{mark} ", style=colour)
        body.append(plain(response["text"]).replace("\n", " ")[:200])
    return Panel(
        body, title=Text(f"{plain(group['phase'])} step {group['step']}, {plain(group['domain'])}"), title_align="left"
    )


def watch_in_terminal(folder: Path, console: Console, until: Callable[[], bool] = lambda: False) -> None:
    """Draw until the run ends, `until` says so, or Ctrl-C."""
    run, view, pause = LiveRun(folder), TerminalView(), threading.Event()
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            view.take(run.look())
            live.update(view.draw(), refresh=True)
            if view.ended or until():
                return
            pause.wait(SECONDS)
