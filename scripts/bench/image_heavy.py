"""The image-heavy setting of the benchmarks: a random Qwen3-VL shape of 10 M parameters, 576 image tokens a prompt.

Nothing here is learned; only the amount of work matters. Everything comes from fixed seeds.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image as PillowImage
from transformers import AutoModelForImageTextToText

from vlrl.data.images.image_budget import ImageBudget
from vlrl.model.families.tiny_parts import TinyShape
from vlrl.model.load import LoadedModel, ModelSettings, load_folder
from vlrl.model.prompts.encode import Encoder
from vlrl.model.tiny import build_tiny
from vlrl.types import Image, Problem, Text

SIDE_PIXELS = 384  # patch 8, merge 2: (384 / 16)² = 576 image tokens, 2304 patches
SMOKE_SIDE_PIXELS = 48
SHAPE = TinyShape(
    text_width=384,
    text_layers=4,
    head_size=64,
    key_value_heads=2,
    mlp_width=1280,
    vision_width=192,
    vision_layers=2,
    vision_heads=3,
    context=2048,
)
SMOKE_SHAPE = TinyShape()
QUESTION = "How many of the small squares are darker than their neighbours on all four sides? Answer with a number."
PROBLEMS = 4
K = 8

# Response lengths in tokens of 4 problems × 8 responses, drawn once from a long-tailed distribution and fixed since:
# mean 64, longest 160 (mean : max = 1 : 2.5), the longest spread over the problems as a real batch has them.
LENGTHS = (
    (22, 35, 44, 50, 61, 74, 98, 152),
    (18, 31, 40, 52, 58, 70, 91, 160),
    (26, 33, 47, 49, 63, 77, 84, 121),
    (20, 37, 42, 55, 57, 68, 89, 124),
)


@dataclass(frozen=True)
class Setting:
    """What both sides of a comparison start from.

    loaded  the model as vlrl loads it, but for two things: responses end at their budget only, because end tokens can't
            be sampled, and no features are kept between calls, so that repeated calls look at their images again
    plain   the same weights as transformers loads them
    folder  where both came from
    """

    loaded: LoadedModel
    plain: torch.nn.Module
    folder: Path
    encoder: Encoder
    suppressed: tuple[int, ...]  # placeholders and end tokens: never sampled on either side


def build(folder: Path, smoke: bool = False, shape: TinyShape = SHAPE, architecture: str = "tiny-qwen3-vl") -> Setting:
    """Write the model to `folder` and load it twice. With `smoke` it is the quickstart's size and 48 px images."""
    transformers.utils.logging.disable_progress_bar()
    build_tiny(architecture, [QUESTION] * 50, folder, seed=1, shape=SMOKE_SHAPE if smoke else shape)
    loaded = load_folder(str(folder), ModelSettings(path=str(folder)))
    _spread_logits(loaded.model)
    loaded.model.save_pretrained(folder)
    plain = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    side = side_pixels(smoke)
    encoder = Encoder(loaded, ImageBudget(min_pixels=side * side, max_pixels=side * side))
    suppressed = tuple(sorted({*loaded.placeholder_ids, *loaded.stop_ids}))
    forced = replace(loaded, placeholder_ids=suppressed, stop_ids=(), store=None)
    return Setting(forced, plain.to(loaded.device), folder, encoder, suppressed)


def _spread_logits(model: torch.nn.Module) -> None:
    """Random weights of standard deviation 0.02 give near-uniform tokens; three times that gives peaked ones."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                parameter.mul_(3.0)


def side_pixels(smoke: bool) -> int:
    """Side of the square images."""
    return SMOKE_SIDE_PIXELS if smoke else SIDE_PIXELS


def image(number: int, side: int) -> PillowImage.Image:
    """One image of smooth random patches."""
    coarse = np.random.default_rng(number).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return PillowImage.fromarray(coarse).resize((side, side), PillowImage.Resampling.BICUBIC)


def image_problem(number: int, side: int, more_words: int = 0) -> Problem:
    """One image and a question of about 30 tokens; each further word is one more."""
    held = io.BytesIO()
    image(number, side).save(held, "PNG")
    text = Text(QUESTION + " squares" * more_words)
    return Problem((Image.from_bytes(held.getvalue()), text), "3", "number", "real", "benchmark")


def text_problem(number: int) -> Problem:
    """The question without an image."""
    return Problem((Text(f"{number}. {QUESTION}"),), "3", "number", "text", "benchmark")
