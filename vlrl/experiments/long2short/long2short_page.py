"""The page of long2short: every model's accuracy and tokens with intervals, and both on one image (k1.5 figure 7).

`<name>.json` beside it holds every problem's values, so that the page can be made again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlrl.evaluation.comparison import Difference, compare
from vlrl.evaluation.scores import holm
from vlrl.report.figures.standalone_figure import Mark, marks_figure
from vlrl.runlog.run_folder import write_atomically
from vlrl.seeding import stream

Floats = NDArray[np.float64]
RESAMPLES = 2000
SCHEMA = 1


@dataclass(frozen=True)
class Long2ShortFindings:
    """What the page is written from.

    starts    the long models that were started from
    answers   model → by seed, (P,) accuracy and (P,) tokens of every test problem; all are compared with `long`
    measured  day and commits of the tests
    """

    name: str
    command: str
    expected: str
    starts: Sequence[str]
    seeds: Sequence[int]
    answers: Mapping[str, Sequence[tuple[Floats, Floats]]]
    measured: str = ""


def answers_of(run: Path) -> tuple[Floats, Floats]:
    """(P,) sampled accuracy and (P,) tokens of every test problem."""
    rows = [json.loads(line) for line in (run / "answers_model.jsonl").read_text(encoding="utf-8").splitlines()]
    sampled = [row["sampled"] for row in rows]
    return np.array([np.mean(s["correct"]) for s in sampled]), np.array([np.mean(s["tokens"]) for s in sampled])


def write_page(found: Long2ShortFindings, out: Path) -> Path:
    """`<name>.md`, `<name>.svg` and `<name>.json` in `out`; returns the first."""
    text, marks = page_of(found)
    marks_figure(marks, "mean response tokens", "accuracy", out / f"{found.name}.svg")
    held = {field.name: getattr(found, field.name) for field in fields(found)}
    held["answers"] = {
        name: [{"correct": correct.tolist(), "tokens": tokens.tolist()} for correct, tokens in rows]
        for name, rows in found.answers.items()
    }
    write_atomically(out / f"{found.name}.json", json.dumps({"schema": SCHEMA, **held}) + "\n")
    page = out / f"{found.name}.md"
    write_atomically(page, text)
    return page


def read_findings(file: Path) -> Long2ShortFindings:
    """What `write_page` left as JSON. Raises ValueError for another schema."""
    held: dict[str, Any] = json.loads(file.read_bytes())
    if held.pop("schema") != SCHEMA:
        raise ValueError(f"{file}: this version reads schema {SCHEMA}")
    answers = {
        name: [tuple(np.array(row[key], dtype=np.float64) for key in ("correct", "tokens")) for row in rows]
        for name, rows in held["answers"].items()
    }
    return Long2ShortFindings(**{**held, "answers": answers})


def page_of(found: Long2ShortFindings) -> tuple[str, dict[str, Mark]]:
    """The page over all seeds, differences paired by problem; and by model, its mark on the image."""
    count = len(found.seeds)
    measured = f", measured {found.measured}" if found.measured else ""
    lines = [
        f"# {found.name.replace('_', ' ').capitalize()}",
        "",
        f"Made by `{found.command}` from `{', '.join(found.starts)}`{measured}; {count} seed{'s' if count > 1 else ''} "
        f"({', '.join(map(str, found.seeds))}), {len(found.answers['long'][0][0])} problems each, sampled.",
        "Intervals are 95 %, by resampling "
        + (
            "seeds and problems. A difference is shown where Student's interval over seeds spans no zero, and p of "
            f"the paired t test, adjusted by Holm for {2 * (len(found.answers) - 1)} comparisons, is below .05."
            if count > 1
            else "problems: they say nothing about other seeds."
        ),
        "",
    ]
    if found.expected:
        lines += [f"Expected before it was run: {found.expected}", ""]
    lines += [
        "| | accuracy | − long | | tokens | − long | | of long |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rng = stream(0, "long2short", found.name)
    long = found.answers["long"]
    marks = {}
    gaps = {
        (name, place): _against(rows, place, long, rng)
        for name, rows in found.answers.items()
        if name != "long"
        for place in (0, 1)
    }
    adjusted = holm({key: gap.p for key, gap in gaps.items()})
    for name, rows in found.answers.items():
        right, length = (_against(rows, place, None, rng) for place in (0, 1))
        marks[name] = Mark(length.mean, right.mean, length.by_problem, right.by_problem)
        against = [" | ", " | "]
        if name != "long":
            against = [
                f"{_ends(gaps[name, place], form)} | {gaps[name, place].verdict(adjusted[name, place])}"
                for place, form in enumerate(("+.3f", "+.1f"))
            ]
        share = np.mean([t.mean() / base.mean() for (_, t), (_, base) in zip(rows, long, strict=True)])
        correct, tokens = against
        lines.append(
            f"| {name} | {_ends(right, '.3f')} | {correct} | {_ends(length, '.1f')} | {tokens} | {share:.2f} |"
        )
    return "\n".join([*lines, "", f"![accuracy against tokens]({found.name}.svg)"]) + "\n", marks


def _against(
    rows: Sequence[tuple[Floats, Floats]],
    place: int,
    base: Sequence[tuple[Floats, Floats]] | None,
    rng: np.random.Generator,
) -> Difference:
    """Accuracy (place 0) or tokens (1) minus another model's; minus nothing for the values themselves."""
    own = [row[place] for row in rows]
    before = [np.zeros_like(one) for one in own] if base is None else [row[place] for row in base]
    return compare(own, before, rng, RESAMPLES)


def _ends(found: Difference, form: str) -> str:
    return f"{found.mean:{form}} ({found.by_problem.low:{form}} … {found.by_problem.high:{form}})"
