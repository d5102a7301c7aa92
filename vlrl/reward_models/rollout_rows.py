"""Rows from verified rollouts: the responses of a run folder, with the verdicts that its verifier gave them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlrl.errors import DataError
from vlrl.reward_models.judged_row import JudgedRow, group_of
from vlrl.runlog.log_lines import read_jsonl
from vlrl.types import Image, Problem, Text, Verdict
from vlrl.verify.learned.asked_answer import MAX_ANSWER_CHARS, answer_to_judge


def rollout_rows(run: Path, max_chars: int = MAX_ANSWER_CHARS) -> tuple[list[JudgedRow], dict[str, int]]:
    """The rows of a run's rollouts.jsonl, and how many responses gave none, by reason.

    Only responses with one declared answer are asked of a judge, so others give no row. A verdict that is a fault says
    nothing, and one with part of the score has no label. Raises DataError for a folder without rollouts, or for an
    image that is gone.
    """
    file = run / "rollouts.jsonl"
    if not file.is_file():
        raise DataError(str(file), "no such file", "name the folder of a run that has trained with RL")
    rows: list[JudgedRow] = []
    left: dict[str, int] = {}

    def leave(reason: str) -> None:
        left[reason] = left.get(reason, 0) + 1

    for record in read_jsonl(file):
        problem = _problem(record["problem"], run)
        for rollout in record["rollouts"]:
            if rollout["fault"] is not None:
                leave("the verifier failed")
                continue
            if rollout["score"] not in (0.0, 1.0) or rollout["correct"] != (rollout["score"] == 1.0):
                leave("a part of the score")
                continue
            answer = answer_to_judge(rollout["text"], max_chars)
            if isinstance(answer, Verdict):
                leave(answer.note if not answer.note.startswith("the answer is") else "the answer is long")
                continue
            label = bool(rollout["correct"])
            rows.append(JudgedRow(problem, answer, label, "rollouts", group_of(problem), rule=False))
    return rows, left


def _problem(held: Mapping[str, Any], run: Path) -> Problem:
    prompt = tuple(Text(p["text"]) if "text" in p else _image(str(p["image"]), run) for p in held["prompt"])
    return Problem(prompt, held["answer"], held["verifier"], held["modality"], held["domain"], held["source"])


def _image(digest: str, run: Path) -> Image:
    found = sorted((run / "images").glob(f"{digest}.*"))
    if not found:
        raise DataError(str(run / "images"), f"the image {digest} of its rollouts is gone", "restore it")
    return Image(digest=digest, path=str(found[0]))
