"""Runs whose models need no training to be right now and then: a plugin domain, a small shape, short loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

DOMAIN = '''
from dataclasses import dataclass
from vlrl.scenes.domain import domain
from vlrl.types import Draft, Verdict

@domain("even_length", family="test", modality="text")
@dataclass(frozen=True)
class EvenLength:
    """What an untrained model can get right: a response of an even number of characters."""

    def draw(self, rng, difficulty):
        return Draft(question=f"{rng.integers(10**9)}?", answer="even", thought="e" * int(rng.integers(2, 8)))

    def verify(self, problem, response):
        return Verdict.right("even") if len(response) % 2 == 0 else Verdict.wrong("odd")
'''
SHAPE = {"text_width": 32, "text_layers": 1, "mlp_width": 48, "head_size": 16, "key_value_heads": 1, "vision_width": 32}
LOOP = {"steps": 2, "batch": 4, "validate_every": 2}


def write(folder: Path, name: str, held: Any) -> str:
    """A YAML file in the folder; its path."""
    (folder / name).write_text(yaml.safe_dump(held))
    return str(folder / name)
