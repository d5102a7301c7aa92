"""docs/algorithms.md lists every part that there is, with the mark that its class has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import vlrl.credit
import vlrl.losses
import vlrl.rollout.boundaries  # noqa: F401
from vlrl.credit.advantage.advantages import advantages
from vlrl.credit.rewards.shapes import shapes
from vlrl.credit.tokens.token_parts import adjusts, token_credits, weighers
from vlrl.curriculum.problem_weights import problem_weights
from vlrl.curriculum.task_utility import TaskUtility
from vlrl.losses.auxiliary import additions
from vlrl.losses.loss_registry import losses
from vlrl.provenance import MARKS
from vlrl.rollout.boundaries.boundary import boundary_hooks
from vlrl.training.presets import PRESETS
from vlrl.training.scheduling.length_head import LengthHeadSettings

PAGE = (Path(__file__).parents[1] / "docs" / "algorithms.md").read_text(encoding="utf-8")
SECTIONS = {
    "Losses": [losses],
    "Reward parts": [shapes],
    "Advantages": [advantages],
    "Adjustments": [adjusts, token_credits, weighers, additions],
    "Hooks at boundaries": [boundary_hooks],
    "Which problem comes next": [problem_weights, {"utility": TaskUtility}],
    "The longest responses first": [{"length_head": LengthHeadSettings}],
}


def rows(title: str) -> dict[str, list[str]]:
    """Cells of a section's table by the name in the first one."""
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(title)]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:3] == "| `"]
    return {cells[0].strip("`"): cells[1:] for cells in lines}


@pytest.mark.parametrize("title", SECTIONS)
def test_the_page_lists_every_part_with_its_mark(title):
    listed = rows(title)
    parts = {name: registry.get(name) for registry in SECTIONS[title] for name in registry}
    assert set(listed) == set(parts)
    for name, part in parts.items():
        assert part.mark in MARKS
        assert listed[name][1 if title == "Adjustments" else 0] == part.mark, name
        assert bool(part.mark) == bool(part.paper), name


def test_the_page_names_every_preset():
    named = re.findall(r"`(\w+)`", PAGE.split("## Presets")[1].split("##")[0])
    assert set(PRESETS) <= set(named)


def test_what_is_left_out_is_named_once_with_a_reason_and_is_not_there():
    table = PAGE.split("## Left out for now")[1]
    lines = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")][1:]
    names = [name.strip() for name, _ in lines]
    assert len(names) == len(set(names))
    assert all(len(reason.strip()) > 15 for _, reason in lines)
    there = {name for registries in SECTIONS.values() for registry in registries for name in registry}
    assert not there & {name.lower() for name in names}
