"""The three parts of a vision-language model, by the Hugging Face names of their parameters; which of them learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

from vlrl.errors import ConfigError
from vlrl.model.families.family import part_names

Part = Literal["vision", "projector", "language"]
PARTS: frozenset[Part] = frozenset(get_args(Part))


def part_of(name: str) -> Part:
    """Which part a parameter belongs to: vision (tower), projector (between tower and decoder), language.

    By the names that all known families give to their modules.
    """
    projectors, towers = part_names()
    if any(mark in name for mark in projectors):
        return "projector"
    if any(mark in name for mark in towers):
        return "vision"
    return "language"


def trained_parts(model: Any) -> frozenset[Part]:
    """Parts with a parameter that gets gradients."""
    return frozenset(part_of(name) for name, parameter in model.named_parameters() if parameter.requires_grad)


def freeze_parts(model: Any, parts: Sequence[Part]) -> bool:
    """Only what isn't in `parts` gets gradients. Returns whether an image's features do. Raises ConfigError."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(part_of(name) not in parts)
    trained = trained_parts(model)
    if not trained:
        raise ConfigError("freeze", f"{list(parts)} leaves nothing to train", "freeze fewer parts")
    return trained != {"language"}
