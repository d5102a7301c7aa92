"""One family's small model, and what transformers' own forward pass says of it, for test_generic_families.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from small_models import SMALLEST, ask, build_spread, encode, fresh, pixels
from transformers import AutoModelForImageTextToText, AutoProcessor

from vlrl.model.load import LoadedModel
from vlrl.model.prompts.encode import Encoded

K = 2
PROMPTS = (  # zero to three images of unlike sizes, one of them twice
    ("3+4=?",),
    (pixels(1, 40, 40), "How many cards?"),
    ("left", pixels(2, 48, 24), "right", pixels(1, 40, 40), "red?"),
    (pixels(4, 64, 40), pixels(2, 48, 24), "blue", pixels(3, 24, 48), "What is green and red and left?"),
)
IMAGES_ONLY = ("tiny-paligemma2",)  # its processor refuses a prompt without an image
ROOM = SMALLEST.SHAPE


@dataclass
class Tried:
    """A small model as it is loaded here, and as transformers loads it."""

    name: str
    folder: Path
    loaded: LoadedModel
    asked: Sequence[tuple[Any, ...]]
    encoded: list[Encoded]
    plain: Any
    processor: Any

    def forward(self, prompt: int, response: tuple[int, ...]) -> torch.Tensor:
        """(T,) log-probabilities of a response to one of the prompts, nothing shared."""
        content = [{"type": "text", "text": p} if isinstance(p, str) else {"type": "image"} for p in self.asked[prompt]]
        messages = [{"role": "user", "content": content}]
        text = self.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        images = [p for p in self.asked[prompt] if not isinstance(p, str)]
        more = {"images": [images]} if images else {}
        given = dict(self.processor(text=[text], add_special_tokens=False, return_tensors="pt", **more))
        assert given["input_ids"][0].tolist() == list(self.encoded[prompt].token_ids)
        written = torch.tensor([response])
        suffix = {"input_ids": written, "attention_mask": torch.ones_like(written)}
        suffix |= {name: torch.zeros_like(written) for name in ("token_type_ids", "mm_token_type_ids")}
        if self.name == "tiny-paligemma2":  # 0 is its prefix, read in both directions
            suffix["token_type_ids"] = torch.ones_like(written)
        for name in suffix.keys() & given.keys():
            given[name] = torch.cat([given[name], suffix[name]], 1)
        for name in ("num_crops", "num_patches", "num_soft_tokens_per_image", "labels"):
            given.pop(name, None)
        logits = self.plain(**given).logits[0, -len(response) - 1 : -1]
        forbidden = torch.tensor(self.loaded.placeholder_ids)
        logp = logits.index_fill(-1, forbidden, float("-inf")).log_softmax(-1)
        return logp.gather(1, written.T)[:, 0]


def tried(name: str, folder: Path) -> Tried:
    """A small model with weights large enough that what it reads changes what it says."""
    build_spread(name, folder, factor=4.0 if name == "tiny-gemma4" else 8.0, shape=ROOM)
    loaded = fresh(folder)
    plain: Any = AutoModelForImageTextToText.from_pretrained(folder, attn_implementation="eager").eval()
    asked = PROMPTS[1:] if name in IMAGES_ONLY else PROMPTS
    encoded = encode(loaded, *[ask(*pieces) for pieces in asked])
    return Tried(name, folder, loaded, asked, encoded, plain, AutoProcessor.from_pretrained(folder))
