"""What a generated domain is: one file, one frozen dataclass, one `draw`. Endless problems from a seed.

    @domain("clock", family="gauges")
    @dataclass(frozen=True)
    class Clock:
        '''Reading an analogue clock.'''
        size: int = 224  # pixels, square

        def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
            '''One clock. Difficulty 0: full hours; 1: any minute.'''
            ...
        verifier = "time"        # or a method: verify(problem, response) -> Verdict
        one_answer = "the hands fix the time"  # or a method: answers(scene), all answers that `Draft.scene` admits

A domain that reads a finite pool of images has a field `split: Literal["train", "held_out"] = "train"`; sources set
it, so that held-out problems never show a training image.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np

from vlrl.errors import ConfigError
from vlrl.registry import Registry
from vlrl.scenes.png import png_bytes
from vlrl.types import Demonstration, Draft, Image, Modality, Problem, Text

D = TypeVar("D", bound=type)


class Domain(Protocol):
    """The part of a domain that the rest of the house sees; the decorator sets `name`, `family` and `modality`."""

    name: str
    family: str
    modality: Modality
    verifier: str

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One problem from this generator; `difficulty` in [0, 1]."""
        ...


domains: Registry[type] = Registry("domain")


def domain(name: str, family: str, modality: Modality = "synthetic") -> Callable[[D], D]:
    """Decorator that files a domain class under `name`. Raises ConfigError for a class that is none."""

    def file(cls: D) -> D:
        if not dataclasses.is_dataclass(cls):
            raise ConfigError(f"domain {name!r}", "is no dataclass", "write @dataclass(frozen=True) below @domain(…)")
        cls.name, cls.family, cls.modality = name, family, modality  # type: ignore[attr-defined]
        if not hasattr(cls, "verify") and not hasattr(cls, "verifier"):
            raise ConfigError(f"domain {name!r}", "says no verifier", "give it `verifier = …` or a method `verify`")
        if not hasattr(cls, "verifier"):
            cls.verifier = name  # type: ignore[attr-defined]  # a recipe files the method under the domain's name
        domains.register(name)(cls)
        return cls

    return file


def encode_png(image: Any) -> bytes:
    """A Pillow image as PNG bytes: RGB, no metadata, the same bytes for the same pixels."""
    return png_bytes(np.asarray(image.convert("RGB")))


def draw_problem(
    made_by: Domain, rng: np.random.Generator, difficulty: float, source: str = "", tags: tuple[str, ...] = ()
) -> tuple[Problem, Demonstration]:
    """One draft as a problem, and the short worked response that the domain knows for it."""
    draft = made_by.draw(rng, difficulty)
    images = [Image.from_bytes(encode_png(image)) for image in draft.images]
    if draft.layout:
        prompt = tuple(images[piece] if isinstance(piece, int) else Text(piece) for piece in draft.layout)
    else:
        prompt = (*images, Text(draft.question))
    metadata = dict(draft.metadata)
    if draft.guess_rate is not None:
        metadata["guess_rate"] = draft.guess_rate
    problem = Problem(
        prompt=prompt,
        answer=draft.answer,
        verifier=made_by.verifier,
        modality=made_by.modality,
        domain=made_by.name,
        source=source,
        difficulty=round(float(difficulty), 4),
        metadata=metadata,
        tags=(*tags, *draft.tags),
    )
    response = worked_response(draft.thought, draft.answer) if draft.response is None else draft.response
    return problem, Demonstration(problem, response, draft.turns)


def worked_response(thought: str, answer: str) -> str:
    """The response format that warm-up demonstrations teach and the extractor reads."""
    return f"<think>{thought}</think><answer>{answer}</answer>"


def with_split(made_by: Any, split: str) -> Any:
    """The same domain on the given split of its image pool, where it has one."""
    if any(f.name == "split" for f in dataclasses.fields(made_by)):
        return dataclasses.replace(made_by, split=split)
    return made_by
