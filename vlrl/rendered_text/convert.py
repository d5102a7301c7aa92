"""A text problem becomes its rendered twin: the same question as an image, the same answer (k1.5 §2.3.5)."""

from __future__ import annotations

import dataclasses
import io

import numpy as np

from vlrl.errors import DataError
from vlrl.rendered_text.distortion import Distortion
from vlrl.rendered_text.rendered_parts import Part, split_text
from vlrl.rendered_text.styles.style_registry import Style
from vlrl.rendered_text.undrawable import UndrawableError
from vlrl.types import Image, Problem, Text


def rendered_twin(
    problem: Problem,
    style: Style,
    rng: np.random.Generator,
    source: str = "",
    instruction: str = "",
    distortion: Distortion | None = None,
    tags: tuple[str, ...] = (),
    part: Part = "all",
) -> Problem:
    """The problem with its text drawn as an image; answer, verifier, metadata, domain and difficulty stay.

    `part` says which part of the text is drawn (`parts.split_text`), the rest is typed where it stands in the text.
    `twin` is the id of the text problem, `instruction` is typed after all of it. Raises DataError if the problem isn't
    text alone, and UndrawableError, which names the problem, if the text can't be drawn or has no such part.
    """
    if problem.modality != "text" or problem.images:
        raise DataError(
            f"problem {problem.id}", f"has modality {problem.modality!r}", "only problems of text alone are rendered"
        )
    prompt: list[Text | Image] = []
    try:
        for drawn, text in split_text(problem.question, part):
            prompt.append(_drawn(text, style, rng, distortion) if drawn else Text(text))
    except UndrawableError as error:
        place = f"source {source!r}, problem {problem.id} ({problem.question[:40]!r}), {error.place}"
        raise UndrawableError(place, error.problem, error.remedy) from error
    if instruction:
        prompt.append(Text(instruction))
    return dataclasses.replace(
        problem,
        prompt=tuple(prompt),
        modality="rendered",
        source=source,
        tags=tags,
        twin=problem.id,
    )


def _drawn(text: str, style: Style, rng: np.random.Generator, distortion: Distortion | None) -> Image:
    """The text as an encoded image that knows what it says."""
    image = style.draw(text, rng)
    if distortion is not None:
        image = distortion.apply(image, rng)
    encoded = io.BytesIO()
    image.save(encoded, format="PNG", compress_level=1)
    return dataclasses.replace(Image.from_bytes(encoded.getvalue()), source_text=text)
