"""Two models merged into a third that has a card of its own."""

from __future__ import annotations

from pathlib import Path

from vlrl.model.merge import merge_models
from vlrl.report.model_cards.card_files import write_card
from vlrl.report.model_cards.merge_card import merge_card


def merge_with_card(first: Path, second: Path, weight: float, out: Path, replace: bool = False) -> Path:
    """`merge_models`, whose errors it raises, and a README.md that says of what and how; returns `out`."""
    merge_models(first, second, weight, out, replace)
    write_card(out, merge_card(out, first, second, weight))
    return out
