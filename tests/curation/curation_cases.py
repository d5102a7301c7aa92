"""Problems and a scripted model for the tests of curation."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from vlrl.curation.answer_journal import Journal
from vlrl.curation.model_answers import EngineAsk
from vlrl.rollout.engine import Request
from vlrl.rollout.scripted_engine import ScriptedEngine
from vlrl.types import Image, Problem, Rollout, Text


class Letters:
    """A tokenizer of one token a character."""

    eos_token_id = 0

    def __call__(self, text: str, add_special_tokens: bool = False) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) for letter in text]}

    def decode(self, ids: Sequence[int], clean_up_tokenization_spaces: bool = False) -> str:
        return "".join(map(chr, ids))


class Plain:
    """What the scripted engine reads of an encoded prompt."""

    def __init__(self, problem: Problem) -> None:
        self.problem_id, self.content_hash, self.problem = problem.id, problem.id, problem

    def hash_again(self) -> str:
        return self.problem.id


def encode(problems: Sequence[Problem]) -> list[Any]:
    return [Plain(problem) for problem in problems]


class Counting:
    """A scripted engine that keeps what it was asked. `script` gives the responses to a problem as it is asked."""

    def __init__(self, script: Callable[[Problem], Sequence[str]]) -> None:
        self._script = script
        self.requests: list[Request] = []

    def generate(self, requests: Sequence[Request]) -> list[tuple[Rollout, ...]]:
        self.requests += requests
        by_id = {request.encoded.problem_id: request.encoded.problem for request in requests}
        return ScriptedEngine(lambda name: self._script(by_id[name]), Letters()).generate(requests)


def asking(script: Callable[[Problem], Sequence[str]], folder: Path, **options: Any) -> tuple[EngineAsk, Counting]:
    """An `Ask` over a scripted engine, with its journal in `folder`."""
    engine = Counting(script)
    options = {"model_hash": "m", "seed": 0, "batch": 4, **options}
    return EngineAsk(encode, engine, Journal(folder / "answers.jsonl"), **options), engine  # type: ignore[arg-type]


def ask_text(text: str, answer: str = "7", verifier: str = "number", **fields: Any) -> Problem:
    """A problem without images."""
    fields = {"modality": "text", "domain": "tests", "source": "tests", **fields}
    return Problem((Text(text),), answer, verifier, **fields)


def drawn_image(seed: int, width: int = 96, height: int = 64) -> Pillow.Image:
    """A smooth image with blots of colour."""
    rng = np.random.default_rng(seed)
    small = Pillow.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return small.resize((width, height), Pillow.Resampling.BICUBIC)


def encoded(opened: Pillow.Image, form: str = "PNG", **options: Any) -> Image:
    file = io.BytesIO()
    opened.save(file, form, **options)
    return Image.from_bytes(file.getvalue())


def ask_image(image: Image, text: str = "How many?", answer: str = "7", **fields: Any) -> Problem:
    """A problem with one image."""
    fields = {"modality": "real", "domain": "tests", "source": "tests", "verifier": "number", **fields}
    return Problem((image, Text(text)), answer, **fields)
