"""How many problems, responses, updates and steps another trainer's numbers are here.

A step here draws problems, writes k responses to each, and makes `updates_per_step` updates of them. verl and EasyR1
count prompts a step and prompts an update; TRL and ms-swift count responses a process, and every
`steps_per_generation`-th batch draws again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from vlrl.commands.importing.grammar import Meaning
from vlrl.commands.importing.values import rows_taken

NO_RANKS = "how many processes train isn't said: counted as one; `--ranks N` counts again"


@dataclass(frozen=True)
class Sizes:
    """Numbers of one step, and of the run where they follow. `steps` None: it takes the rows of the data to tell."""

    problems: int
    responses: int
    updates: int
    epochs: int
    nodes: int
    ranks: int
    steps: int | None


def sizes_of(meaning: Meaning, ranks: int | None, rows: int | None) -> Sizes:
    """The sizes of a config. `ranks` and `rows` are what the user says besides."""
    responses = meaning.take("responses", "rl.rollouts_per_problem", 8)
    world = _ranks(meaning, ranks)
    if meaning.peek("prompts_per_step") is not None:
        problems, updates = _by_prompts(meaning)
    else:
        problems, updates = _by_responses(meaning, responses, world)
    epochs = meaning.take("epochs_per_step", "rl.epochs_per_step", 1)
    nodes = meaning.peek("nodes", 1) if ranks is None else 1
    return Sizes(problems, responses, updates, epochs, nodes, world, _steps(meaning, problems, updates, rows))


def _ranks(meaning: Meaning, said: int | None) -> int:
    gpus = meaning.take("gpus", "torchrun --nproc-per-node", 0)
    nodes = meaning.take("nodes", "torchrun --nnodes", 1)
    return said or max(1, gpus * nodes)


def _by_prompts(meaning: Meaning) -> tuple[int, int]:
    problems = meaning.take("prompts_per_step", "rl.problems_per_step")
    update = meaning.take("prompts_per_update", "rl.updates_per_step", problems)
    updates = max(1, round(problems / update))
    if problems % update:
        meaning.settle(
            "prompts_per_update",
            "to decide",
            f"{problems} problems are no whole number of updates of {update}: {updates} updates",
        )
    return problems, updates


def _by_responses(meaning: Meaning, responses: int, world: int) -> tuple[int, int]:
    batch = meaning.take("device_batch", ("rl.problems_per_step", "rl.updates_per_step"), 1)
    accumulation = meaning.take("accumulation", ("rl.problems_per_step", "rl.updates_per_step"), 1)
    per_update = batch * accumulation * world
    drawn = meaning.take("generation_batch", ("rl.problems_per_step", "rl.updates_per_step"))
    if drawn is None:
        several = meaning.take("steps_per_generation", ("rl.problems_per_step", "rl.updates_per_step"), accumulation)
        drawn = batch * world * several
    problems, updates = max(1, round(drawn / responses)), max(1, round(drawn / per_update))
    if meaning.peek("gpus") is None and world == 1 and meaning.grammar.name == "trl":  # swift says so: one process
        meaning.settle("device_batch", "to decide", NO_RANKS)
    elif drawn % responses or drawn % per_update:
        note = f"{drawn} responses are no whole number of groups of {responses}: {problems} groups, {updates} updates"
        meaning.settle("device_batch", "to decide", note)
    return problems, min(updates, problems)


def _steps(meaning: Meaning, problems: int, updates: int, rows: int | None) -> int | None:
    steps = meaning.take("steps", "rl.steps")
    optimizer_steps = meaning.take("updates", "rl.steps")
    if steps is None and optimizer_steps is not None:
        steps = math.ceil(optimizer_steps / updates)
    if steps is not None:
        meaning.settle("epochs", "no difference", "the number of steps is given, too, and comes first")
        return int(steps)
    rows = rows or cast("int | None", meaning.peek("rows"))
    epochs = float(meaning.take("epochs", "rl.steps", 1))
    if rows is None:
        length = f"{epochs:g} × rows / {problems} steps"
        note = f"{epochs:g} epochs are {length}, and the rows aren't counted: `--rows N`, or set rl.steps"
        meaning.settle("epochs", "to decide", note)
        return None
    return max(1, math.ceil(epochs * rows / problems))


def rows_said(meaning: Meaning, written: object) -> None:
    """ms-swift writes beside a data set how many of its rows are taken."""
    if (rows := rows_taken(written)) is not None:
        meaning.stated["rows"] = rows
        meaning.remarks.append(
            f"{rows} rows are taken there, the recipe reads all of a file: steps are counted over {rows}"
        )


def in_steps(updates: int | None, sizes: Sizes) -> int | None:
    """A number of updates of an optimiser as steps here."""
    return None if updates is None else max(1, round(updates / sizes.updates))
