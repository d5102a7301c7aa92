"""Official mode: a whole table of responses scored by the benchmark's published rules, luck and row order included."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vlrl.types import Problem, Verdict
from vlrl.verify.judge import judge, judge_all, warm_up_verifiers
from vlrl.verify.official import gsm8k, mathvision, mathvista, mmmu, tabmwp
from vlrl.verify.official.mathvista import IntegerRule

Mode = Literal["reward", "official"]


@dataclass(frozen=True)
class Answer:
    """What is scored: the response, or what an earlier step extracted from it.

    use_extraction  score `extraction` instead of `text`; a row without one is wrong
    """

    text: str
    extraction: Any = None
    use_extraction: bool = False
    has_extraction: bool = False


def score_answers(
    benchmark: str,
    problems: Sequence[Problem],
    answers: Sequence[Answer | None],
    mode: Mode = "reward",
    integer_rule: IntegerRule = "int",
) -> list[Verdict]:
    """One verdict a row, in row order (MMMU's random fallback depends on it); a missing answer (None) is wrong."""
    if mode == "reward" or benchmark not in OFFICIAL:
        warm_up_verifiers(problems)
    rng = random.Random(mmmu.SEED)
    verdicts: list[Verdict] = []
    asked: list[tuple[Problem, list[str]]] = []  # side by side, where their verifier waits
    places: list[int] = []
    for problem, answer in zip(problems, answers, strict=True):
        if answer is None:
            verdicts.append(Verdict.wrong("missing"))
        elif answer.use_extraction and not answer.has_extraction:
            verdicts.append(Verdict.wrong("no extraction"))
        elif mode == "reward" or benchmark not in OFFICIAL:
            asked.append((problem, [str(answer.extraction or "") if answer.use_extraction else answer.text]))
            places.append(len(verdicts))
            verdicts.append(Verdict.broken("not judged yet"))
        else:
            verdicts.append(OFFICIAL[benchmark](problem, answer, rng, integer_rule))
    for place, held in zip(places, judge_all(asked), strict=True):
        verdicts[place] = held[0]
    return verdicts


def _mathvista(problem: Problem, answer: Answer, rng: random.Random, integer_rule: IntegerRule) -> Verdict:
    metadata = problem.metadata
    kinds = metadata.get("choices"), str(metadata["question_type"]), str(metadata["answer_type"])
    note = ""
    extraction = answer.extraction
    if not answer.use_extraction:
        extraction = mathvista.quick_extraction(answer.text, *kinds)
        if extraction is None:  # the published script asks a language model here; the reward's reader stands in for it
            extraction, note = judge(problem, answer.text).answer or "", "extracted by rule"
    prediction = mathvista.prediction(extraction, *kinds, metadata.get("precision"), integer_rule)
    return _verdict(prediction is not None and prediction == problem.answer, prediction, note)


def _mmmu(problem: Problem, answer: Answer, rng: random.Random, integer_rule: IntegerRule) -> Verdict:
    golds = [problem.answer, *problem.metadata.get("accepted", ())]
    text = _said(answer)
    if not problem.metadata.get("choices"):
        candidates = mmmu.parse_open(text)
        return _verdict(mmmu.open_is_right(candidates, golds), "; ".join(map(str, candidates)))
    options = mmmu.letters(problem.metadata["choices"])
    letter = mmmu.parse_choice(text, options)
    if letter is not None:
        return _verdict(letter in golds, letter)
    letter = mmmu.draw_choice(options, rng)
    return _verdict(letter in golds, letter, "drawn at random")


def _mmmu_pro(problem: Problem, answer: Answer, rng: random.Random, integer_rule: IntegerRule) -> Verdict:
    """The published script draws unseeded where it finds no letter; luck that nobody can repeat is not counted."""
    letter = mmmu.parse_pro_choice(_said(answer), mmmu.letters(problem.metadata["choices"]))
    if letter is None:
        return Verdict.wrong("no letter; the published script draws one, unseeded")
    return _verdict(letter == problem.answer, letter)


def _mathvision(problem: Problem, answer: Answer, rng: random.Random, integer_rule: IntegerRule) -> Verdict:
    extraction = str(answer.extraction or "") if answer.use_extraction else mathvision.extract(answer.text)
    return _verdict(mathvision.is_right(problem.answer, problem.metadata.get("choices", ()), extraction), extraction)


def _tabmwp(problem: Problem, answer: Answer, rng: random.Random, integer_rule: IntegerRule) -> Verdict:
    prediction = tabmwp.extract(_said(answer), problem.metadata.get("choices", ()))
    if prediction is None:
        return Verdict.wrong("a letter beyond the options; the published script draws one")
    return _verdict(tabmwp.is_right(problem.answer, prediction, problem.metadata.get("unit")), prediction)


def _gsm8k(problem: Problem, answer: Answer, rng: random.Random, integer_rule: IntegerRule) -> Verdict:
    number = gsm8k.extract(_said(answer))
    return _verdict(gsm8k.is_right(problem.answer, number), None if number is None else str(number))


Official = Callable[[Problem, Answer, random.Random, IntegerRule], Verdict]
OFFICIAL: dict[str, Official] = {
    "mathvista": _mathvista,
    "mmmu": _mmmu,
    "mmmu-pro": _mmmu_pro,
    "mathvision": _mathvision,
    "tabmwp": _tabmwp,
    "gsm8k": _gsm8k,
}  # the others publish no rule that differs from comparing answers: both modes are one


def _said(answer: Answer) -> str:
    return str(answer.extraction or "") if answer.use_extraction else answer.text


def _verdict(right: bool, answer: str | None, note: str = "") -> Verdict:
    return Verdict.right(answer, note) if right else Verdict.wrong(note, answer)
