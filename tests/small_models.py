"""The smallest models of all architectures, with weights large enough that what they read changes what they say."""

from __future__ import annotations

import copy
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from scripts_as_modules import script
from transformers import AutoModelForImageTextToText, AutoProcessor

from vlrl.data.images.image_budget import ImageBudget
from vlrl.model.families.small import generic_models
from vlrl.model.families.tiny_parts import TinyShape
from vlrl.model.load import LoadedModel, ModelSettings, load_folder
from vlrl.model.prompts.encode import Encoded, Encoder
from vlrl.model.tiny import build_tiny, tiny_models
from vlrl.model.vision.feature_cache import FeatureStore
from vlrl.types import Image, Problem, Text

GENERIC = tuple(generic_models())  # read without code of their own: tests/model/families/test_generic_families.py
ARCHITECTURES = tuple(name for name in tiny_models() if name not in GENERIC)  # of every family with a file of its own
SMALLEST = script("scripts/bench/smallest_models.py")
TEXTS = SMALLEST.TEXTS
SHAPE = SMALLEST.SHAPE.model_copy(update={"context": 160})
VLLM_SHAPE = SHAPE.model_copy(update={"head_size": 32})  # its CPU attention has no heads of 16
BUDGET = ImageBudget(min_pixels=256, max_pixels=4096)


def build_spread(architecture: str, folder: Path, factor: float = 8.0, shape: TinyShape = SHAPE) -> Path:
    """A small model in `folder` whose weights of two and more dimensions are `factor` times their initial size."""
    build_tiny(architecture, TEXTS, folder, seed=0, shape=shape)
    model: Any = AutoModelForImageTextToText.from_pretrained(folder)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                parameter *= factor
    model.save_pretrained(folder)
    return folder


def fresh(folder: Path, device: str = "cpu", in_shards: bool = False, **settings: Any) -> LoadedModel:
    """A copy of its own, for a test that changes weights. A folder that is as it was is read once a process."""
    asked = ModelSettings(path=str(folder), device=device, **settings)
    if in_shards:  # all ranks read together
        return load_folder(str(folder), asked, in_shards=True)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    key = (asked.model_dump_json(), *((str(file), (at := file.stat()).st_mtime_ns, at.st_size) for file in files))
    if key not in _read:
        if len(_read) == MOST_READ:
            _read.pop(next(iter(_read)))
        _read[key] = load_folder(str(folder), asked)
    pristine = _read[key]
    model, processor = copy.deepcopy(pristine.model), copy.deepcopy(pristine.processor)
    store = pristine.store and FeatureStore(model, asked.feature_store_mib * 2**20)
    return replace(pristine, model=model, processor=processor, store=store)


MOST_READ = 12  # of some 2 MB each
_read: dict[tuple[Any, ...], LoadedModel] = {}


def pixels(seed: int, width: int = 32, height: int = 32) -> Pillow.Image:
    """Random coloured pixels."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Pillow.fromarray(values)


def as_image(image: Pillow.Image) -> Image:
    """A PNG in memory."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return Image.from_bytes(file.getvalue())


def ask(*pieces: str | Pillow.Image, answer: str = "7") -> Problem:
    """A problem whose prompt is these texts and images."""
    prompt = tuple(Text(p) if isinstance(p, str) else as_image(p) for p in pieces)
    return Problem(prompt=prompt, answer=answer, verifier="number", modality="synthetic", domain="tests")


def encode(loaded: LoadedModel, *problems: Problem) -> list[Encoded]:
    """Encoded prompts under the tests' image budget."""
    return Encoder(loaded, BUDGET).encode(problems)


def prompts() -> list[tuple[str | Pillow.Image, ...]]:
    """Prompts with zero to three images of unlike sizes, text before, between and after them."""
    return [
        ("3+4=?",),
        (pixels(1), "How many cards?"),
        ("left", pixels(2, 48, 16), "right", pixels(3, 16, 32), "red?"),
        (pixels(4), pixels(5, 64, 32), "blue", pixels(1)),
        ("What is green and red and blue and left?",),
    ]


def plain_logprobs(
    folder: Path,
    attention: str,
    pieces: tuple[str | Pillow.Image, ...],
    response: tuple[int, ...],
    forbidden: tuple[int, ...],
    temperature: float = 1.0,
) -> list[float]:
    """Log-probabilities of a response by a plain forward pass of transformers, one sequence, nothing shared."""
    model: Any = AutoModelForImageTextToText.from_pretrained(folder, attn_implementation=attention).eval()
    processor: Any = AutoProcessor.from_pretrained(folder)
    content = [{"type": "text", "text": p} if isinstance(p, str) else {"type": "image"} for p in pieces]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    images = [p for p in pieces if not isinstance(p, str)]
    inputs = dict(processor(text=[text], images=images or None, return_tensors="pt"))
    start = inputs["input_ids"].shape[1]
    more = torch.tensor([response])
    inputs["input_ids"] = torch.cat([inputs["input_ids"], more], 1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    if "mm_token_type_ids" in inputs:
        inputs["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], torch.zeros_like(more)], 1)
    with torch.no_grad():
        logits = model(**inputs).logits[0, start - 1 : -1] / temperature
    logits[:, list(forbidden)] = float("-inf")
    return logits.log_softmax(-1).gather(1, more.T)[:, 0].tolist()
