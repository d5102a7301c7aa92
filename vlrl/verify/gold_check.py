"""Whether a problem's gold can be earned at all: given as the answer, it must score 1 by the problem's own verifier.

A gold that its verifier can't read, that is none of the options or that nobody can match silences its problem for a
whole run. `gold_problem` finds it when the data is loaded.
"""

from __future__ import annotations

from vlrl.errors import ConfigError
from vlrl.types import Problem
from vlrl.verify.combine import COMBINING, parts_of
from vlrl.verify.extract import extract
from vlrl.verify.judge import declared_gold, judge

_FORMS = ("<answer>{}</answer>", r"\boxed{{{}}}", "{}")  # a plugin may read only one of them


def gold_problem(problem: Problem) -> str | None:
    """One sentence that says what is wrong with the problem's gold, or None where it scores 1 when given as the answer.

    Also None where the verifier's golds can't be checked in this way (`verifier(…, gold=None)`: a model judges, or a
    program is run). Needs no more than a verdict or three; safe in worker processes. Raises ConfigError for an unknown
    verifier.
    """
    try:
        if problem.verifier in COMBINING:
            return next((found for part in parts_of(problem) if (found := gold_problem(part))), None)
        declared = declared_gold(problem)
    except ConfigError:
        raise
    except Exception as error:  # a gold that its verifier refuses to declare: whatever it says is the reason
        return _one_line(str(error))
    if declared is None:
        return None
    if not any(declared):
        return "the gold is empty"
    note = ""
    for answer in declared:
        for form in _FORMS:
            verdict = judge(problem, form.format(answer))
            if verdict.fault is None and verdict.score == 1.0:
                return None
            note = note or verdict.fault or (verdict.note if verdict.score == 0 else f"it scores {verdict.score:g}")
    return _one_line(f"the verifier {problem.verifier!r} gives the gold {_short(problem.answer)} no full score: {note}")


def accepts(problem: Problem, answer: str) -> bool:
    """Whether the problem's verifier takes a text for its gold; True where a model judges or a program is run, which
    can't be asked here. Raises ConfigError for an unknown verifier."""
    if not _can_be_asked(problem):
        return True
    verdicts = (judge(problem, form.format(answer)) for form in _FORMS)
    return any(verdict.fault is None and verdict.score == 1.0 for verdict in verdicts)


def response_problem(problem: Problem, response: str) -> str | None:
    """One sentence where a worked response declares another answer than the gold; None where it doesn't.

    Only what stands in a tag, a box or a declaring phrase is an answer that a response commits to. None, too, where a
    model judges or a program is run, and where the gold itself can't be read. Raises ConfigError as `gold_problem`.
    """
    found = extract(response)
    if found.answer is None or found.how not in ("tag", "box", "json", "phrase"):
        return None
    if not _can_be_asked(problem):
        return None
    verdict = judge(problem, response)
    if verdict.fault is not None or verdict.score > 0:
        return None
    return _one_line(f"its response answers {_short(found.answer)}, its gold is {_short(problem.answer)}")


def _can_be_asked(problem: Problem) -> bool:
    """Whether the verifier can be asked here: not where a model judges or a program is run."""
    try:
        return problem.verifier in COMBINING or declared_gold(problem) is not None
    except ConfigError:
        raise
    except Exception:  # a gold that its verifier refuses; `gold_problem` says so
        return False


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")


def _one_line(text: str) -> str:
    return " ".join(text.split())
