"""Which of a question's options the gold is.

A gold is an option's letter (or own label), its text, or both ("B. blue"). Where a letter is also another option's
text, or a bare number may be an index, the row doesn't say which is meant: `choice_answers` in the source does, or the
row is refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from vlrl.data.choices.option_labels import label_of
from vlrl.data.choices.options import Options
from vlrl.data.rows.placeholders import LETTERS
from vlrl.data.tables.cell_text import shortened, written
from vlrl.errors import BadRowError

Meaning = Literal["letter", "text", "index", "number"]

_GOLD_LETTER = re.compile(
    r"(?:(?:the\s+)?(?:correct\s+)?(?:option|choice|answer)(?:\s+is)?:?\s*)?[(\[]?([A-Za-z])[)\]]?[.:)]?", re.IGNORECASE
)

_GOLD_BOTH = re.compile(r"[(\[]?([A-Z])(?:[)\]][.:]?|[.:)])\s*(\S.*)", re.DOTALL)


def gold_of(given: Any, options: Options, meaning: Meaning | None, place: str) -> str:
    """The gold as a verifier of choices takes it: a letter where that is what the row says, else the option's text.

    Raises BadRowError where it is none of the options, several of them, or where the row doesn't say which.
    """
    text = written(given, place)
    if not options:
        return text
    text = text.strip()
    places = _Places.of(text, options)
    if meaning in (None, "letter") and (other := _labelled_otherwise(text, options)):
        raise BadRowError(
            place,
            f"the gold {text!r} may be the option {shortened(other)!r} or the one at its place among "
            f"{shortened(list(options.texts))}",
            "take the labels off the options, or label them A, B, C … from the first on",
        )
    if meaning in ("index", "number"):
        index = _index(text, len(options.texts), 0 if meaning == "index" else 1)
    elif meaning is not None:
        index = places.by_letter if meaning == "letter" else places.by_text
    else:
        index = _decided(given, text, places, options, place)
    if index is None:
        what = f", read as {meaning}," if meaning else ""
        raise BadRowError(
            place,
            f"the gold {shortened(text)!r}{what} is none of the options {shortened(list(options.texts))}",
            "mend the row; `choice_answers` says how golds are written: letter, text, index (from 0), number (from 1)",
        )
    same = [LETTERS[i] for i, option in enumerate(options.texts) if option.split() == options.texts[index].split()]
    if len(same) > 1:
        raise BadRowError(
            place,
            f"the options {' and '.join(same)}, one of them the gold, are the same: {shortened(options.texts[index])}",
            "mend the options",
        )
    letters = {letter.upper() for option in options.texts if (letter := option.strip("()[]. ")).isalpha()}
    if letters & set(LETTERS[: len(options.texts)]):
        return f"({LETTERS[index]})"  # among options that are letters themselves only this is beyond doubt
    return options.texts[index] if places.by_text == index and places.by_letter != index else LETTERS[index]


@dataclass(frozen=True)
class _Places:
    """Which option a text is by its letter or label, and by its own text."""

    by_letter: int | None
    by_text: int | None

    @classmethod
    def of(cls, text: str, options: Options) -> _Places:
        texts = [_plain(option) for option in options.texts]
        labels = [label.lower() for label in options.labels]
        by_letter = labels.index(text.lower()) if text.lower() in labels else None
        if by_letter is None and (match := _GOLD_LETTER.fullmatch(text)):
            wanted = match[1].lower()
            named = labels if labels and labels[0].isalpha() else list(LETTERS[: len(texts)].lower())
            by_letter = named.index(wanted) if wanted in named else None
        by_text = next((i for i, option in enumerate(options.texts) if option.strip() == text), None)
        if by_text is None:
            by_text = texts.index(_plain(text)) if _plain(text) in texts else None
        return cls(by_letter, by_text)


def _decided(given: Any, text: str, places: _Places, options: Options, place: str) -> int | None:
    """The option that a gold must mean; None where it is none. Raises BadRowError where it may be two."""
    by_letter, by_text = places.by_letter, places.by_text
    remedy = "say `choice_answers: letter`, `text`, `index` (from 0) or `number` (from 1) in the source"
    if by_letter is not None and by_text is not None and by_letter != by_text:
        if _plain(options.texts[by_letter]) == _plain(options.texts[by_text]):
            return by_text
        raise BadRowError(
            place,
            f"the gold {text!r} is the label of {options.texts[by_letter]!r} and the text of option "
            f"{LETTERS[by_text]}: the row doesn't say which",
            remedy,
        )
    is_number = isinstance(given, int) and not isinstance(given, bool)
    is_text = by_text is not None and (options.numbers or not is_number)
    if (is_number or text.isdigit()) and by_letter is None and not is_text:
        meant = {_index(text, len(options.texts), base) for base in (0, 1)} - {None}
        if by_text is not None and meant <= {by_text}:
            return by_text
        if meant:
            of_text = "" if by_text is None else f", or the text of option {LETTERS[by_text]}"
            raise BadRowError(
                place,
                f"the gold {text!r} may be an index from 0 or a number from 1{of_text}: the row doesn't say",
                remedy,
            )
    if by_letter is not None or by_text is not None:
        return by_letter if by_letter is not None else by_text
    if both := _GOLD_BOTH.fullmatch(text):
        index = LETTERS.index(both[1])
        if index < len(options.texts) and _plain(options.texts[index]) == _plain(both[2]):
            return index
    return None


def _labelled_otherwise(text: str, options: Options) -> str | None:
    """The option that a letter names by a label within its text, where all texts have one and it isn't at its place."""
    match, labels = _GOLD_LETTER.fullmatch(text), [label_of(option) for option in options.texts]
    own = [label["label"].upper() for label in labels if label]
    if match is None or options.labels or len(own) < len(labels) or own.count(match[1].upper()) != 1:
        return None
    at = own.index(match[1].upper())
    return None if LETTERS[at] == match[1].upper() else options.texts[at]


def _index(text: str, count: int, base: int) -> int | None:
    index = int(text) - base if re.fullmatch(r"\d{1,3}", text) else -1
    return index if 0 <= index < count else None


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
