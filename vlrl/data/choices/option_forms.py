"""The forms in which cells hold the options of a question.

A list, an object from letters to texts, one text (lines, "A. x B. y", "x; y", JSON), or a list of {label, text}. Their
own labels are taken off: a prompt shows them as (A), (B), …
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vlrl.data.choices.option_labels import in_sequence, label_of, split_labelled
from vlrl.data.choices.options import Options
from vlrl.data.rows.placeholders import LETTERS
from vlrl.data.rows.row_view import is_empty
from vlrl.data.tables.cell_text import shortened, written
from vlrl.errors import BadRowError

_LABEL_KEYS, _TEXT_KEYS = ("label", "labels", "key", "id", "letter", "index"), ("text", "texts", "value", "content")

_LINE = re.compile(r"^[ \t]*[(\[]?(?P<label>[A-Za-z])[)\].:]\s*(?P<text>\S.*)$", re.MULTILINE)


def read_options(value: Any, place: str) -> Options:
    """Options in any of the usual forms. Raises BadRowError for what is none, is empty, or has more than 26."""
    if isinstance(value, str):
        value = from_text(value, place)
    if isinstance(value, Mapping):
        return _from_object(value, place)
    if not isinstance(value, list | tuple):
        raise BadRowError(place, f"got {shortened(value)}", "give a list of texts")
    if all(isinstance(item, Mapping) for item in value):
        return _from_objects(value, place)
    numbers = all(isinstance(item, int | float) and not isinstance(item, bool) for item in value)
    return replace(_checked([_option(item, place) for item in value], [], place), numbers=numbers)


def options_in(question: str) -> Options:
    """The options that a question lists itself, each on a line of its own behind its letter; empty without such."""
    lines = list(_LINE.finditer(question))
    for start, first in enumerate(lines):
        if first["label"].upper() == "A":
            run = [line for i, line in enumerate(lines[start:]) if line["label"].upper() == LETTERS[i % 26]]
            if len(run) > 1 and in_sequence([line["label"].upper() for line in run]):
                return Options(tuple(line["text"].strip() for line in run))
    return Options()


def from_columns(cells: Sequence[Any], place: str) -> Options:
    """The options of a row that has a column for each. Raises BadRowError as `read_options` does."""
    return _checked([_option(cell, place) for cell in cells], [], place)


def _option(item: Any, place: str) -> str:
    """The text of one option. Raises BadRowError for an empty cell, or one that holds no text."""
    if item is None or isinstance(item, Mapping | list | tuple | bytes):
        raise BadRowError(place, f"an option is {shortened(item)}", "options are texts; an image is <image 2> in one")
    return written(item, place).strip()


def _checked(texts: Sequence[str], labels: Sequence[str], place: str) -> Options:
    """The options without labels of their own. Raises BadRowError for labels out of order, an empty text, a
    single option, or more than 26.
    """
    matches = [label_of(text) for text in texts]
    own = [match["label"] for match in matches if match]
    if len(texts) > 1 and len(own) == len(texts) and not labels and in_sequence(own):
        texts, labels = [match["text"].strip() for match in matches if match], own
    elif len(texts) > 1 and len(own) == len(texts) and not labels and in_sequence(sorted(own)) and own[0].isalpha():
        raise BadRowError(place, f"labels its options {own}", "put them in the order of their labels")
    if any(not text for text in texts):
        raise BadRowError(place, f"option {list(texts).index('') + 1} is empty", "mend the row")
    if len(texts) > len(LETTERS):
        raise BadRowError(place, f"has {len(texts)} options", f"at most {len(LETTERS)} can have a letter")
    if len(texts) == 1:
        raise BadRowError(place, f"has one option, {shortened(texts[0])!r}", "give a list of texts, or none")
    return Options(tuple(texts), tuple(labels))


def _from_object(value: Mapping[str, Any], place: str) -> Options:
    texts = next((value[key] for key in _TEXT_KEYS if isinstance(value.get(key), list | tuple)), None)
    if texts is not None:  # {"text": […], "label": […]} as in ARC
        labels = next((value[key] for key in _LABEL_KEYS if isinstance(value.get(key), list | tuple)), ())
        if labels and len(labels) != len(texts):
            raise BadRowError(place, f"has {len(texts)} texts and {len(labels)} labels", "mend the row")
        return _checked([_option(item, place) for item in texts], [_option(label, place) for label in labels], place)
    filled = {str(key): cell for key, cell in value.items() if cell is not None}
    names = list(filled)
    for kind in (sorted(names), sorted(names, key=lambda name: (len(name), name))):
        if in_sequence(kind):  # Arrow orders the keys of objects by their first appearance
            names = kind
    if all(len(name) <= 2 for name in names) and not in_sequence(names):
        raise BadRowError(place, f"labels its options {names}", "label them A, B, C … without a gap")
    return _checked([_option(filled[name], place) for name in names], names, place)


def _from_objects(value: Sequence[Mapping[str, Any]], place: str) -> Options:
    texts, labels = [], []
    for item in value:
        rest = {key: cell for key, cell in item.items() if not is_empty(cell)}
        label = next((rest.pop(key) for key in _LABEL_KEYS if key in rest), None)
        text = next((rest.pop(key) for key in _TEXT_KEYS if key in rest), None)
        if text is None and label is None and len(rest) == 1:  # {"A": "red"}
            label, text = rest.popitem()
        if text is None or rest:
            raise BadRowError(place, f"an option is {shortened(item)}", 'write {"label": "A", "text": …} or a text')
        texts.append(_option(text, place))
        labels.append("" if label is None else _option(label, place))
    return _checked(texts, labels if all(labels) else [], place)


def from_text(text: str, place: str) -> Any:
    """The list or object that one text is: JSON, a Python literal, labelled options, lines, or parts between ; or |."""
    text = text.strip()
    if text[:1] in ("[", "{"):
        for read in (json.loads, ast.literal_eval):
            try:
                literal = read(text)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            if isinstance(literal, list | tuple | dict):
                return literal
    if labelled := split_labelled(text):
        return labelled
    for separator in ("\n", ";", "|"):
        parts = [part.strip() for part in text.split(separator)]
        parts = [part for part in parts if part]
        if len(parts) > 1:
            return parts
    raise BadRowError(place, f"{shortened(text)!r} is no list of options", "give a list of texts")
