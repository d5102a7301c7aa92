"""What a model has answered, on disk the moment it is judged: a run that is killed asks nothing twice.

One line a problem in `answers.jsonl`, named by (stage, key, problem id). The key is a hash of everything that the
answer depends on: model, sampling, number of samples, seed, system prompt, image budget, and what was asked, prompt
included. Thresholds are not in it, so another threshold asks nothing again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vlrl.curation.stage import Answered
from vlrl.runlog import own_files
from vlrl.runlog.atomic_files import errors_at
from vlrl.runlog.codecs import verdict_from, verdict_row
from vlrl.runlog.log_lines import SCHEMA, mend_jsonl, read_jsonl
from vlrl.types import Rollout, Segment

Name = tuple[str, str, str]  # stage, key, problem id


class Journal:
    """The answers of a run folder. Opening it takes out what a kill or a bad disk damaged: that is asked again."""

    def __init__(self, path: Path, say: Callable[[str], None] = print) -> None:
        self.path = path
        mend_jsonl(path, say)
        self._held: dict[Name, Answered] = {}
        if path.is_file():
            for record in read_jsonl(path):
                name = (record["stage"], record["key"], record["problem"])
                self._held[name] = _answered(record["responses"])

    def get(self, name: Name) -> Answered | None:
        """The answers held under a name."""
        return self._held.get(name)

    def add(self, answers: Sequence[tuple[Name, Answered]]) -> None:
        """Append and bring to the disk."""
        with errors_at(self.path), open(self.path, "a", encoding="utf-8") as file:
            for (stage, key, problem), answered in answers:
                record = {"schema": SCHEMA, "stage": stage, "key": key, "problem": problem}
                file.write(json.dumps({**record, "responses": _responses(answered)}, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        own_files.note_grown(self.path)
        self._held.update(answers)


def _responses(answered: Answered) -> list[dict[str, Any]]:
    return [
        {
            "text": rollout.text,
            "tokens": list(rollout.token_ids),
            "finish_reason": rollout.finish_reason,
            **verdict_row(verdict),
        }
        for rollout, verdict in zip(answered.rollouts, answered.verdicts, strict=True)
    ]


def _answered(rows: Sequence[dict[str, Any]]) -> Answered:
    """As it was asked, but for log-probabilities, which curation doesn't need (they read as 0)."""
    rollouts = tuple(
        Rollout((Segment(tuple(row["tokens"]), (0.0,) * len(row["tokens"]), 0),), row["text"], row["finish_reason"])
        for row in rows
    )
    return Answered(rollouts, tuple(map(verdict_from, rows)))
