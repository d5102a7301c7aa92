"""What is written as plain values is read back as it was."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from vlrl.runlog.codecs import (
    problem_from,
    problem_row,
    problem_state,
    rollout_from,
    rollout_state,
    verdict_from,
    verdict_row,
)
from vlrl.seeding import stream
from vlrl.types import Image, Problem, Rollout, Segment, Text, Verdict


def problems(rng: np.random.Generator, count: int = 40) -> list[Problem]:
    """Problems with and without everything that is optional."""
    found = []
    for n in range(count):
        image = Image("d" * 32, path=f"{n}.png") if n % 3 else Image.from_bytes(rng.bytes(12))
        pieces = [Text(f"How many of {n}?"), image, Text("\u2028 naïve?")]
        found.append(
            Problem(
                tuple(pieces[i] for i in rng.permutation(3)[: 1 + n % 3]),
                str(n),
                "number",
                "real",
                "counting",
                source="" if n % 2 else "own",
                difficulty=None if n % 2 else n / 50,
                metadata={"choices": ["a", "b"], "tolerance": 0.1} if n % 4 else {},
                tags=("x",) * (n % 3),
                twin=None if n % 2 else "t" * 32,
                system=None if n % 5 else "Answer.",
                untemplated_id=None if n % 5 else "u" * 32,
            )
        )
    return found


def test_a_problem_of_a_checkpoint_is_the_problem():
    for problem in problems(stream(0, "codecs")):
        again = problem_from(pickle.loads(pickle.dumps(problem_state(problem))))
        assert again == problem
        assert (again.id, again.content_id) == (problem.id, problem.content_id)
        assert [image.data for image in again.images] == [image.data for image in problem.images]


def test_a_problem_for_readers_is_json_that_names_every_field_but_the_checkpoint_s():
    for problem in problems(stream(1, "codecs")):
        row = problem_row(problem, lambda image: {"image": image.digest})
        assert json.loads(json.dumps(row)) == row
        assert row["id"] == problem.id
        assert len(row["prompt"]) == len(problem.prompt)
        assert set(problem_state(problem)) - set(row) <= {"system", "untemplated_id"}


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict.right("7"),
        Verdict.wrong("no"),
        Verdict.broken("it crashed"),
        Verdict(0.25, False, "3", "near", None, {"iou": 0.5, "format": 1.0}),
    ],
)
def test_a_verdict_comes_back_with_its_sub_scores(verdict):
    row = verdict_row(verdict)
    assert verdict_from(json.loads(json.dumps({**row, "text": "beside it"}))) == verdict
    assert ("score_parts" in row) == bool(verdict.parts)


def test_a_response_comes_back_with_every_segment():
    rollout = Rollout((Segment((1, 2), (-0.1, -0.2), 3), Segment((4,), (-0.5,), 4, "observation")), "ab", "unfinished")
    assert rollout_from(pickle.loads(pickle.dumps(rollout_state(rollout)))) == rollout
