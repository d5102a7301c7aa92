"""Speed of the verifiers: plain answers, and mathematics against calling math-verify on every row.

    VLRL_DATA=… python scripts/bench/verifiers.py [--plain-only | --mathematics-only] [--rows N] [--json]

**Plain answers.** Each verifier judges responses `<think>…</think><answer>…</answer>` with 300 characters of thinking,
half of them right, every response different. Figures are verdicts per second of processor time on one core.

**Mathematics.** All rows of answer_equivalence (153), MATH-Vision (1,520, gold is the letter or the value) and GSM8K
solutions (2,640): our `math` verifier on gold and response, against `verify(parse(gold), parse(response))` of
math-verify with its default settings. Nothing is cached across rows on either side: math-verify's own result caches are
cleared after every row, in our worker too; compiled patterns and sympy's internal cache stay, on both sides. Both sides
first judge the same ten other pairs (`WARM_UP`), so that neither pays for the first sum, matrix or interval. Time is
processor time, and for ours that of the worker process is added; its start is reported apart. Verdicts that differ are
counted by who agrees with the recorded label, and all of them are listed with the reason of their kind (`reason`).

Processor time hardly depends on what else the machine does; the wall-clock column does. So that a busy machine makes no
faults, the worker has minutes of wall clock here, to start and to answer; its limit of processor time stays.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.types import Problem, Text
from vlrl.verify.judge import judge
from vlrl.verify.verifiers.mathematics import pool

PLAIN: list[tuple[str, str, str, str, dict[str, Any]]] = [
    ("number", "6", "6", "7", {}),
    ("number", "2.5", "2.504", "2.6", {"tolerance": 0.01}),
    ("choice", "145°", "C", "B", {"choices": ["135°", "140°", "145°", "150°"]}),
    ("choice", "145°", "(C) 145°", "(B) 140°", {"choices": ["135°", "140°", "145°", "150°"]}),
    ("exact", "Paris", "Paris", "London", {}),
    ("text", "a red car", "A red car.", "a blue car", {}),
    ("time", "3:45", "3:45", "4:45", {}),
    ("list", "[3, 5]", "3, 5", "5, 3", {}),
    ("box", "[10, 10, 50, 50]", "[10, 10, 50, 48]", "[40, 40, 90, 90]", {}),
    ("point", "(20, 20)", "(21, 20)", "(60, 20)", {"radius": 2}),
    ("math", "0.5", "\\frac{1}{2}", "\\frac{1}{3}", {}),
    ("math", "12", "\\boxed{12}", "\\boxed{13}", {}),
]


WARM_UP = [
    ("x+1", "1+x^2"),
    ("(1,2)", "[1,2)"),
    ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\begin{pmatrix}1\\\\3\\end{pmatrix}"),
    ("x=\\sin(y)", "x<2"),
    ("\\sum_{k=0}^{n} k", "\\sum_{j=0}^{n} j"),
    ("\\sqrt{2}", "\\{1,2\\}"),
    ("y=2z+1", "y-2z=1"),
    ("(-\\infty,3)\\cup(4,5]", "x \\in (-\\infty,3)"),
    ("a_n=3n", "3n"),
    ("\\frac{x}{2}+\\tan(x)", "\\cos^2(x)"),
]


@dataclass(frozen=True)
class Row:
    """One pair with its recorded verdict."""

    id: str
    gold: str
    response: str
    label: bool
    options: dict[str, Any]

    @property
    def problem(self) -> Problem:
        return Problem((Text(""),), self.gold, "math", "text", "bench", metadata=self.options)


def load_rows(folder: Path) -> list[Row]:
    """All rows of the three sets. Raises OSError if a file is missing."""

    def lines(name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (folder / name).open()]

    rows = [
        Row(r["id"], r["gold"], r["prediction"], r["expected"], r["options"])
        for r in lines("answer_equivalence/pairs.jsonl")
    ]
    golds = {r["raw_id"]: r["answer"] for r in lines("mathvision/gold_half.jsonl")}
    rows += [
        Row(f"mathvision_{r['raw_id']}", golds[r["raw_id"]], r["response"], r["correct"], {})
        for r in lines("mathvision/outputs_gemini_pro_cot.jsonl")
    ]
    rows += [
        Row(f"{r['id']}_{r['model']}", r["answer"], r["response"], r["is_correct"], {})
        for r in lines("gsm8k/model_solutions.jsonl")
    ]
    return rows


def plain_speed(
    verifier: str, gold: str, right: str, wrong: str, metadata: dict[str, Any], count: int = 20_000
) -> float:
    """Verdicts per second of processor time."""
    problem = Problem((Text("What is it?"),), gold, verifier, "text", "bench", metadata=metadata)
    thought = "I look at the image and count what I see. " * 7
    responses = [f"<think>{thought}{n}</think><answer>{right if n % 2 else wrong}</answer>" for n in range(count)]
    correct = 0
    start = time.process_time()
    for response in responses:
        correct += judge(problem, response).correct
    seconds = time.process_time() - start
    if correct != count // 2:
        raise AssertionError(f"{verifier}: {correct} of {count} correct, expected half")
    return count / seconds


def timed(
    judge_row: Callable[[Row], bool], rows: list[Row], extra: Callable[[], float]
) -> tuple[list[bool], float, float]:
    """(verdicts, processor seconds, wall seconds); `extra` is processor time spent elsewhere so far."""
    wall, processor = time.perf_counter(), time.process_time() + extra()
    verdicts = [judge_row(row) for row in rows]
    return verdicts, time.process_time() + extra() - processor, time.perf_counter() - wall


def by_math_verify() -> Callable[[Row], bool]:
    """math-verify as its README calls it, on gold and whole response, its result caches cleared after every row."""
    import math_verify
    from math_verify import parser

    logging.disable(logging.CRITICAL)

    def judge_row(row: Row) -> bool:
        options = {k: v for k, v in row.options.items() if k in ("strict", "allow_set_relation_comp")}
        precision = row.options.get("precision")
        if isinstance(precision, int):
            options["float_rounding"] = precision
        equal = math_verify.verify(math_verify.parse(row.gold), math_verify.parse(row.response), **options)
        for cached in (parser.parse_latex_cached, parser.parse_expr_cached, parser.extract_latex):
            cached.cache_clear()
        return bool(equal)

    return judge_row


def by_ours(faults: Counter[str]) -> Callable[[Row], bool]:
    """Our verifier; a fault counts as not correct and is counted."""

    def judge_row(row: Row) -> bool:
        verdict = judge(row.problem, row.response)
        if verdict.fault is not None:
            faults[verdict.fault.split(":")[1].strip()] += 1
        return verdict.correct

    return judge_row


def reason(row: Row, ours: bool) -> str:
    """Why the two verdicts on a row differ, by kind."""
    if ours == row.label:
        if not ours:
            return "math-verify takes any formula or number of the response; ours takes what it declares as its answer"
        return "math-verify reads no number in prose, a letter, or text; ours does"
    if ours:
        return "equal to the gold, but the benchmark's own parser missed it, or the label is about another form"
    return "not declared, declared twice, hedged, or outside what ours reads: no reward rather than luck"


def main() -> None:
    """Prints both tables."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--plain-only", action="store_true")
    options.add_argument("--mathematics-only", action="store_true")
    options.add_argument("--rows", type=int, default=0, help="only every n-th row, so that about this many are left")
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    result: dict[str, Any] = {"plain": {}}
    for verifier, gold, right, wrong, metadata in () if given.mathematics_only else PLAIN:
        speed = plain_speed(verifier, gold, right, wrong, metadata)
        result["plain"][f"{verifier} {right}"] = round(speed)
        print(f"{verifier:8} {right:18} {speed:10,.0f} verdicts/s")
    if not given.plain_only:
        folder = os.environ.get("VLRL_DATA")
        if not folder:
            raise SystemExit("VLRL_DATA names no folder; set it, or run with --plain-only")
        result["mathematics"] = mathematics(load_rows(Path(folder)), given.rows)
    if given.json:
        print(json.dumps(result))


def mathematics(rows: list[Row], limit: int) -> dict[str, Any]:
    """Times both on the same rows and lists the verdicts that differ."""
    if limit:
        rows = rows[:: max(1, len(rows) // limit)]
    faults: Counter[str] = Counter()
    start = time.perf_counter()
    pool().load_seconds = pool().wall_seconds = 600.0
    pool().ask({"gold": ["x"], "answer": ["y"], "strict": True, "rounding": 6, "relations": False})
    started = time.perf_counter() - start
    workers = pool()
    warm_up = [Row("", gold, f"\\boxed{{{answer}}}", False, {}) for gold, answer in WARM_UP]
    for judge_row in (by_ours(Counter()), by_math_verify()):
        for row in warm_up:
            judge_row(row)
    before = workers.jobs
    ours, ours_cpu, ours_wall = timed(by_ours(faults), rows, lambda: workers.processor_seconds)
    theirs, theirs_cpu, theirs_wall = timed(by_math_verify(), rows, lambda: 0.0)
    jobs = workers.jobs - before
    print(f"\n{len(rows)} rows; {jobs} went to the worker, which took {started:.1f} s to start; faults {dict(faults)}")
    for name, cpu, wall in (("ours", ours_cpu, ours_wall), ("math-verify", theirs_cpu, theirs_wall)):
        print(f"{name:12} {len(rows) / cpu:8,.0f} rows a processor second   {len(rows) / wall:8,.0f} rows a second")
    print(f"ratio        {theirs_cpu / ours_cpu:8.1f}                           {theirs_wall / ours_wall:8.1f}")
    differing = [(r, o, t) for r, o, t in zip(rows, ours, theirs, strict=True) if o != t]
    agree = Counter("ours" if o == r.label else "math-verify" for r, o, _ in differing)
    right = [sum(v == r.label for v, r in zip(verdicts, rows, strict=True)) for verdicts in (ours, theirs)]
    print(f"agree with the recorded label: ours {right[0]}, math-verify {right[1]} of {len(rows)}")
    print(f"{len(differing)} verdicts differ; the recorded label agrees with: {dict(agree)}")
    for row, verdict, _ in differing:
        side = "ours" if verdict == row.label else "math-verify"
        tail = " ".join(row.response.split())[-110:]
        print(f"  {row.id:34} label {row.label!s:5} ours {verdict!s:5} ({side}) gold {row.gold[:40]!r} … {tail!r}")
    print("\n| differing verdicts | recorded label agrees with | reason |\n|---|---|---|")
    reasons = Counter(("ours" if o == r.label else "math-verify", reason(r, o)) for r, o, _ in differing)
    for (side, why), count in reasons.most_common():
        print(f"| {count} | {side} | {why} |")
    return {
        "rows": len(rows),
        "worker_rows": jobs,
        "ours_per_cpu_second": len(rows) / ours_cpu,
        "math_verify_per_cpu_second": len(rows) / theirs_cpu,
        "ratio_cpu": theirs_cpu / ours_cpu,
        "ratio_wall": theirs_wall / ours_wall,
        "differing": len(differing),
        "label_agrees_with": dict(agree),
        "faults": dict(faults),
    }


if __name__ == "__main__":
    main()
