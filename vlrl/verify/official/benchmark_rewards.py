"""The verifiers `mathvista`, `mmmu`, `mathvision`, `tabmwp`, `dynamath`: benchmark answers as a reward, without luck.

Each reads what the response declares or commits to (`reading.committed_answer`); it gives nothing to silence, hedges,
two answers, a letter beyond the options or the nearest option. The published rules lie in files of the benchmarks'
names.
"""

from __future__ import annotations

import json
import re

from vlrl.types import Problem, Verdict
from vlrl.verify.judge import verifier
from vlrl.verify.reading.declared import extract
from vlrl.verify.reading.gold import golds_of
from vlrl.verify.values.compare import asks_level
from vlrl.verify.values.quantity import read_quantity
from vlrl.verify.verifiers.choice import choice, gold_option
from vlrl.verify.verifiers.mathematics import load_workers, math
from vlrl.verify.verifiers.number import committed_number, compared
from vlrl.verify.verifiers.text import text
from vlrl.verify.verifiers.time_of_day import time

_LIST = re.compile(r"\[[^\[\]]{1,400}\]")


def declared(problem: Problem) -> list[str]:
    """A benchmark's gold as an answer: an option where there are options, else as written."""
    return gold_option(problem) if problem.metadata.get("choices") else [problem.answer.strip()]


@verifier("mathvista", gold=declared)
def mathvista(problem: Problem, response: str) -> Verdict:
    """MathVista: a choice by letter or text, an integer, a float to the problem's precision, or a list.

    A unit may stand beside a number where the question speaks of what it measures, `%` where it asks for a level, a
    share or a difference of a chart; another measure (m for cm) may not.
    metadata: question_type, answer_type, choices, precision, unit as in MathVista.
    """
    if problem.metadata.get("question_type") == "multi_choice":
        return choice(problem, response)
    if problem.metadata.get("answer_type") == "list":
        return _judge_list(problem, response)
    return judge_number(problem, response, problem.metadata.get("precision"))


@verifier("mmmu", gold=declared)
def mmmu(problem: Problem, response: str) -> Verdict:
    """MMMU and MMMU-Pro: an option by letter or text; an open answer as number or normalised text.

    Numbers of open answers are rounded to two decimals, as published. A gold that is only a part of an answer is wrong.
    metadata: choices (none: open question), accepted (further golds).
    """
    if problem.metadata.get("choices"):
        return choice(problem, response)
    if all(read_quantity(gold) is not None for gold in golds_of(problem)):
        return judge_number(problem, response, precision=2)
    return text(problem, response)


@verifier("mathvision", prepare=load_workers, gold=declared)
def mathvision(problem: Problem, response: str) -> Verdict:
    """MATH-Vision: an option by letter, text or value; otherwise mathematical equality (`math`).

    metadata: choices (empty: free form).
    """
    return choice(problem, response) if problem.metadata.get("choices") else math(problem, response)


@verifier("tabmwp", gold=declared)
def tabmwp(problem: Problem, response: str) -> Verdict:
    """TabMWP: an option by letter or text; a number to three decimals (as published); a time; another text.

    metadata: choices, unit.
    """
    if problem.metadata.get("choices"):
        return choice(problem, response)
    if read_quantity(problem.answer) is not None:
        return judge_number(problem, response, precision=3)
    if problem.answer.rstrip(".").upper().endswith((".M", "AM", "PM")):
        return time(problem, response)
    return text(problem, response)


@verifier("dynamath", prepare=load_workers)
def dynamath(problem: Problem, response: str) -> Verdict:
    """DynaMath: a letter (the options stand in the question), a number to three decimals (ours), or a text.

    metadata: answer_type (multiple choice, float, text).
    """
    kind = problem.metadata.get("answer_type")
    if kind == "multiple choice":
        return choice(problem, response)
    if read_quantity(problem.answer) is not None:
        return judge_number(problem, response, precision=3)
    return math(problem, response) if kind == "float" else text(problem, response)


def judge_number(problem: Problem, response: str, precision: int | None) -> Verdict:
    """Whether the response declares or states the gold number, both rounded to `precision` decimals if given."""
    sign = "optional" if asks_level(problem.question) else ""
    metadata = {"precision": precision, "percent_sign": sign, "unit": problem.metadata.get("unit")}
    return compared(problem, committed_number(response, problem), metadata)


def _judge_list(problem: Problem, response: str) -> Verdict:
    """A list of numbers in square brackets, equal element by element."""
    said = extract(response).answer or ""
    found = _LIST.findall(said)
    if len(found) != 1:
        return Verdict.wrong("not one list", said or None)
    try:
        given, gold = json.loads(found[0]), json.loads(problem.answer)
    except ValueError:
        return Verdict.wrong("not a list of numbers", found[0])
    return Verdict.right(found[0]) if given == gold else Verdict.wrong("another list", found[0])
