"""`reward_model.json`: what kind of reward model a folder holds, where its weights lie, and what they came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from vlrl.data.images.image_budget import ImageBudget
from vlrl.errors import ConfigError
from vlrl.runlog.atomic_files import write_atomically

RewardModelKind = Literal["classic", "chain_of_thought"]
CARD = "reward_model.json"
HEAD_FILE = "value_head.safetensors"  # beside the weights of a classic one
SCHEMA = 1


@dataclass(frozen=True)
class RewardModelCard:
    """A reward model on disk.

    weights            folder of the model in Hugging Face format, from the card's own folder
    instruction, salt  with which it was trained to read rows
    image              bounds of an image's pixels
    max_tokens         of a reply, where it reasons
    provenance         base model, rows with their digests, seed, commit
    """

    kind: RewardModelKind
    weights: str
    instruction: str
    salt: str
    image: ImageBudget = field(default_factory=ImageBudget)
    max_tokens: int = 512
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write the card into the folder of the run that trained the model."""
        held = {"schema": SCHEMA, **asdict(self), "image": self.image.model_dump()}
        write_atomically(folder / CARD, json.dumps(held, indent=1, ensure_ascii=False) + "\n")


def read_card(folder: Path, place: str) -> RewardModelCard | None:
    """The card of a folder, None where it has none. Raises ConfigError at `place` for a damaged one."""
    file = folder / CARD
    if not file.is_file():
        return None
    try:
        held = json.loads(file.read_bytes())
        schema = held.pop("schema")
        card = RewardModelCard(**{**held, "image": ImageBudget(**held["image"])})
        if schema != SCHEMA or card.kind not in ("classic", "chain_of_thought"):
            raise ValueError(f"schema {schema!r}, kind {card.kind!r}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(place, f"{file} can't be read: {error}", "train the reward model again") from error
    return card
