"""Whether a model that nobody prepared is read rightly: packed rows against transformers' own plain forward pass.

Asked once, when the model is loaded: one question of text and one with an image, two random responses each, both behind
a prompt that is read once. A model whose numbers differ is refused with the numbers, and so is one that fails: it would
be trained and sampled wrongly without a sign of it. Windows and chunks are shortened meanwhile, so that they count.
"""

from __future__ import annotations

import inspect
import io
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image as Pillow

from vlrl.data.images.image_budget import ImageBudget
from vlrl.errors import ConfigError, DataError, VlrlError
from vlrl.model.batch.example import Example
from vlrl.model.families.attention_patterns import TWO_WAYS
from vlrl.model.families.family import PAGE, family_of
from vlrl.model.families.generic import GENERIC
from vlrl.model.load import LoadedModel
from vlrl.model.optimization.parameter_groups import part_of
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.forward import PackedForward
from vlrl.types import Image, Problem, Text, content_digest

RESPONSES = (7, 4)  # tokens
WINDOW = 12  # tokens that windows and chunks have in the check
IMAGE = (96, 64)  # pixels
FLOOR = {torch.float32: 2e-5, torch.float16: 0.01, torch.bfloat16: 0.03}  # nats: rounding alone
SHARE = {torch.float32: 0.005, torch.float16: 0.02, torch.bfloat16: 0.05}  # of what a wrong mask changes
_right: set[str] = set()  # models that were found right in this process


def check_reading(loaded: LoadedModel, place: str) -> None:
    """Raises ConfigError at `place` for a model of the generic family that isn't read as transformers reads it."""
    if family_of(loaded.config) is not GENERIC:
        return
    if loaded.shards is not None:
        raise ConfigError(
            place,
            f"{loaded.config.model_type!r} is read in the generic way, which is checked with whole weights",
            f"backend: torch, or a family of its own ({PAGE})",
        )
    digest = content_digest(
        json.dumps(loaded.config.to_dict(), sort_keys=True, default=str)
        + f"{transformers.__version__} {torch.__version__} {loaded.model.dtype} {loaded.device.type}"
    )
    if digest in _right:
        return
    _check_parts(loaded, place)
    try:
        wrong = _differences(loaded, place)
    except VlrlError:
        raise
    except Exception as error:  # whatever an unknown model raises is the answer to the question
        line = " ".join(str(error).split())[:300]
        raise ConfigError(
            place,
            f"{loaded.config.model_type!r} can't be read in the generic way: {type(error).__name__}: {line}",
            _REMEDY,
        ) from error
    if wrong:
        raise ConfigError(
            place,
            f"{loaded.config.model_type!r} can't be read in the generic way: {'; '.join(wrong)}",
            _REMEDY,
        )
    _right.add(digest)


_REMEDY = f"take a model that `vlrl models` lists, or write a family for it ({PAGE})"


def _check_parts(loaded: LoadedModel, place: str) -> None:
    """What is outside of decoder and head must be known as tower or projector, or freezing them would miss it."""
    inside = {id(one) for part in (loaded.model.get_decoder(), loaded.model.lm_head) for one in part.parameters()}
    for name, parameter in loaded.model.named_parameters():
        if id(parameter) not in inside and part_of(name) == "language":
            raise ConfigError(
                place,
                f"{loaded.config.model_type!r}: whether {name} is of the vision tower or of the projector isn't known",
                _REMEDY,
            )


def _differences(loaded: LoadedModel, place: str) -> list[str]:
    """What differs, in words, by kind of prompt. Raises ConfigError at `place` where the image can't be asked."""
    rng = random.Random(0)
    found = []
    with torch.no_grad(), _short_windows(loaded):
        forward = PackedForward(loaded, 2**20, vision_trains=False)
        for kind, problem, images in (("text", *_text()), ("an image", *_image())):
            try:
                (encoded,) = Encoder(loaded, ImageBudget()).encode([problem])
            except DataError as error:
                if not images:
                    continue  # a processor that takes no prompt without an image, as PaliGemma's
                raise ConfigError(
                    place,
                    f"{loaded.config.model_type!r} can't be checked with an image of {IMAGE[0]}×{IMAGE[1]} pixels: "
                    f"{error.problem}",
                    "raise model.context, or take the processor of this model",
                ) from error
            first, second = responses = [_tokens(loaded, rng, length) for length in RESPONSES]
            packed = forward.logprobs([Example(encoded, tuple(responses))], 1.0)[0]
            with _own_attention(loaded.model):
                plain = [_plain(loaded, problem, images, one) for one in responses]
                mixed = _plain(loaded, problem, images, first + second)[len(first) :]
            gap = max(abs(a - b) for x, y in zip(packed, plain, strict=True) for a, b in zip(x, y, strict=True))
            signal = max(abs(a - b) for a, b in zip(plain[1], mixed, strict=True))
            dtype = loaded.model.dtype
            if not gap <= max(FLOOR[dtype], SHARE[dtype] * signal):
                found.append(
                    f"with {kind}, log-probabilities of packed rows are off by up to {gap:.2g} nats from the plain "
                    f"forward pass"
                )
    return found


def _text() -> tuple[Problem, list[Any]]:
    question = (
        "Seven red cards lie left of nine blue ones. How many cards are there, and which are more? Give a number."
    )
    return _problem((Text(question),)), []


def _image() -> tuple[Problem, list[Any]]:
    values = np.random.default_rng(0).integers(0, 256, (IMAGE[1], IMAGE[0], 3), dtype=np.uint8)
    image, file = Pillow.fromarray(values), io.BytesIO()
    image.save(file, "PNG")
    return _problem((Image.from_bytes(file.getvalue()), Text("How many cards are on the left?"))), [image]


def _problem(prompt: tuple[Any, ...]) -> Problem:
    return Problem(prompt=prompt, answer="7", verifier="number", modality="synthetic", domain="check")


def _tokens(loaded: LoadedModel, rng: random.Random, length: int) -> tuple[int, ...]:
    special = {*loaded.placeholder_ids, *loaded.stop_ids, *loaded.tokenizer.all_special_ids}
    usual = sorted(set(loaded.tokenizer.get_vocab().values()) - special)
    return tuple(rng.choice(usual) for _ in range(length))


def _plain(loaded: LoadedModel, problem: Problem, images: list[Any], response: tuple[int, ...]) -> list[float]:
    """Log-probabilities of one response by the model's own forward pass over the processor's output, nothing shared."""
    content = [{"type": "text", "text": p.text} if isinstance(p, Text) else {"type": "image"} for p in problem.prompt]
    text = loaded.processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    more = {"images": [images]} if images else {}
    given = dict(loaded.processor(text=[text], add_special_tokens=False, return_tensors="pt", **more))
    inputs = plain_inputs(loaded.model, given, response)
    logits = loaded.model(**inputs).logits[0, -len(response) - 1 : -1].float()
    logits[:, list(loaded.placeholder_ids)] = float("-inf")
    wanted = torch.tensor([response], device=logits.device)
    found: list[float] = logits.log_softmax(-1).gather(1, wanted.T)[:, 0].tolist()
    return found


def plain_inputs(model: Any, given: dict[str, Any], response: tuple[int, ...]) -> dict[str, Any]:
    """A processor's output for one prompt with a response behind it, as the model's forward pass takes it.

    What has a number for every token of the prompt goes on with that of text; where a prompt reads itself in both
    directions, with that of what follows it.
    """
    device, width = model.device, given["input_ids"].shape[1]
    core = set(inspect.signature(model.model.forward).parameters) | set(inspect.signature(model.forward).parameters)
    rule = TWO_WAYS.get(model.config.model_type)
    following = {
        "input_ids": response,
        "attention_mask": 1,
        "token_type_ids": int(rule is not None and rule.what == "prompt"),
    }
    inputs = {}
    for name, value in given.items():
        if name not in core or name == "labels" or not isinstance(value, torch.Tensor):
            continue
        if name in ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids"):
            assert value.shape == (1, width)
            more = torch.zeros(1, len(response), dtype=value.dtype) + torch.tensor(
                following.get(name, 0), dtype=value.dtype
            )
            value = torch.cat([value, more], 1)
        inputs[name] = value.to(device=device, dtype=model.dtype if value.is_floating_point() else value.dtype)
    return inputs


@contextmanager
def _own_attention(model: Any) -> Iterator[None]:
    """Within the block the decoder attends by the function of its own file."""
    decoder = model.get_decoder()
    before = decoder.config._attn_implementation
    decoder.set_attn_implementation("eager")
    try:
        yield
    finally:
        decoder.set_attn_implementation(before)


@contextmanager
def _short_windows(loaded: LoadedModel) -> Iterator[None]:
    """Within the block windows and chunks of the decoder are shorter than the check's prompts."""
    text = loaded.config.get_text_config()
    names = [name for name in ("sliding_window", "attention_chunk_size") if isinstance(getattr(text, name, None), int)]
    before = {name: getattr(text, name) for name in names}
    for name in names:
        setattr(text, name, min(before[name], WINDOW))
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(text, name, value)
