"""How a problem is asked: with a template around it, or without its images."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from pydantic import field_validator

from vlrl.data.rows.prompt_template import check_prompt_template
from vlrl.data.rows.prompt_template import wrapped as wrapped
from vlrl.types import Image, Problem, Text

_IMAGE_WORD = re.compile(r"<image(?:[ _]?\d+)?>")


def check_template(name: str) -> Any:
    """A pydantic validator: the field `name` holds {question} once."""

    return field_validator(name)(check_prompt_template)


def without_images(problem: Problem) -> Problem | None:
    """The problem with its images removed, also where the text names them; None if nothing is left to ask."""
    texts = [piece.text for piece in problem.prompt if not isinstance(piece, Image)]
    text = _IMAGE_WORD.sub("", "".join(texts)).strip()
    return replace(problem, prompt=(Text(text),)) if text else None
