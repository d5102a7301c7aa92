"""The verifiers `anls`, `relaxed`, `vqa` and `edit`: scores as their benchmarks published them, safe as rewards.

The declared answer is read as for every verifier, so that thinking, two answers and what is taken back earn nothing. A
guess or an alternative ("red or blue") that no gold has in it earns nothing either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from vlrl.errors import DataError
from vlrl.types import Problem, Verdict
from vlrl.verify.judge import verifier
from vlrl.verify.reading.declared import extract
from vlrl.verify.reading.gold import golds_of
from vlrl.verify.reading.hedging import maybe
from vlrl.verify.reading.sentence_text import words_in_sentence
from vlrl.verify.values.edit_distance import edit_similarity
from vlrl.verify.values.normaliser import unwrapped, without_latex
from vlrl.verify.values.shown_text import visible_text
from vlrl.verify.values.vqa_answer import vqa_answer

_OR = re.compile(r"\bor\b", re.IGNORECASE)
_FLOAT = re.compile(
    r"[-+]?[$€£¥]?([-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,300})(?:\.[0-9]{0,300})?|[-+]?\.[0-9]{1,300})"
    r"(?:[eE]([-+]?[0-9]{1,2}))?(\s?%)?"
)
_YEAR = re.compile(r"(?:1[0-9]|20)[0-9]{2}")
_HUMANS = 10


@verifier("anls")
def anls(problem: Problem, response: str) -> Verdict:
    """Average normalised Levenshtein similarity of DocVQA (Biten et al. 2019, arXiv 1907.00490; Mathew et al. 2021).

    The best 1 − NL over the golds, NL being the edit distance over the longer length in lower case with single spaces;
    0 where NL ≥ 1 − threshold.

    metadata:
    accepted    further golds
    threshold   default 0.5. At NL = 0.5 the paper gives 0, as here; the published script gives 0.5
    correct_at  score that is correct, default 1.0
    """
    answer, note = _declared(response, golds_of(problem), problem.question)
    if answer is None:
        return Verdict.wrong(note)
    best = max(edit_similarity(_plain(answer), _plain(gold)) for gold in golds_of(problem))
    kept = 1.0 - best < 1.0 - _share(problem, "threshold", 0.5) - 1e-12 or best == 1.0
    return _verdict(best if kept else 0.0, problem, answer, f"similarity {best:.3f}", 1.0)


@verifier("relaxed")
def relaxed(problem: Problem, response: str) -> Verdict:
    """Relaxed accuracy of ChartQA (Masry et al. 2022, arXiv 2203.10244, §5.1): numbers to 5 % of the gold, text equal.

    A percent sign divides by a hundred; thousands separators and a currency sign are read. A gold of 0 and every text
    must be equal, case aside.

    metadata:
    accepted     further golds
    tolerance    share of the gold, default 0.05 (at the tolerance is correct)
    years_exact  true: a gold that is a year from 1000 to 2099 must be equal (ChartQAPro's rule); 5 % of a year is a
                 century. Default false, as published
    """
    answer, note = _declared(response, golds_of(problem), problem.question)
    if answer is None:
        return Verdict.wrong(note)
    value, tolerance = _number(answer), _share(problem, "tolerance", 0.05)
    for gold in golds_of(problem):
        wanted = _number(gold)
        exact = problem.metadata.get("years_exact") and _YEAR.fullmatch(gold.strip())
        if value is not None and wanted and not exact:
            if abs(value - wanted) <= tolerance * abs(wanted) * (1 + 1e-12):
                return Verdict.right(answer)
        elif _plain(answer) == _plain(gold):
            return Verdict.right(answer)
    return Verdict.wrong("another value" if value is not None else "another text", answer)


def declared_vqa(problem: Problem) -> Sequence[str] | None:
    """The answer of most humans, where it scores 1; None where they agree too little for anyone to."""
    humans = _humans(problem)
    best = max(humans, key=lambda human: _soft_accuracy(human, humans))
    return [best] if _soft_accuracy(best, humans) == 1.0 else None


@verifier("vqa", gold=declared_vqa)
def vqa(problem: Problem, response: str) -> Verdict:
    """Soft accuracy of VQA (Antol et al. 2015, arXiv 1505.00468; VQA v2 and TextVQA alike).

    min(humans who said it / 3, 1), averaged over the sets that leave out one human; both sides in the official
    normalisation (`values/vqa_answer.py`). With ten humans 1, 2, 3, 4 that agree give 0.3, 0.6, 0.9, 1.

    metadata:
    accepted    the humans' answers, texts or `{"answer": …}`: all of them where there are ten or more, else those
                besides the problem's own answer
    correct_at  score that is correct, default 0.9: three humans of ten
    """
    humans = _humans(problem)
    answer, note = _declared(response, humans, problem.question)
    if answer is None:
        return Verdict.wrong(note)
    score = _soft_accuracy(answer, humans)
    return _verdict(score, problem, answer, f"soft accuracy {score:.3f}", 0.9)


@verifier("edit")
def edit(problem: Problem, response: str) -> Verdict:
    """Edit similarity of a transcription (OCR): 1 − Levenshtein distance / longer length, of characters or of words.

    It is 1 − CER (or WER) where the answer is no longer than the gold, and stays in [0, 1] where it is (OmniDocBench,
    Ouyang et al. 2024, arXiv 2412.07626). Without a declared answer the whole visible response is the transcription.

    metadata:
    unit         "character" (default) or "word"
    ignore_case  default false. Runs of spaces and line breaks are one space
    correct_at   score that is correct, default 1.0
    """
    found = extract(response)
    text = found.answer
    if found.how in ("line", "sentence") or (found.how == "none" and found.candidates):
        text = visible_text(response)
    if text is None:
        return Verdict.wrong(found.note)
    unit = problem.metadata.get("unit", "character")
    if unit not in ("character", "word"):
        raise DataError(f"problem {problem.id}, metadata.unit", f"unknown unit {unit!r}", 'write "character" or "word"')
    sides = []
    for side in (text, problem.answer):
        words = (side.casefold() if problem.metadata.get("ignore_case") else side).split()
        sides.append(words if unit == "word" else " ".join(words))
    score = edit_similarity(*sides) if sides[1] else 0.0
    return _verdict(score, problem, text, f"similarity {score:.3f}", 1.0)


def _declared(response: str, golds: Sequence[str], question: str) -> tuple[str | None, str]:
    """The declared answer without LaTeX, markup and final stop, or None and why there is none; of a sentence like
    "The brand is X", what it says, unless a gold is one."""
    found = extract(response)
    if found.answer is None:
        return None, found.note
    for doubtful in (lambda text: _OR.search(text) is not None, maybe):
        if doubtful(found.answer) and not any(doubtful(gold) for gold in golds):
            return None, "a guess, or one of several"
    answer = found.answer.strip().strip("*").strip()
    stop = "." if answer.endswith(".") and any(gold.strip().endswith(".") for gold in golds) else ""
    if not any("\\" in gold for gold in golds):  # a path or a formula may be what is written in the image
        answer = " ".join(unwrapped(without_latex(answer)).split())
    if not found.declared and not any(words_in_sentence(gold, question) for gold in golds):
        said = words_in_sentence(answer, question)
        answer = said[0] if said else answer
    return answer.removesuffix(".") + stop, ""


def _humans(problem: Problem) -> list[str]:
    accepted = problem.metadata.get("accepted", ())
    if isinstance(accepted, str) or not isinstance(accepted, Sequence):
        raise DataError(
            f"problem {problem.id}, metadata.accepted", f"{accepted!r} is no list", "give the humans' answers"
        )
    said = [str(one["answer"] if isinstance(one, Mapping) else one) for one in accepted]
    return said if len(said) >= _HUMANS else [problem.answer, *said]


def _soft_accuracy(answer: str, humans: Sequence[str]) -> float:
    given = vqa_answer(answer)
    agree = [vqa_answer(human) == given for human in humans]
    return sum(min(1.0, (sum(agree) - one) / 3) for one in agree) / len(agree)


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _number(text: str) -> float | None:
    match = _FLOAT.fullmatch(text.strip())
    if match is None:
        return None
    sign = -1.0 if text.strip().startswith("-") and not match[1].startswith("-") else 1.0
    value = sign * float(match[1].replace(",", "")) * 10.0 ** int(match[2] or 0)
    return value / 100 if match[3] else value


def _share(problem: Problem, fact: str, default: float) -> float:
    value: Any = problem.metadata.get(fact, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise DataError(f"problem {problem.id}, metadata.{fact}", f"{value!r} is no share", "give a number from 0 to 1")
    return float(value)


def _verdict(score: float, problem: Problem, answer: str, note: str, correct_at: float) -> Verdict:
    return Verdict(score, score > 0 and score >= _share(problem, "correct_at", correct_at) - 1e-9, answer, note)
