"""What is asked: problems, what they are made of and drawn from, and what else is known of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

Modality = Literal["text", "real", "synthetic", "rendered"]
MODALITIES: tuple[Modality, ...] = ("text", "real", "synthetic", "rendered")


def content_digest(*parts: bytes | memoryview | str) -> str:
    """A 32-character hexadecimal digest of the parts; where one part ends and the next begins matters."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


@dataclass(frozen=True)
class Text:
    """A piece of a prompt that is read as text."""

    text: str


@dataclass(frozen=True)
class Image:
    """A *reference* to an image in a prompt: encoded bytes (PNG, JPEG, …) or a file, never decoded pixels.

    `vlrl.data.images.open_images.open_image` decodes it. Raises ValueError unless exactly one of `data` and `path` is
    set.

    digest       identifies the encoded bytes; two references with one digest are one image and are encoded once
    path, data   where the bytes are: a file, or memory
    second       when it is seen in the video that it is a frame of; None: of no video
    source_text  the text that a rendered image was drawn from, for comparing problems, never for a prompt; else None
    """

    digest: str
    path: str | None = None
    data: bytes | None = field(default=None, repr=False, compare=False)
    source_text: str | None = field(default=None, repr=False, compare=False)
    second: float | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if (self.path is None) == (self.data is None):
            raise ValueError(f"Image {self.digest}: give either path or data, not both and not neither")

    @classmethod
    def from_bytes(cls, data: bytes) -> Image:
        """A reference to an encoded image held in memory."""
        return cls(digest=content_digest(data), data=data)

    @classmethod
    def from_file(cls, path: str) -> Image:
        """A reference to an image file. The file is read once for its digest. Raises OSError if it can't be read."""
        with open(path, "rb") as file:
            return cls(digest=content_digest(file.read()), path=path)

    def read_bytes(self) -> bytes:
        """The encoded bytes. Raises OSError if the file is gone."""
        if self.data is not None:
            return self.data
        assert self.path is not None
        with open(self.path, "rb") as file:
            return file.read()


@dataclass(frozen=True)
class Problem:
    """One question with a checkable answer.

    prompt      pieces in reading order, e.g. (Image(…), Text("How many cards?"))
    answer      the gold answer, as text
    verifier    name of the verifier that judges a response, e.g. "number"
    modality    where the question's content comes from
    domain      e.g. "clock", "arithmetic", "gsm8k"
    source      name of the recipe's source that made it
    difficulty  a label in [0, 1] where there is one
    metadata    what the verifier and the reports need besides: choices, tolerance, unit, precision, scene …
    twin        id of the text problem that a rendered one was made from
    system      the system prompt that it is asked with; None: the run's own, "": none
    untemplated_id  id of the same problem without its source's prompt template and system prompt, where it has any
    """

    prompt: tuple[Text | Image, ...]
    answer: str
    verifier: str
    modality: Modality
    domain: str
    source: str = ""
    difficulty: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    twin: str | None = None
    system: str | None = None
    untemplated_id: str | None = None

    @cached_property
    def id(self) -> str:
        """Content digest of what is asked and what is right: prompt, answer, verifier, metadata, own system prompt."""
        pieces = [f"T:{p.text}" if isinstance(p, Text) else f"I:{p.digest}" for p in self.prompt]
        metadata = json.dumps(dict(self.metadata), sort_keys=True, default=str)
        system = [] if self.system is None else [f"S:{self.system}"]
        return content_digest(*system, *pieces, self.answer, self.verifier, metadata)

    @property
    def content_id(self) -> str:
        """The id without prompt template and system prompt, so that held-out problems are known in any wording."""
        return self.untemplated_id or self.id

    @property
    def images(self) -> tuple[Image, ...]:
        """The images of the prompt in reading order."""
        return tuple(p for p in self.prompt if isinstance(p, Image))

    @property
    def question(self) -> str:
        """The prompt as one text; every image appears as `<image>`."""
        return "".join(p.text if isinstance(p, Text) else "<image>" for p in self.prompt)


@dataclass(frozen=True)
class Demonstration:
    """A problem and one whole response to it, for supervised fine-tuning.

    turns  what the policy writes in the turns before the response, each with calls that the environment answers
    """

    problem: Problem
    response: str
    turns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preference:
    """A problem with a better and a worse response, for preference learning (DPO).

    chosen_ended, rejected_ended  whether the response ended by itself: one that was cut or looped has no end token
    """

    problem: Problem
    chosen: str
    rejected: str
    chosen_ended: bool = True
    rejected_ended: bool = True


@dataclass(frozen=True)
class Draft:
    """What a generated domain draws: a problem before it has a source, a digest and a place in a recipe.

    images   Pillow images in reading order (empty for text domains); they come before the question unless `layout`
             places them: a tuple of texts and image indices in reading order
    thought  a short chain of thought that leads to the answer, for warm-up demonstrations (k1.5 §2.2); may be empty
    metadata  what the verifier needs: choices, tolerance, …
    guess_rate  probability that a blind guess is right, where the domain knows it (choices); else None
    tags     labels of this draft alone, e.g. the kind of question, for mixtures with caps and for reports
    scene    the drawn content as data, in which the domain's `answers` finds every answer that the question admits;
             never part of a problem
    response  the whole worked response, where the answer is no text that a response could give: tests of a program, the
             target of a drawing; default: made of `thought` and `answer`
    turns    for demonstrations: turns before the response, whose calls of tools an environment answers
    """

    question: str
    answer: str
    images: tuple[Any, ...] = ()
    thought: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    layout: tuple[str | int, ...] = ()
    guess_rate: float | None = None
    tags: tuple[str, ...] = ()
    scene: Any = None
    response: str | None = None
    turns: tuple[str, ...] = ()
