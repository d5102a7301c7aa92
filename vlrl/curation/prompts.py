"""How a problem is asked: with a template around it, or without its pictures."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from pydantic import field_validator

from vlrl.types import Image, Problem, Text

_PICTURE_WORD = re.compile(r"<image(?:[ _]?\d+)?>")


def check_template(name: str) -> Any:
    """A pydantic validator: the field `name` holds {question} once."""

    def check(template: str) -> str:
        if template.count("{question}") != 1:
            raise ValueError("a template holds {question} once")
        return template

    return field_validator(name)(check)


def wrapped(problem: Problem, template: str) -> Problem:
    """The problem with the template's text before and after its prompt."""
    before, _, after = template.partition("{question}")
    pieces = [*([Text(before)] if before else []), *problem.prompt, *([Text(after)] if after else [])]
    return replace(problem, prompt=tuple(pieces))


def without_pictures(problem: Problem) -> Problem | None:
    """The problem with its pictures removed, also where the text names them; None if nothing is left to ask."""
    texts = [piece.text for piece in problem.prompt if not isinstance(piece, Image)]
    text = _PICTURE_WORD.sub("", "".join(texts)).strip()
    return replace(problem, prompt=(Text(text),)) if text else None
