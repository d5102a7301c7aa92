"""Which questions can be guessed or not checked at all by their form: multiple choice, true/false, proof (k1.5
§2.1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from vlrl.curation.matching.text_words import typed_text
from vlrl.curation.selection.open_answer import NotOpen, to_open_answer
from vlrl.curation.stage import Context, Decision, Stage, stages
from vlrl.errors import DataError
from vlrl.types import Problem
from vlrl.verify.values.normaliser import normalise

Kind = Literal["multiple choice", "true/false", "proof"]

# what a true/false question may be answered with
_TWO_VALUED = frozenset({"yes", "no", "true", "false"})
_ASKS_TRUE_FALSE = re.compile(r"\btrue (?:or|/) ?false\b|\b(?:yes or no|yes/no)\b", re.IGNORECASE)
# options written into the text: (A) … (B) …, or lines A. … B. … / A) … B) …
_IN_BRACKETS = re.compile(r"\(A\)\s?\S.*?\(B\)\s?\S", re.DOTALL)
_ON_LINES = re.compile(r"^\s*(?:A[.):]|\[A\])\s?\S.*^\s*(?:B[.):]|\[B\])\s?\S", re.DOTALL | re.MULTILINE)
_IN_ONE_LINE = re.compile(r"(?<!\w)A[.)]\s\S[^\n]*(?<!\w)B[.)]\s\S[^\n]*(?<!\w)C[.)]\s\S")
# a demand to prove stands at the start of a sentence (or after its number, or after "then", "and", "please")
_PROOF = re.compile(
    r"(?:^|(?<=[.!?:;])\s|\n|[.,;]\s(?:then|and)\s|\b(?:then|please|to)\s)\s*(?:\(?[a-z0-9]{1,2}[.)]\s+)?(?:please\s+)?"
    r"(?:prove|disprove|show|demonstrate|deduce)\s(?:or disprove\s)?"
    r"(?:that\b|the (?:following|theorem|lemma|identity|inequality|statement|claim|converse)\b|or disprove\b|\$|:)",
    re.IGNORECASE,
)
_PROOF_OF = re.compile(
    r"\b(?:give|write|provide|present|complete|find) (?:a|the|your|another) (?:\w+ )?proof\b", re.IGNORECASE
)
_ASKS_VALUE = re.compile(
    r"\?|\b(?:find|compute|calculate|determine|evaluate|how (?:many|much|long|far|old)|what is|what are)\b",
    re.IGNORECASE,
)


def format_of(problem: Problem) -> Kind | None:
    """The form that makes a question guessable or uncheckable; None for an open question with an answer."""
    text = typed_text(problem)
    options = [normalise(str(option)) for option in problem.metadata.get("choices") or ()]
    answer = normalise(problem.answer)
    if answer in _TWO_VALUED and (not options or set(options) <= _TWO_VALUED):
        return "true/false"
    if _ASKS_TRUE_FALSE.search(text) and (answer in _TWO_VALUED or answer in ("t", "f", "y", "n")):
        return "true/false"
    if len(options) > 1 or problem.verifier == "choice" or _lists_options(text):
        return "multiple choice"
    return "proof" if _asks_proof(text) else None


def _lists_options(text: str) -> bool:
    return any(pattern.search(text) for pattern in (_IN_BRACKETS, _ON_LINES, _IN_ONE_LINE))


def _asks_proof(text: str) -> bool:
    """A demand to prove, without a value asked for beside it ("Show that f is odd. Find f(0).") or after it."""
    match = _PROOF.search(text) or _PROOF_OF.search(text)
    return match is not None and not _ASKS_VALUE.search(text[match.end() :] + text[: match.start()])


@stages.register("formats")
class Formats(Stage):
    """Leave out, keep or rewrite questions by form. `open` makes an open question of a multiple choice one, where the
    question can stand without its options and the answer can be checked; the others are dropped."""

    multiple_choice: Literal["drop", "open", "keep"] = "drop"
    true_false: Literal["drop", "keep"] = "drop"
    proof: Literal["drop", "keep"] = "drop"

    def decide(self, problems: Sequence[Problem], context: Context) -> list[Decision]:
        """One decision for every problem, in order."""
        return [self._decide(problem) for problem in problems]

    def _decide(self, problem: Problem) -> Decision:
        kind = format_of(problem)
        if kind is None or (kind == "true/false" and self.true_false == "keep"):
            return Decision(problem)
        if kind == "proof":
            return Decision(problem) if self.proof == "keep" else Decision(problem, "dropped", "proof")
        if kind == "true/false":
            return Decision(problem, "dropped", "true/false", f"the answer is {problem.answer!r}")
        if self.multiple_choice == "keep":
            return Decision(problem)
        if self.multiple_choice == "drop":
            return Decision(problem, "dropped", "multiple choice")
        return self._open(problem)

    @staticmethod
    def _open(problem: Problem) -> Decision:
        try:
            opened = to_open_answer(problem)
        except NotOpen as error:
            return Decision(problem, "dropped", "multiple choice that needs its options", str(error))
        except DataError as error:
            return Decision(problem, "fault", "the gold is none of the options", str(error))
        return Decision(opened, measured={"opened": 1})
