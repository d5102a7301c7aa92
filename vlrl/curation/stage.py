"""What a stage of curation is: a small class that gives one decision for every problem it is shown, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import Field

from vlrl.config import Settings
from vlrl.registry import Registry
from vlrl.rollout.engine import Sampling
from vlrl.types import Problem, Rollout, Verdict

Outcome = Literal["kept", "dropped", "fault"]


@dataclass(frozen=True)
class Decision:
    """What a stage says of one problem.

    problem   as it goes on (a stage may rewrite it); of a dropped one, as it came in
    outcome   kept, dropped, or fault: the *verifier* broke, so nothing is known; counted apart from both
    reason    why it was dropped or is a fault: a short label that is counted
    detail    what the label says for this problem alone, for the report
    measured  figures of this problem, e.g. {"pass_rate": 0.3, "judged": 10}
    pool      the name of a file that a dropped problem goes to, instead of nowhere
    """

    problem: Problem
    outcome: Outcome = "kept"
    reason: str = ""
    detail: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict)
    pool: str | None = None

    def __post_init__(self) -> None:
        if (self.outcome == "kept") == bool(self.reason):
            raise ValueError(f"Decision: {self.outcome!r} with reason {self.reason!r}; kept ones alone have none")


@dataclass(frozen=True)
class Answered:
    """The n responses to one problem, each with its verdict."""

    rollouts: tuple[Rollout, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def judged(self) -> int:
        """Responses with a verdict, that is without a fault."""
        return sum(verdict.fault is None for verdict in self.verdicts)

    @property
    def correct(self) -> int:
        """Right responses."""
        return sum(verdict.correct for verdict in self.verdicts)

    @property
    def faults(self) -> tuple[str, ...]:
        """What broke, once for every faulted response."""
        return tuple(verdict.fault for verdict in self.verdicts if verdict.fault is not None)


@dataclass(frozen=True)
class Question:
    """A problem as the model is asked it (`asked`: other text, images removed) and as it is judged (`problem`).

    judged_by  judges a response to something else than the problem's own question, instead of its verifier
    begin      what every response begins with; the model writes on behind it
    """

    problem: Problem
    asked: Problem
    judged_by: Callable[[str], Verdict] | None = None
    begin: str = ""


class Ask(Protocol):
    """Asks a model: n responses to every question, in order, none asked again that was answered before."""

    model_hash: str
    seed: int

    def __call__(self, stage: str, questions: Sequence[Question], sampling: Sampling, n: int) -> list[Answered]: ...


@dataclass(frozen=True)
class Context:
    """What a stage may use besides its settings. `ask` is None where no stage and no warm-up set needs a model.

    told  called now and then with the number of problems that are done, for stages without a model
    """

    seed: int
    ask: Ask | None = None
    told: Callable[[int], None] = lambda done: None

    @property
    def model(self) -> Ask:
        """`ask`, where the settings made sure that there is one."""
        assert self.ask is not None, "a stage that asks a model runs with a model; the settings check this"
        return self.ask


class Stage(Settings):
    """Base of every stage: its settings, and `decide`. `label` tells two stages of one kind apart in the report."""

    label: str = Field(default="", description="the stage's name in the report; default: the name of its kind")

    def asks(self) -> tuple[str, int] | None:
        """The template in which a model is asked and the most tokens that it may answer with; None: none is asked."""
        return None

    @property
    def needs_model(self) -> bool:
        """Whether the stage asks a model."""
        return self.asks() is not None

    def check(self) -> None:
        """Raises ConfigError for what the stage needs and this host lacks; called before a model is loaded."""

    def decide(self, problems: Sequence[Problem], context: Context) -> list[Decision]:
        """One decision for every problem, in order."""
        raise NotImplementedError


stages: Registry[type[Stage]] = Registry("curation stage")


def stage_name(stage: Stage) -> str:
    """The label, or else the name that the stage's class is filed under."""
    return stage.label or next(name for name in stages if stages.get(name) is type(stage))
