"""MathVista's published rules (lupantech/MathVista, extract_answer.py and calculate_score.py): official mode.

Luck included: a multiple-choice answer that is no choice becomes the *nearest* choice, so that even an empty answer can
be right. A reward must not follow that: `vlrl.verify.official.benchmark_rewards`.

Metadata of a problem: `question_type` multi_choice | free_form; `answer_type` text | integer | float | list; `choices`;
`precision` (decimals of a float answer). The gold answer of a multiple-choice problem is the choice's text.
"""

from __future__ import annotations

import re
from typing import Any, Literal, get_args

from vlrl.verify.values.edit_distance import edit_distance

IntegerRule = Literal["int", "int-float"]
INTEGER_RULES: tuple[IntegerRule, ...] = get_args(IntegerRule)

_MAX_CHARS = 4_000  # ours: of a longer text the beginning decides which choice is nearest
_LETTER = re.compile(r"\(([a-zA-Z])\)")
_QUICK = re.compile(r'The answer is "(.*)"\.')


def quick_extraction(
    response: str, choices: list[str] | None, question_type: str, answer_type: str, quick: bool = False
) -> str | None:
    """Stage 1 as far as it goes by rule; None where the published script asks a language model.

    quick   the script's `quick_extract`, off by default: the first `The answer is "…".` counts
    """
    if response == "":
        return ""
    if question_type == "multi_choice" and response in (choices or ()):
        return response
    if answer_type == "integer" and (integer := _number(int, response)) is not None:
        return str(integer)
    if answer_type == "float" and (decimal := _number(float, response)) is not None:
        return str(decimal)
    if quick and (match := _QUICK.search(response)):
        return match[1]
    return None


def prediction(
    extraction: Any,
    choices: list[str] | None,
    question_type: str,
    answer_type: str,
    precision: int | None,
    integer_rule: IntegerRule = "int",
    ignore_empty: bool = False,
) -> str | None:
    """Stage 2: what the extraction counts as, comparable with the gold answer; None: no prediction.

    extraction     as it stands in the file, usually a string
    integer_rule   "int" made the published outputs ("3.9" is no prediction); "int-float" is in the script today
                   ("3.9" becomes "3")
    ignore_empty   the script's `ignore_empty_extractions`, off by default: an empty answer gets no nearest choice
    """
    if question_type == "multi_choice":
        text = str(extraction).strip()
        if not choices or (ignore_empty and not text):
            return None
        if letter := _LETTER.search(text):
            text = letter[1].upper()
        position = ord(text) - ord("A") if len(text) == 1 else -1
        return choices[position] if 0 <= position < len(choices) else nearest_choice(text, choices)
    if answer_type == "integer":
        value = _number(float, extraction) if integer_rule == "int-float" else extraction
        integer = _number(int, value)
        return None if integer is None else str(integer)
    if answer_type == "float":
        decimal = _number(float, extraction)
        return None if decimal is None else str(round(decimal, precision))
    return str(extraction)


def nearest_choice(text: str, choices: list[str]) -> str:
    """The choice with the smallest edit distance to the text; the first of equals. Case matters."""
    return min(choices, key=lambda choice: edit_distance(text[:_MAX_CHARS], choice))


def _number(kind: type[int] | type[float], value: Any) -> Any:
    """`int(value)` or `float(value)` as the script writes them, None where they fail; they read text, never run it."""
    try:
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        return None
