"""The verifier `choice`: one option of several, by letter or by its text."""

from __future__ import annotations

import re

from vlrl.errors import DataError
from vlrl.types import Problem, Verdict
from vlrl.verify.judge import verifier
from vlrl.verify.reading.committed_answer import Reader, Statement, committed
from vlrl.verify.reading.sentence_number import number_in_sentence
from vlrl.verify.reading.sentence_option import (
    LETTERS,
    leading_option,
    option_by_text,
    option_in_sentence,
    option_of,
)
from vlrl.verify.reading.sentence_text import words_in_sentence
from vlrl.verify.values.normaliser import normalise

_LABELLED_A = re.compile(
    r"^(?:[\s*$`]|<answer>|\\boxed\{){0,4}A\s?:\s*([^\n<]{2,200}?)[}.*`$]*(?:</answer>)?\s*$", re.MULTILINE
)

__all__ = ["LETTERS", "choice", "gold_index", "gold_option"]


def gold_option(problem: Problem) -> list[str]:
    """The gold's letter, and its text where there are options. Raises DataError if the gold is none of them."""
    options = options_of(problem)
    index = gold_index(problem, options)
    return [f"({LETTERS[index]})", *options[index : index + 1]]


@verifier("choice", gold=gold_option)
def choice(problem: Problem, response: str) -> Verdict:
    """One option, by its letter in the problem's order or by its text.

    Accepts "B", "b", "(B)", "B.", "Option B", "**B**", "(B) four", "B: four" (letter and text must belong together) and
    the option's whole text, or its number where just one option has that number ("145" for "145°"). The gold is an
    option's text or a letter; where options are permuted, metadata.choices is in the order that was shown.
    Rejects two letters, a list of all options, a letter beyond the options, a letter with another option's text, the
    option's text as a part of something longer, and a bare text that is one option's letter and another option's text.

    metadata:
    choices  the option texts in the order shown; without it a letter from A to J is expected

    Raises DataError if the gold is none of the options (the verdict is then a fault).
    """
    options = options_of(problem)
    gold = gold_index(problem, options)
    statement = committed_option(response, options, problem.question)
    chosen = statement.value
    if chosen is None:
        return Verdict.wrong(statement.note or "not one option", statement.text)
    if chosen == gold or (options and normalise(options[chosen]) == normalise(options[gold])):
        return Verdict.right(statement.text)
    return Verdict.wrong("another option", statement.text)


def committed_option(response: str, options: list[str], question: str = "") -> Statement[int]:
    """The option that a response commits to: by letter, by text, or by its number where one option alone has it."""

    def inside(sentence: str) -> int | None:
        index = option_in_sentence(sentence, options, question)
        if index is not None or not options:
            return index
        for said in words_in_sentence(sentence, question) or ():
            if (named := option_by_text(said, options)) is not None:
                return named
        number = number_in_sentence(sentence, question)
        return (
            None
            if number is None
            else option_by_text(
                str(number.value) + (f" {number.unit.name}" if number.unit else "%" if number.percent else ""), options
            )
        )

    statement = committed(
        response,
        Reader(lambda text: option_of(text, options), inside, lambda text: leading_option(text, options), question),
    )
    if (
        statement.value
        and options
        and any(option_in_sentence(text, options) == statement.value for text in _LABELLED_A.findall(response))
    ):
        return Statement(None, statement.text, "a letter with another option's text")
    return statement


def options_of(problem: Problem) -> list[str]:
    """The texts of the options in the order shown; empty where there are none."""
    return [str(option) for option in problem.metadata.get("choices") or ()]


def gold_index(problem: Problem, options: list[str]) -> int:
    """Which option the gold is: the option's text, or else its letter. Raises DataError if it is neither."""
    gold = problem.answer.strip()
    if gold in options:
        return options.index(gold)
    letter = gold.strip("()").upper()
    if len(letter) == 1 and letter in LETTERS and LETTERS.index(letter) < (len(options) or 10):
        return LETTERS.index(letter)
    texts = [normalise(option) for option in options]
    if normalise(gold) in texts:
        return texts.index(normalise(gold))
    raise DataError(f"problem {problem.id}", f"the gold {gold!r} is none of the options {options}", "mend the problem")
