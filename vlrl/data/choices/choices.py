"""The options of a question in the ways that tables hold them, and which of them the gold is.

Options are a list, an object from letters to texts, one text (lines, "A. x B. y", "x; y", JSON), a column a letter, or
a list of {label, text}. Their own labels are taken off: a prompt shows them as (A), (B), …

A gold is an option's letter (or own label), its text, or both ("B. blue"). Where a letter is also another option's
text, or a bare number may be an index, the row doesn't say which is meant: `choice_answers` in the source does, or the
row is refused by name.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Literal

from vlrl.data.choices.option_labels import in_sequence, label_of, lists_letters, split_labelled
from vlrl.data.rows.placeholders import LETTERS
from vlrl.data.rows.row_view import RowView, is_empty
from vlrl.data.tables.cell_text import shortened, written
from vlrl.errors import BadRowError

Meaning = Literal["letter", "text", "index", "number"]
COLUMNS = ("choices", "options")
OTHER_COLUMNS = (
    "option",
    "choice",
    "candidates",
    "answer_choices",
    "answer_options",
)  # of options, if they hold a list
_LETTERED = [
    tuple(pattern.format(letter) for letter in letters)
    for pattern in (
        "{}",
        "option_{}",
        "choice_{}",
        "option{}",
        "choice{}",
        "op{}",
        "opt_{}",
        "answer_{}",
        "ending{}",
    )
    for letters in (LETTERS, LETTERS.lower(), "123456789", "0123456789")
]
_LABEL_KEYS, _TEXT_KEYS = ("label", "labels", "key", "id", "letter", "index"), ("text", "texts", "value", "content")
_LINE = re.compile(r"^[ \t]*[(\[]?(?P<label>[A-Za-z])[)\].:]\s*(?P<text>\S.*)$", re.MULTILINE)
_GOLD_LETTER = re.compile(
    r"(?:(?:the\s+)?(?:correct\s+)?(?:option|choice|answer)(?:\s+is)?:?\s*)?[(\[]?([A-Za-z])[)\]]?[.:)]?", re.IGNORECASE
)
_GOLD_BOTH = re.compile(r"[(\[]?([A-Z])(?:[)\]][.:]?|[.:)])\s*(\S.*)", re.DOTALL)


@dataclass(frozen=True)
class Options:
    """The options of a question in order.

    labels   as the row gave them; empty where it gave none
    numbers  whether the row holds the options as numbers, so that a number among them is meant as such
    """

    texts: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    numbers: bool = False

    def __bool__(self) -> bool:
        return bool(self.texts)

    @property
    def listed(self) -> str:
        """The options as a prompt shows them, a line each."""
        return "".join(f"\n({LETTERS[i]}) {text}" for i, text in enumerate(self.texts))

    def shown_in(self, text: str) -> bool:
        """Whether a question already lists all options, each behind its letter, one after another."""
        space = r"\s+"
        parts = [
            rf"[(\[]?{LETTERS[i]}\s?[)\].:]+\s*{space.join(map(re.escape, option.split()))}"
            for i, option in enumerate(self.texts)
        ]
        return re.search(r"(?<![\w.])" + r"[\s,;.|]*(?:\b(?:and|or)\b\s*)?".join(parts), text) is not None

    def letters_in(self, text: str) -> list[str]:
        """The letters behind which a question lists these options in another order; empty where it doesn't."""
        found = []
        for option in self.texts:
            words = r"\s+".join(map(re.escape, option.split()))
            match = re.search(rf"(?<![\w.])[(\[]?([A-Z])\s?[)\].:]+\s*{words}(?!\w)", text)
            found.append(match[1] if match else "")
        own = list(LETTERS[: len(found)])
        return found if found != own and sorted(found) == own else []


def row_options(row: RowView, column: str | None, place: str) -> Options:
    """The options of a row: of a named column, of the usual ones, or of one column a letter; `column` "": of none."""
    if column == "":
        return Options()
    given = [name for name in (COLUMNS if column is None else (column,)) if name in row and not is_empty(row[name])]
    found = [read_options(row[name], f"{place}, {name}") for name in given]
    if len({options.texts for options in found}) > 1:
        raise BadRowError(
            place,
            f"its columns {' and '.join(map(repr, given))} hold different options",
            "name the right one: `columns: {choices: …}`",
        )
    if found:
        return found[0]
    if column is not None:
        return Options()
    for name in OTHER_COLUMNS:
        if row.holds(name) and (listed := _listed_options(row.peek(name), f"{place}, {name}")):
            row[name]  # it is read
            return listed
    for names in _LETTERED:
        if names[0] in row and row.holds(names[0]) and row.holds(names[1]):
            held = list(takewhile(row.holds, names))
            if skipped := [name for name in names[len(held) :] if row.holds(name)]:
                raise BadRowError(place, f"has the option {skipped[0]!r} but not {names[len(held)]!r}", "mend it")
            return _checked([_one(row[name], place) for name in held], [], place)
    return Options()


def _listed_options(given: Any, place: str) -> Options:
    """Options where a cell holds a list of them in one of the usual forms, none where it holds another thing."""
    if isinstance(given, str):
        try:
            given = _from_text(given, place)
        except BadRowError:
            return Options()
    return read_options(given, place) if isinstance(given, Mapping | list | tuple) else Options()


def refuse_stray(row: RowView, place: str) -> None:
    """Raises BadRowError where a row without options has columns of options that don't begin with the first two."""
    for names in _LETTERED:
        held = [name for name in names if row.holds(name)]
        if len(held) > 1:
            missing = next(name for name in names if not row.holds(name))
            raise BadRowError(place, f"has the options {held} but not {missing!r}", "mend the row")


def refuse_empty(row: RowView, column: str | None, question: str, place: str) -> None:
    """Raises BadRowError for a column of options that is there and empty, where the question lists none either."""
    for name in COLUMNS if column is None else (column,):
        given = row.get(name)
        if given is not None and is_empty(given) and not lists_letters(question):
            raise BadRowError(
                f"{place}, {name}",
                "has no option, and the question lists none",
                "add the options; a question whose options stand in its image has no such column, or null in it",
            )


def read_options(given: Any, place: str) -> Options:
    """Options in any of the usual forms. Raises BadRowError for what is none, is empty, or has more than 26."""
    if isinstance(given, str):
        given = _from_text(given, place)
    if isinstance(given, Mapping):
        return _from_object(given, place)
    if not isinstance(given, list | tuple):
        raise BadRowError(place, f"got {shortened(given)}", "give a list of texts")
    if all(isinstance(item, Mapping) for item in given):
        return _from_objects(given, place)
    numbers = all(isinstance(item, int | float) and not isinstance(item, bool) for item in given)
    return replace(_checked([_one(item, place) for item in given], [], place), numbers=numbers)


def options_in(question: str) -> Options:
    """The options that a question lists itself, each on a line of its own behind its letter; empty without such."""
    found = list(_LINE.finditer(question))
    for start, match in enumerate(found):
        if match["label"].upper() == "A":
            run = [one for number, one in enumerate(found[start:]) if one["label"].upper() == LETTERS[number % 26]]
            if len(run) > 1 and in_sequence([one["label"].upper() for one in run]):
                return Options(tuple(one["text"].strip() for one in run))
    return Options()


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
    match, found = _GOLD_LETTER.fullmatch(text), [label_of(option) for option in options.texts]
    own = [label["label"].upper() for label in found if label]
    if match is None or options.labels or len(own) < len(found) or own.count(match[1].upper()) != 1:
        return None
    at = own.index(match[1].upper())
    return None if LETTERS[at] == match[1].upper() else options.texts[at]


def _index(text: str, count: int, base: int) -> int | None:
    index = int(text) - base if re.fullmatch(r"\d{1,3}", text) else -1
    return index if 0 <= index < count else None


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _one(item: Any, place: str) -> str:
    if item is None or isinstance(item, Mapping | list | tuple | bytes):
        raise BadRowError(place, f"an option is {shortened(item)}", "options are texts; an image is <image 2> in one")
    return written(item, place).strip()


def _checked(texts: Sequence[str], labels: Sequence[str], place: str) -> Options:
    found = [label_of(text) for text in texts]
    own = [match["label"] for match in found if match]
    if len(texts) > 1 and len(own) == len(texts) and not labels and in_sequence(own):
        texts, labels = [match["text"].strip() for match in found if match], own
    elif len(texts) > 1 and len(own) == len(texts) and not labels and in_sequence(sorted(own)) and own[0].isalpha():
        raise BadRowError(place, f"labels its options {own}", "put them in the order of their labels")
    if any(not text for text in texts):
        raise BadRowError(place, f"option {list(texts).index('') + 1} is empty", "mend the row")
    if len(texts) > len(LETTERS):
        raise BadRowError(place, f"has {len(texts)} options", f"at most {len(LETTERS)} can have a letter")
    if len(texts) == 1:
        raise BadRowError(place, f"has one option, {shortened(texts[0])!r}", "give a list of texts, or none")
    return Options(tuple(texts), tuple(labels))


def _from_object(given: Mapping[str, Any], place: str) -> Options:
    texts = next((given[key] for key in _TEXT_KEYS if isinstance(given.get(key), list | tuple)), None)
    if texts is not None:  # {"text": […], "label": […]} as in ARC
        labels = next((given[key] for key in _LABEL_KEYS if isinstance(given.get(key), list | tuple)), ())
        if labels and len(labels) != len(texts):
            raise BadRowError(place, f"has {len(texts)} texts and {len(labels)} labels", "mend the row")
        return _checked([_one(item, place) for item in texts], [_one(label, place) for label in labels], place)
    held = {str(key): value for key, value in given.items() if value is not None}
    names = list(held)
    for kind in (sorted(names), sorted(names, key=lambda name: (len(name), name))):
        if in_sequence(kind):  # Arrow orders the keys of objects by their first appearance
            names = kind
    if all(len(name) <= 2 for name in names) and not in_sequence(names):
        raise BadRowError(place, f"labels its options {names}", "label them A, B, C … without a gap")
    return _checked([_one(held[name], place) for name in names], names, place)


def _from_objects(given: Sequence[Mapping[str, Any]], place: str) -> Options:
    texts, labels = [], []
    for item in given:
        held = {key: value for key, value in item.items() if not is_empty(value)}
        label = next((held.pop(key) for key in _LABEL_KEYS if key in held), None)
        text = next((held.pop(key) for key in _TEXT_KEYS if key in held), None)
        if text is None and label is None and len(held) == 1:  # {"A": "red"}
            label, text = held.popitem()
        if text is None or held:
            raise BadRowError(place, f"an option is {shortened(item)}", 'write {"label": "A", "text": …} or a text')
        texts.append(_one(text, place))
        labels.append("" if label is None else _one(label, place))
    return _checked(texts, labels if all(labels) else [], place)


def _from_text(text: str, place: str) -> Any:
    """The list or object that one text is: JSON, a Python literal, labelled options, lines, or parts between ; or |."""
    text = text.strip()
    if text[:1] in ("[", "{"):
        for read in (json.loads, ast.literal_eval):
            try:
                found = read(text)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            if isinstance(found, list | tuple | dict):
                return found
    if labelled := split_labelled(text):
        return labelled
    for separator in ("\n", ";", "|"):
        parts = [part.strip() for part in text.split(separator)]
        parts = [part for part in parts if part]
        if len(parts) > 1:
            return parts
    raise BadRowError(place, f"{shortened(text)!r} is no list of options", "give a list of texts")
