"""The card of a model that was merged from two others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vlrl.report.model_cards.base_model import LICENCE, README, TAG, front_matter, model_at
from vlrl.report.model_cards.model_card import LICENCE_UNKNOWN, PAPER


def merge_card(out: Path, first: Path, second: Path, weight: float) -> str:
    """weight  of the first model; the second has the rest"""
    from huggingface_hub import ModelCardData

    bases = [model_at(str(folder)).name for folder in (first, second)]
    names = sorted({name for name in bases if name is not None})
    licences = [
        {key: v for key, v in front_matter(folder / README).items() if key in LICENCE} for folder in (first, second)
    ]
    licence: dict[str, Any] = licences[0] if licences[0] == licences[1] else {}
    head = ModelCardData(
        base_model=(names if len(names) > 1 else names[0]) if names else None,
        base_model_relation="merge" if names else None,
        library_name="transformers",
        pipeline_tag="image-text-to-text",
        tags=[TAG, "vision-language", "merge"],
        **licence,
    )
    lines = ["---", head.to_yaml().rstrip(), "---", "", f"# {out.resolve().name}", ""]
    lines.append(
        f"Weights merged by vlrl, without training ({PAPER} §2.4): {weight:g} of `{_name(first)}`, {1 - weight:g} of "
        f"`{_name(second)}`. Everything but the weights is the first one's."
    )
    return "\n".join([*lines, *([] if licence else ["", LICENCE_UNKNOWN.removeprefix("- ")]), ""])


def _name(folder: Path) -> str:
    """A model folder by its last two names: those of a run and its model."""
    return "/".join(folder.resolve().parts[-2:])
