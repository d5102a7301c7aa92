"""How golds are judged: the verifier that reads nearly all of them, or a question to the user."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vlrl.commands.starting.columns import MOST, SHORT_WORDS, unclear
from vlrl.data.choices.option_forms import options_in
from vlrl.data.choices.options import Options
from vlrl.data.inspection.gold_checks import gold_faults
from vlrl.data.rows.gold_columns import unwrapped
from vlrl.types import Problem, Text

NEARLY = 0.9  # share of the golds that the chosen verifier reads; the others are named
_FORMULA = re.compile(r"[\\^=√π]|\d[a-z]\b|\b[a-z]\s*[+*/-]\s*\d|[a-z]\(")
_LETTER = re.compile(r"\(?[A-Ja-j]\)?\.?")


@dataclass(frozen=True)
class AskedGold:
    """One row's gold as given, its options, and its question."""

    gold: Any
    options: Options
    question: str


def verifier_for(golds: Sequence[AskedGold], reasons: list[str]) -> str:
    """The verifier of all rows. Raises ConfigError with the question that the golds leave open."""
    count = len(golds)
    with_options = sum(bool(one.options) for one in golds)
    if with_options >= MOST * count:
        reasons.append("rows have options: choice")
        return "choice"
    if with_options > (1 - MOST) * count:
        raise unclear(
            "answers",
            f"{with_options} of {count} rows have options, the others have none",
            "--verifier choice|text|math, or a file for each kind",
        )
    listed = [one.gold for one in golds if isinstance(one.gold, list | tuple) and len(one.gold) > 1]
    if len(listed) > (1 - MOST) * count:
        raise unclear(
            "answers",
            f"{len(listed)} of {count} golds are lists, e.g. {listed[0]!r}",
            "--verifier list where all items belong to the answer, box or point for coordinates, text where any of "
            "them is right",
        )
    texts = [unwrapped(str(one.gold[0] if isinstance(one.gold, list | tuple) else one.gold)) for one in golds]
    if _letters_of_listed_options(texts, golds):
        reasons.append("answers are letters of options in the questions: choice")
        return "choice"
    return _by_texts(texts, reasons)


def _by_texts(texts: Sequence[str], reasons: list[str]) -> str:
    count = len(texts)
    counts = Counter(_kind(text, number) for text, number in zip(texts, _read(texts, "number"), strict=True))
    shown = ", ".join(
        f"{n} {kind}, e.g. {next(t for t in texts if _kind_of(t) == kind)!r}" for kind, n in counts.items()
    )
    if counts["numbers"] >= NEARLY * count:
        reasons.append(f"answers are numbers ({counts['numbers']} of {count}): number")
        return "number"
    if sum(_read(texts, "time")) >= NEARLY * count:
        reasons.append("answers are clock times: time")
        return "time"
    if counts["formulas"] and counts["numbers"] + counts["formulas"] >= NEARLY * count:
        reasons.append(f"answers are numbers and formulas ({shown}): math")
        return "math"
    if counts["words"] >= NEARLY * count:
        reasons.append(f"answers are a few words ({counts['words']} of {count}): text")
        return "text"
    if counts["sentences"] > (1 - NEARLY) * count:
        raise unclear("answers", f"{shown}; no verifier compares sentences by their meaning",
                      "--verifier text|anls|edit for their characters, or model_judge")  # fmt: skip
    raise unclear("answers", f"are of several kinds: {shown}", "--verifier math|text, or a file for each kind")


def _kind_of(text: str) -> str:
    return _kind(text, _read([text], "number")[0])


def _kind(text: str, is_number: bool) -> str:
    if is_number:
        return "numbers"
    if _FORMULA.search(text) and len(text.split()) <= 3 * SHORT_WORDS:
        return "formulas"
    return "words" if len(text.split()) <= SHORT_WORDS else "sentences"


def _read(texts: Sequence[str], verifier: str) -> list[bool]:
    asked = [Problem((Text("?"),), text, verifier, "text", "init") for text in texts]
    return [fault is None for fault in gold_faults(asked)]


def _letters_of_listed_options(texts: Sequence[str], golds: Sequence[AskedGold]) -> bool:
    letters = sum(_LETTER.fullmatch(text.strip()) is not None for text in texts)
    if letters < MOST * len(texts):
        return False
    return sum(bool(options_in(one.question)) for one in golds) >= MOST * len(golds)
