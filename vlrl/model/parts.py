"""The three parts of a vision-language model, by the Hugging Face names of their parameters; which of them learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from vlrl.errors import ConfigError

Part = Literal["vision", "projector", "language"]


def part_of(name: str) -> Part:
    """Which part a parameter belongs to: vision (tower), projector (merger or connector after it), language."""
    if "merger" in name or "connector" in name or "multi_modal_projector" in name:
        return "projector"
    if ".visual." in name or "vision_model" in name or "vision_tower" in name:
        return "vision"
    return "language"


def freeze_parts(model: Any, parts: Sequence[Part]) -> bool:
    """Only what isn't in `parts` gets gradients. Returns whether a picture's features do. Raises ConfigError."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(part_of(name) not in parts)
    if not any(p.requires_grad for p in model.parameters()):
        raise ConfigError("freeze", f"{list(parts)} leaves nothing to train", "freeze fewer parts")
    return any(p.requires_grad for n, p in model.named_parameters() if part_of(n) != "language")
