"""The run card in words: what ran, on what, with which settings; run_card.md beside run_card.json."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from vlrl.report.figures.metric_charts import total_seconds
from vlrl.report.read_run import RunRecord, read_run
from vlrl.report.tables import Table, result_tables
from vlrl.runlog.card_digest import DIGEST
from vlrl.runlog.run_folder import write_atomically

_OWN_PLACE = {"schema", "settings", "command", "versions", "machine", "code", "sessions", "started", "status", "seed"}
_SECTIONS = {"integrity", "data_overlap", DIGEST}  # of run_card.md, or of no reader


def write_run_card(run_folder: Path) -> Path:
    """Write run_card.md from run_card.json and results.json; returns its path. Raises RunError."""
    run = read_run(run_folder)
    lines = [f"# Run card: {run.folder.resolve().name}", ""]
    lines += [f"- **{name}**: {_plain(value)}" for name, value in card_facts(run)]
    for table in result_tables(run):
        lines += ["", f"## Test accuracy, {table.title.lower()}", "", *markdown_table(table)]
    if run.card.get("integrity"):
        lines += ["", "## Integrity checks", "", *integrity_table(run.card["integrity"])]
    if run.card.get("data_overlap"):
        lines += ["", "## Training data that is near what the run was tested on", ""]
        lines += overlap_table(run.card["data_overlap"])
    lines += ["", "## Settings", "", "```yaml", settings_text(run).rstrip(), "```", ""]
    target = run_folder / "run_card.md"
    write_atomically(target, "\n".join(lines))
    return target


def card_facts(run: RunRecord) -> list[tuple[str, str]]:
    """(name, value) of what a reader asks first, then whatever else the run noted."""
    card = run.card
    metadata = [
        ("status", str(card.get("status", ""))),
        ("command", " ".join(str(part) for part in card.get("command", []))),
        ("started", _moment(card.get("started"))),
        ("wall-clock", ", ".join(f"{name} {duration_text(s)}" for name, s in total_seconds(run))),
        ("sessions", _sessions(card.get("sessions") or [])),
        ("seed", "" if card.get("seed") is None else str(card["seed"])),
        ("machine", _pairs(card.get("machine") or {})),
        ("versions", _pairs(card.get("versions") or {})),
        ("code", _code(card.get("code") or {})),
    ]
    for name, held in card.items():
        if name not in _OWN_PLACE | _SECTIONS:
            metadata.append((name.replace("_", " "), _pairs(held) if isinstance(held, Mapping) else _value(held)))
    if card.get("integrity"):
        metadata.append(("integrity checks", _passed(card["integrity"])))
    if card.get("data_overlap"):
        near = {name: held["problems"] for name, held in card["data_overlap"]["near"].items()}
        found = {name: near.get(name, 0) for name in card["data_overlap"]["sets"]}
        metadata.append(("training problems near those of", _pairs(found)))
    return [(name, value) for name, value in metadata if value]


def integrity_table(checks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Each check with what it asks, what was found, whether it holds and who measured it, as lines of Markdown."""
    lines = ["| check | asks | found | bound | holds | measured by |", "|---|---|---|---|---|---|"]
    for name, check in checks.items():
        cells = [name, check["asks"], _pairs(check["found"]) or "–", check.get("bound", "–"), _verdict(check)]
        lines.append("| " + " | ".join(_plain(cell) for cell in [*cells, check["measured_by"]]) + " |")
    return lines


def overlap_table(overlap: Mapping[str, Any]) -> list[str]:
    """A row an evaluation set with how many training problems are near its own and how, as lines of Markdown."""
    lines = [
        f"Different problems trained on: {_pairs(overlap['problems']) or 'none'}. "
        f"Looked through {_pairs(overlap['compared']) or 'none'}. Took {overlap['time']}.",
        *(f"Not compared: {name}." for name in overlap["not_compared"]),
        "",
        "| tested on | its problems | training problems near them | how | e.g. |",
        "|---|---|---|---|---|",
    ]
    for name, held in overlap["sets"].items():
        near = dict(overlap["near"].get(name, {}))
        count, first = near.pop("problems", 0), near.pop("first", [])
        cells = [name, f"{held['problems']:,}", f"{count:,}", _pairs(near) or "–", "; ".join(first) or "–"]
        lines.append("| " + " | ".join(map(_plain, cells)) + " |")
    return lines


def _verdict(check: Mapping[str, Any]) -> str:
    return {True: "yes", False: "**no**"}.get(check["passed"], "no bound" if check["found"] else "not measured")


def _passed(checks: Mapping[str, Mapping[str, Any]]) -> str:
    """How the checks came out, in one line; those that failed by name."""
    failed = [name for name, check in checks.items() if check["passed"] is False]
    counts = {
        "hold": sum(check["passed"] is True for check in checks.values()),
        "have no bound": sum(check["passed"] is None and bool(check["found"]) for check in checks.values()),
        "were not measured": sum(not check["found"] for check in checks.values()),
    }
    said = [f"{count} {words}" for words, count in counts.items() if count]
    return ", ".join([*([f"fail: {', '.join(failed)}"] if failed else []), *said])


def settings_text(run: RunRecord) -> str:
    """The resolved settings as YAML."""
    return str(yaml.safe_dump(dict(run.card.get("settings") or {}), sort_keys=False, allow_unicode=True))


def duration_text(seconds: float) -> str:
    """Seconds as a reader says them: 48 s, 3 min 05 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _moment(text: Any) -> str:
    if not isinstance(text, str):
        return ""
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M %Z").strip()


def _sessions(sessions: list[Mapping[str, Any]]) -> str:
    if len(sessions) < 2:  # one session is told by start and wall-clock
        return ""
    return f"{len(sessions)}, started " + ", ".join(_moment(s.get("started")) for s in sessions)


def _code(code: Mapping[str, Any]) -> str:
    if not code.get("commit"):
        return ""
    changed = code.get("changed_files") or []
    return f"commit {str(code['commit'])[:12]}" + (f", {len(changed)} files changed since" if changed else "")


def _pairs(held: Mapping[str, Any]) -> str:
    return ", ".join(f"{str(k).replace('_', ' ')} {_value(v)}" for k, v in held.items() if v is not None)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({_pairs(value)})"
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(v) for v in value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _plain(value: str) -> str:
    """Markdown without surprises from values: no raw HTML, one line."""
    return " ".join(value.split()).replace("<", "&lt;")


def markdown_table(table: Table) -> list[str]:
    """A table of accuracies with intervals, as lines of Markdown."""
    columns = [f"{stage}, {kind}" for kind in table.kinds for stage in table.stages]
    lines = ["| | n | " + " | ".join(columns) + " |", "|---|---|" + "---|" * len(columns)]
    for row in table.rows:
        cells = [
            f"{c.value} ({c.interval})" if c.interval else c.value for kind in table.kinds for c in row.cells[kind]
        ]
        lines.append(f"| {_plain(row.name)} | {row.n} | " + " | ".join(cells) + " |")
    return lines
