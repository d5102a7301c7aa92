r"""The verifier `math`: whether two mathematical answers are equal, whatever they look like.

Plain cases are settled here by rules on text and by exact fractions, other forms by `math/same_structure.py`; what is
left of values of one kind goes to math-verify in a worker process with hard limits (`worker_pool`, `math_worker`). No
text is evaluated anywhere: `values/` and `math/` have grammars of their own, the worker an ANTLR grammar of LaTeX with
sympy's own text evaluation shut off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from vlrl.types import Problem, Verdict
from vlrl.verify.judge import verifier
from vlrl.verify.math.latex import (
    declared_mathematics,
    gold_parts,
    named_values,
    plain_form,
    split_unit,
    too_complex,
    without_excluded_points,
)
from vlrl.verify.math.same_structure import EqualityRules, same_answer
from vlrl.verify.reading.clause.figures import names_another_figure
from vlrl.verify.reading.declared import Extraction, extract
from vlrl.verify.reading.gold import golds_of
from vlrl.verify.sandbox.worker_pool import TooHeavy, WorkerPool
from vlrl.verify.values.compare import differs, is_rounded, speaks_of, within
from vlrl.verify.values.moments import read_moment
from vlrl.verify.values.normaliser import clean, normalise, spelled
from vlrl.verify.values.number_words import NUMBER_WORDS, WORDS
from vlrl.verify.values.quantity import Quantity, read_quantity
from vlrl.verify.values.units import DEGREE, read_unit

STARVED_SECONDS = 20.0  # of wall clock, for a worker that gets no processor time: only what it computes is limited
PARTS_SECONDS = 0.5  # of processor time, after which no further part of an answer is asked of the worker
DEFAULT_ROUNDING = 6  # math-verify's own: decimals to which a decimal and an exact value are compared

_BETWEEN = re.compile(r",\s+|;\s*|\s+and\s+|\s*\\text\s?\{\s*and\s*\}\s*")
_ATTACHED_LETTERS = re.compile(r"[0-9.}]([A-Za-z]{1,2})$")
_SCALED_MONEY = re.compile(r"[$€£¥₹₽₩]\s?[0-9][0-9.,]*\s?[kKMB]\W*$")  # "$45.2M"
_DECIMAL_COMMA = re.compile(r"(?<![0-9])[0-9]+,[0-9]+(?![0-9])")
_TWO_DIGITS = re.compile(r"\$?-?(?!0)[0-9]+,[0-9]\$?")
_NUMBER_AND_WORDS = re.compile(r"[-+]?[0-9][0-9.,]*\s[^\W\d_]{1,20}(?:\s\S+){0,4}")
_WORDS_WRAPPED = re.compile(r"\\(?:text[a-z]*|mathrm|mbox)\s?\{[^{}]*[A-Za-z][^{}]*\}\s*$")
_OTHER_BASE = re.compile(r"[0-9]\)?\s{0,3}(?:_\s{0,3}\{?\s{0,3}[0-9]|['′]|\^\s?\{?\s?\\prime)")
_BASED = re.compile(r"\(?([0-9A-Za-z]{1,40})\)?(?:\s?_\s?\{?\s?([0-9]{1,2})\s?\}?)?")
_GOES_ON = re.compile(r"[0-9}]\s?(?:\.\.\.|…|\\[lc]?dots(?![A-Za-z]))")
_ASKS_POINT = re.compile(
    r"\b(?:points?|coordinates|ordered pairs?|vert(?:ex|ices)|cent(?:er|re)|intersect\w*|midpoint|vector)\b|坐标|点|"
    r"punto|Punkt",
    re.IGNORECASE,
)
_EXCLUDES = re.compile(r"≠|\\ne|[<>]|\\[lg]e|\\infty|∞|\\cup|\\set|mathbb|ℝ|real|\{|all").search
_ASKS_CHANCE = re.compile(r"\b(?:probability|chances?|likelihood|fraction)\b", re.IGNORECASE)
_A_NUMBER = rf"([0-9]{{1,6}}|{'|'.join(WORDS)})"
_OUT_OF = re.compile(rf"(?<![0-9./])\b{_A_NUMBER}\s(?:out of|in)\s{_A_NUMBER}\b(?![./][0-9])", re.IGNORECASE)
_OPTION = re.compile(r"^\(([A-Z])\)$")
_OPTIONS = re.compile(r"\(?[A-Z]\)?(?:(?:,|,?\s?(?:and|or))\s?\(?[A-Z]\)?)+\.?")
_LETTERS = re.compile(r"[A-Za-z]+")
_CONSTANTS = frozenset(("e", "i", "pi", "inf", "infinity", "j"))
_PROSE = re.compile(r"[A-Za-z ,.'()]+")
_WORD = re.compile(r"[A-Za-z]{2,}")


def load_workers() -> None:
    """Begins to load the workers' libraries and returns at once."""
    pool().start()


@verifier("math", prepare=load_workers)
def math(problem: Problem, response: str) -> Verdict:
    r"""A mathematical answer: number, expression, equation, inequality, set, interval, tuple, list or matrix.

    Accepts every form that is equal to the gold: `\frac{1}{2}` and 0.5, `2n+1` and `a_n = 2n+1`, `x \le 5` and
    `5 \ge x`, `\{1,2\}` and `2, 1`, `\boxed{1}` and `\boxed{2}` for a gold of two values. A decimal equals an exact
    value where both round to the same 6 decimals. Rejects another value, another unit, a different number of values,
    two answers, prose that hedges or negates, no answer; also answers over 1,000 characters, over 40 levels of nesting,
    or that need more than the time or memory of one answer.

    metadata:
    precision                decimals to round to (a whole number), an absolute tolerance (a fraction below 1), or a
                             list of absolute tolerances, one for each value of a gold list
    tolerance, relative_tolerance   as in `number`, for answers that are plain numbers
    strict                   true (default): variables must have the gold's names
    allow_set_relation_comp  whether a relation may stand for a set, `-2 \le x \le 7` for `[-2, 7]`: by default where
                             the question asks for no point, of which `(2, 5)` may be the coordinates
    unit, accepted           as in `number`

    A worker that dies or gets no processor time is raised as WorkerFault, which the judge turns into a fault.
    """
    golds, question = golds_of(problem), problem.question
    said = extract(response).answer if any(map(_is_prose, golds)) else None
    if said is not None and normalise(said) in map(normalise, golds):
        return Verdict.right(said)  # "No solution" is no denial here
    if ("\\ne" in response or "≠" in response) and not any(map(_EXCLUDES, golds)):
        response = without_excluded_points(response)
    if (" in " in response or " out of " in response) and _ASKS_CHANCE.search(question):
        response = _OUT_OF.sub(lambda m: "/".join(str(WORDS.get(n.lower(), n)) for n in m.groups()), response)
    extraction = declared_mathematics(response, question)
    if not extraction.declared and (said := named_values(response, problem.answer)):
        extraction = Extraction(said, "sentence", candidates=(said,))
    if extraction.answer is None:
        return Verdict.wrong(extraction.note)
    if names_another_figure(extraction.answer, question):
        return Verdict.wrong("another segment or angle", extraction.answer)
    answer = list(extraction.candidates)
    note = "another value"
    for text in golds:
        gold = gold_parts(text)
        equal, note = equivalent(gold, answer, problem.metadata, f"{question} {text}")
        if equal:
            return Verdict.right(extraction.answer, note)
    return Verdict.wrong(note, extraction.answer)


def equivalent(gold: list[str], answer: list[str], metadata: Mapping[str, Any], question: str = "") -> tuple[bool, str]:
    """(whether the answer equals the gold, how that was decided); both are the parts of one answer.

    Raises WorkerFault if the worker process failed.
    """
    decided = plainly(gold, answer, metadata, question)
    if decided is not None:
        return decided, "" if decided else "another value"
    reason = next((r for part in answer if (r := too_complex(part))), None)
    if reason is not None:
        return False, reason
    if any(_OTHER_BASE.search(part) for part in answer) and not any(_OTHER_BASE.search(part) for part in gold):
        value = _in_base(answer)
        return (True, "") if value and _in_base(gold) == (value[0], 10) else (False, "another base, or a prime")
    if (wanted := _in_base(gold)) is not None and wanted[1] != 10:  # the base is asked for
        return (True, "") if _in_base(answer) == wanted else (False, "another base")
    if any(_GOES_ON.search(part) for part in answer) and not any(_GOES_ON.search(part) for part in gold):
        return False, "a number that goes on"
    cut = [[split_unit(spelled(part)) for part in side] for side in (gold, answer)]
    units = [{unit for text, suffix in side if (unit := read_unit(suffix)) is not None} for side in cut]
    if units[1] and (units[0] != units[1] if units[0] else not all(speaks_of(question, unit) for unit in units[1])):
        return False, "wrong unit"
    texts = [[text for text, _ in side] for side in cut]
    worker = _Worker(metadata)
    rules = EqualityRules(
        worker.ask, worker.rounding, metadata.get("allow_set_relation_comp"), "precision" in metadata,
        _ASKS_POINT.search(question) is not None, speaks_of(question, DEGREE), question,
    )  # fmt: skip
    try:
        same = same_answer(texts[0], texts[1], rules) if metadata.get("strict", True) else None
        same = worker.equal(texts[0], texts[1]) if same is None else same
    except TooHeavy as limit:
        return False, str(limit)
    return same, "" if same else worker.note or "another value"


def _in_base(parts: list[str]) -> tuple[int, int] | None:
    """The value and the base of `1101_2` or of a whole number; None for everything else, and for one digit with an
    index, which may be a name.
    """
    match = _BASED.fullmatch(parts[0].strip()) if len(parts) == 1 else None
    if match is None or (match[2] and len(match[1]) == 1):
        return None
    base = int(match[2] or 10)
    fits = 2 <= base <= 36 and all(int(digit, 36) < base for digit in match[1])
    return (int(match[1], base), base) if fits else None


class _Worker:
    """Asks math-verify in a worker process whether two values of one kind are equal, for one answer."""

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        self.strict = bool(metadata.get("strict", True))
        self.relations = bool(metadata.get("allow_set_relation_comp", False))
        self.rounding, self.relative = _decimals(metadata.get("precision")), "precision" not in metadata
        self.note = ""
        self.spent: list[float] = []  # processor seconds of each part

    def ask(self, gold: str, answer: str) -> bool:
        """As `equal`, of two texts."""
        return self.equal([gold], [answer])

    def equal(self, gold: list[str], answer: list[str]) -> bool:
        """Whether two answers in parts are equal. Raises TooHeavy where the answer takes too long, all parts together,
        and WorkerFault if the worker failed."""
        if any(map(_WORDS_WRAPPED.search, answer)) and not any(map(_WORDS_WRAPPED.search, gold)):
            self.note = "words that are no unit"
            return False
        if sum(self.spent) > PARTS_SECONDS:
            raise TooHeavy("takes more time than one answer may have")
        reply = pool().ask(
            {"gold": gold, "answer": answer, "strict": self.strict, "rounding": self.rounding,
             "relations": self.relations, "relative": self.relative},
            spent=self.spent,
        )  # fmt: skip
        self.note = f"could not be compared ({reply['error']})" if "error" in reply else ""
        return "error" not in reply and bool(reply["equal"])


def plainly(gold: list[str], answer: list[str], metadata: Mapping[str, Any], question: str = "") -> bool | None:
    """The verdict on plain cases: equal text, moments, numbers, lists of them, letters. None: it takes mathematics."""
    if gold == answer and any(gold):
        return True
    if len(gold) == len(answer) == 1 and (decided := _moments(gold[0], answer[0], question)) is not None:
        return decided
    asked = " ".join((question, *gold))
    named = any("=" in part for part in gold)
    numbers = _gold_numbers(tuple(gold), asked, named), _numbers(answer, asked, named)
    if numbers[0] and numbers[1]:
        same = len(numbers[0]) == len(numbers[1]) and _same_numbers(numbers[0], numbers[1], metadata, question)
        comma = any(_DECIMAL_COMMA.search(part) for part in (*gold, *answer))
        return same if same or not comma else None  # 1,2 may be two values
    forms = [plain_form(part) for part in gold], [plain_form(part) for part in answer]
    if forms[0] == forms[1] and any(forms[0]):
        return True
    if not any(forms[1]):
        return False
    if len(gold) == len(answer) == 1:
        one, other = (_OPTION.sub(r"\1", form) for form in (forms[0][0], forms[1][0]))
        if len(one) == 1 and one.isupper():  # an option's letter: no formula without that letter is equal to it
            if one == other:
                return True
            if not re.search(rf"(?<![A-Za-z\\]){one}(?![A-Za-z])", other) or _OPTIONS.fullmatch(other):
                return False  # the second: several letters
        if normalise(one) == normalise(other) and len(one) > 1 and _LETTERS.fullmatch(one):
            return True
        if numbers[0] and _NUMBER_AND_WORDS.fullmatch(clean(answer[0])):
            return False  # "7 million" is read as a number; what is left here is none
        kinds = [
            "number" if n else "letters" if _LETTERS.fullmatch(f) and f not in _CONSTANTS else ""
            for n, f in ((numbers[0], one), (numbers[1], other))
        ]
        if {*kinds} == {"number", "letters"} or (numbers[0] and _is_prose(other)):
            return False
        if kinds == ["letters", "letters"] and (len(one) == 1 or len(other) == 1):
            return False if len(one) != len(other) or metadata.get("strict", True) else None
    return None


def _moments(gold: str, answer: str, question: str) -> bool | None:
    """The verdict where one side is a date, a time or a score: none of them is arithmetic, and no time is a ratio."""
    one, other = read_moment(gold, question), read_moment(answer, question)
    if one is None and (other is None or ":" in gold):
        return None
    return one is not None and other is not None and one.kind == other.kind and bool(one.value & other.value)


def _is_prose(text: str) -> bool:
    """Whether a text is words without a number among them: "No solution"."""
    words = _WORD.findall(text)
    if len(words) < 2 or not _PROSE.fullmatch(text):
        return False
    return not any(word.casefold() in NUMBER_WORDS or word.casefold() in _CONSTANTS for word in words)


@lru_cache(maxsize=1024)
def _gold_numbers(parts: tuple[str, ...], asked: str, named: bool) -> list[Quantity]:
    if any(_TWO_DIGITS.fullmatch(part) for part in parts):
        return []  # `1,2` of a gold are two values
    return _numbers(list(parts), asked, named)


def _numbers(parts: list[str], asked: str, named: bool = False) -> list[Quantity]:
    """The parts as plain numbers: one part may list several; [] where anything else is among them.

    named  names count, so that `x = 5` is no plain number
    """
    found = []
    if any("=" in part for part in parts) and (named or len(parts) > 1 or "," in parts[0]):
        return []
    for part in parts:
        whole = _quantity(part, asked)
        pieces = [whole] if whole is not None else [_quantity(p, asked) for p in _BETWEEN.split(part)]
        if len(pieces) > 100 or any(p is None for p in pieces):
            return []
        found += [p for p in pieces if p is not None]
    return found


def _quantity(text: str, asked: str) -> Quantity | None:
    """A number; letters right behind it are a unit only where question or gold have it, else factors."""
    quantity = read_quantity(text, asked)
    if (
        quantity is None
        or quantity.unit is None
        or _SCALED_MONEY.search(text)
        or (letters := _ATTACHED_LETTERS.search(text.rstrip(". "))) is None
    ):
        return quantity
    return quantity if re.search(rf"(?<![A-Za-z0-9.}}]){letters[1]}(?![A-Za-z])", asked) else None


def _same_numbers(gold: list[Quantity], answer: list[Quantity], metadata: Mapping[str, Any], question: str) -> bool:
    """Whether every gold value has an answer of its own, in any order; `precision` may give each its own tolerance."""
    precision = metadata.get("precision")
    if isinstance(precision, (list, tuple)) and len(precision) != len(gold):
        return False
    remaining = list(answer)
    for place, value in enumerate(gold):
        if isinstance(precision, (list, tuple)):
            near = [a for a in remaining if abs(a.value - value.value) <= Fraction(str(precision[place]))]
        else:
            near = [a for a in remaining if _same_number(value, a, metadata, question)]
        if not near:
            return False
        remaining.remove(near[0])
    return True


def _same_number(gold: Quantity, answer: Quantity, metadata: Mapping[str, Any], question: str) -> bool:
    if differs(answer, gold, question, metadata) is None:
        return True
    if gold.percent and not answer.percent and answer.unit is None and within(answer.value * 100, gold.value, metadata):
        return True  # 0.28 for 28%
    units = {q.unit for q in (gold, answer) if q.unit is not None}
    return gold.percent == answer.percent and len(units) < 2 and is_rounded(answer.value, gold.value)


def _decimals(precision: Any) -> int:
    if isinstance(precision, (int, float)) and 0 <= precision <= 15 and precision == int(precision):
        return int(precision)
    return DEFAULT_ROUNDING


@cache
def pool() -> WorkerPool:
    """The worker processes of this process; they start with `prepare` or the first answer that needs them."""
    return WorkerPool(
        Path(__file__).parents[1] / "math" / "math_worker.py", wall_seconds=STARVED_SECONDS, waits_while_working=True
    )
