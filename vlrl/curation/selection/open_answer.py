"""Multiple choice → open answer: the options leave the question, the right option's text becomes the gold answer.

Only where nothing is lost: the options stand as a block at the end of the typed text, the question doesn't speak of
them, the right option is a number or a few words, no option stands for others ("none of these"), and the new gold
answer is right under its new verifier while every other option is wrong under it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vlrl.types import Problem, Text
from vlrl.verify.judge import judge
from vlrl.verify.values.normaliser import normalise
from vlrl.verify.values.quantity import read_quantity
from vlrl.verify.verifiers.choice import LETTERS, gold_index

TAG = "opened_choice"
MAX_WORDS = 4  # ours: a longer phrase can be put in too many ways to be compared as text

_ABOUT_OTHERS = re.compile(
    r"\b(?:none|all|both|either|neither|any|some) of (?:the|these|them)\b|\b(?:none|neither|both|all) (?:above|below)\b"
    r"|\b(?:cannot|can't|can not) be (?:determined|told|known)\b|^\(?[A-H]\)?(?: and |, | or )\(?[A-H]\)?$",
    re.IGNORECASE,
)
_ABOUT_OPTIONS = re.compile(
    r"\bwhich (?:one )?of (?:the|these)\b|\b(?:following|options?|choices?|alternatives?|below|above)\b"
    r"|\bwhich (?:answer|statement|picture|image|figure|panel|letter)\b|\b(?:most|least) (?:likely|nearly|closely)\b",
    re.IGNORECASE,
)
_HINT = re.compile(
    r"(?:^|(?<=[.\n?!:]))[^.\n?!]*\b(?:option'?s? letter|letter of the|(?:given|provided) (?:options|choices)"
    r"|correct option|choices directly|letter only)\b[^.\n?!]*[.:]?",
    re.IGNORECASE,
)


class NotOpen(ValueError):
    """Why a multiple choice question can't stand without its options."""


def to_open_answer(problem: Problem) -> Problem:
    """The open question. Raises NotOpen with the reason, DataError if the gold is none of the options."""
    options, prompt = _without_options(problem)
    gold = options[gold_index(problem, options)].strip()
    question = " ".join(piece.text for piece in prompt if isinstance(piece, Text))
    _check_options(options, gold)
    spoken = _ABOUT_OPTIONS.search(question)
    if spoken:
        raise NotOpen(f"the question speaks of its options: {spoken[0]!r}")
    if not question.strip():
        raise NotOpen("nothing but the options is typed")
    numeric = read_quantity(gold) is not None
    metadata: Mapping[str, Any] = {
        key: value for key, value in problem.metadata.items() if key not in ("choices", "accepted")
    }
    opened = replace(
        problem,
        prompt=prompt,
        answer=gold,
        verifier="number" if numeric else "text",
        metadata=metadata,
        tags=(*problem.tags, TAG),
        twin=None,  # its twin still has the options
        untemplated_id=None,
    )
    _check_verifier(opened, options)
    return opened


def _without_options(problem: Problem) -> tuple[list[str], tuple[Any, ...]]:
    """The options, and the prompt without them. They must be a block at the end of the last typed piece."""
    pieces = list(problem.prompt)
    if not isinstance(pieces[-1], Text):
        raise NotOpen("an image stands behind the question, where its options may be images")
    text = _HINT.sub("", pieces[-1].text).rstrip()
    found = _block(text)
    if found is None:
        raise NotOpen("no block of options stands at the end of the question")
    start, options = found
    named = [str(option) for option in problem.metadata.get("choices") or ()]
    if named and [normalise(o) for o in named] != [normalise(o) for o in options]:
        raise NotOpen("the options in the text aren't those of the problem")
    pieces[-1] = Text(re.sub(r"\n?\s*(?:options|choices)\s*:?\s*$", "", text[:start], flags=re.IGNORECASE).rstrip())
    return options, tuple(piece for piece in pieces if not isinstance(piece, Text) or piece.text)


def _block(text: str) -> tuple[int, list[str]] | None:
    """Where a run (A) …, (B) …, … up to the end of the text begins, and the texts in it."""
    for opening, closing in ((r"\(", r"\)"), (r"(?<!\S)", r"[.):]")):
        places: list[re.Match[str]] = []
        for letter in LETTERS:
            label = re.compile(rf"{opening}{letter}{closing}\s*")
            match = label.search(text, places[-1].end()) if places else _last_start(label, text)
            if match is None:
                break
            places.append(match)
        if len(places) < 2:
            continue
        ends = [*(place.start() for place in places[1:]), len(text)]
        options = [text[place.end() : end].strip(" \n\t,;") for place, end in zip(places, ends, strict=True)]
        if all(options) and "\n" not in options[-1]:
            return places[0].start(), options
    return None


def _last_start(label: re.Pattern[str], text: str) -> re.Match[str] | None:
    return max(label.finditer(text), key=lambda match: match.start(), default=None)


def _check_options(options: list[str], gold: str) -> None:
    for option in options:
        if _ABOUT_OTHERS.search(option):
            raise NotOpen(f"the option {option!r} is about other options")
        if "<image" in option:
            raise NotOpen("options are images")
    if len({normalise(option) for option in options}) < len(options):
        raise NotOpen("two options are the same")
    if read_quantity(gold) is None and len(gold.split()) > MAX_WORDS:
        raise NotOpen(f"the right option has more than {MAX_WORDS} words: {gold!r}")


def _check_verifier(opened: Problem, options: list[str]) -> None:
    for option in options:
        verdict = judge(opened, f"<answer>{option}</answer>")
        is_gold = option.strip() == opened.answer
        if verdict.fault is not None or verdict.correct != is_gold:
            said = "right" if verdict.correct else "wrong"
            raise NotOpen(f"under the verifier {opened.verifier!r} the option {option!r} is {verdict.fault or said}")
