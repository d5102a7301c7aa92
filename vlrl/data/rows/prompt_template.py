r"""How a source asks its problems: a template around the question, and a system prompt of its own.

    prompt_template: "{question}\nThink step by step, then put your answer in \boxed{}."

Both belong to the problem from then on: in training, evaluation and curation it is asked in the same words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vlrl.types import Problem, Text

QUESTION = "{question}"


def check_prompt_template(template: str) -> str:
    """The template. Raises ValueError unless it holds {question} once."""
    if template.count(QUESTION) != 1:
        raise ValueError("a template holds {question} once, where the question is to stand")
    return template


def wrapped(problem: Problem, template: str) -> Problem:
    """The problem with the template's text before and after its prompt."""
    before, _, after = template.partition(QUESTION)
    pieces = [*([Text(before)] if before else []), *problem.prompt, *([Text(after)] if after else [])]
    return replace(problem, prompt=tuple(pieces))


@dataclass(frozen=True)
class Asking:
    """How a source asks. `system` None leaves the run's own system prompt, "" is none at all."""

    template: str = QUESTION
    system: str | None = None

    def of(self, problem: Problem) -> Problem:
        """The problem in these words; `untemplated_id` tells which one it was."""
        if self == Asking() and problem.system is None:
            return problem
        system = problem.system if self.system is None else self.system
        bare = replace(problem, system=None) if problem.system is not None else problem
        return replace(wrapped(problem, self.template), system=system, untemplated_id=bare.id)
