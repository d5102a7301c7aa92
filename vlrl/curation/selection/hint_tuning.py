"""SFT data that thinks as much as a model needs (Hint Tuning): an instruct model probes how much of a trace that is.

Every problem with a worked trace is asked without a hint, then behind the first node of the trace, the first two, and
on: the response is begun with that much of the thinking, closed, and the model writes the rest. The fewest nodes with
which it is right make the demonstration; where none are enough it is the whole trace. Each of the three cases opens in
its own words, so that the model that learns from them decides by its first words how much to think.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from vlrl.config import Settings
from vlrl.curation.asked_prompts import check_template, wrapped
from vlrl.curation.selection.difficulty import too_few_judged
from vlrl.curation.stage import Answered, Ask, Question
from vlrl.data.problem_files import read_demonstrations
from vlrl.errors import ConfigError
from vlrl.rollout.engine import Sampling
from vlrl.types import Demonstration, Problem
from vlrl.verify.judge import judge
from vlrl.verify.traces.nodes import trace_of

STAGE = "hints"
THOUGHT = "{thought}"


class Openings(Settings):
    """The first words of the thinking (ours; the paper's depend on its model)."""

    none: str = Field(default="This needs no working out.", description="where no hint is needed")
    hint: str = Field(default="A few steps are enough.", description="where the beginning of a trace is enough")
    full: str = Field(default="This has to be worked out.", description="where the whole trace is")

    @model_validator(mode="after")
    def _tell_apart(self) -> Openings:
        if len({self.none, self.hint, self.full}) < 3:
            raise ValueError("two openings are the same: nothing would tell the three cases apart")
        return self


class HintSettings(Settings):
    """How much of a trace a model needs, and what is written."""

    traces: str = Field(
        description="problem file with worked responses to the problems, e.g. demonstrations.jsonl of a curation with "
        "a stronger model; of several to a problem the first right one counts"
    )
    samples: int = Field(default=1, ge=1, description="responses at each length of the hint")
    min_correct: int = Field(default=1, ge=1, description="right ones of these from which a hint is enough")
    most: int = Field(default=8, ge=0, description="nodes of the longest hint; beyond that the whole trace is taken")
    separators: tuple[str, ...] = Field(
        default=(), description="texts that part nodes besides the ends of sentences and lines, e.g. [';']"
    )
    openings: Openings = Openings()
    begin: str = Field(
        default="<think>{thought}</think>\n", description="how thinking is written; must hold {thought} once"
    )
    prompt: str = Field(default="{question}", description="template around the question; must hold {question}")
    sampling: Sampling = Field(
        default=Sampling(temperature=0.0, max_tokens=512), description="of what follows the hint"
    )
    _template = check_template("prompt")

    @field_validator("begin")
    @classmethod
    def _holds_the_thought(cls, given: str) -> str:
        if given.count(THOUGHT) != 1:
            raise ValueError(f"must hold {THOUGHT} once, where the hint goes")
        return given

    @model_validator(mode="after")
    def _reachable(self) -> HintSettings:
        if self.min_correct > self.samples:
            raise ValueError(f"min_correct {self.min_correct} of {self.samples} samples can't be reached")
        return self

    def thinking(self, opening: str, thought: str) -> str:
        """Closed thinking: an opening, and what of a trace follows it."""
        return self.begin.replace(THOUGHT, f"{opening} {thought}".strip())

    def check_traces(self) -> None:
        """Raises ConfigError where the file isn't there."""
        if not Path(self.traces).expanduser().is_file():
            raise ConfigError("hints.traces", f"no such file: {self.traces}", "check the path")


@dataclass(frozen=True)
class Worked:
    """A problem with a trace: what stands in its nodes up to each one, and the end of the response behind them.

    thoughts  (n,) the thinking up to the end of each node, as it was written
    end       what was written behind the thinking
    """

    problem: Problem
    thoughts: tuple[str, ...]
    end: str


@dataclass(frozen=True)
class HintSet:
    """The demonstrations, where each came from, and how many problems were in each case: in all, the problems asked.

    cases  "no hint", "hint", "full trace"; or why there is none: "no right trace", "the verifier broke"
    """

    demonstrations: tuple[Demonstration, ...]
    provenance: tuple[Mapping[str, Any], ...]
    problems: int
    cases: Mapping[str, int]

    def __post_init__(self) -> None:
        if sum(self.cases.values()) != self.problems:
            raise RuntimeError(f"{self.problems} problems had hints looked for, the cases are {dict(self.cases)}")

    def record(self) -> dict[str, Any]:
        """As results.json holds it."""
        nodes = Counter(one["nodes"] for one in self.provenance if one["case"] == "hint")
        return {
            "problems": self.problems,
            "demonstrations": len(self.demonstrations),
            "cases": dict(self.cases),
            "hints_by_nodes": {str(count): nodes[count] for count in sorted(nodes)},
        }


def tune_hints(problems: Sequence[Problem], settings: HintSettings, ask: Ask) -> HintSet:
    """Find the fewest nodes for each problem, all problems at one length together. Raises what `ask` and reading do."""
    traces: dict[str, list[str]] = {}
    for demonstration in read_demonstrations(Path(settings.traces).expanduser()):
        traces.setdefault(demonstration.problem.id, []).append(demonstration.response)
    found: dict[int, tuple[str, int, str]] = {}  # by place: case, nodes, response
    worked = {place: one for place, p in enumerate(problems) if (one := worked_of(p, traces.get(p.id, ()), settings))}
    open_places = list(worked)
    broken: set[int] = set()
    for nodes in range(settings.most + 1):
        asked = [place for place in open_places if nodes == 0 or nodes < len(worked[place].thoughts)]
        if not asked:
            continue
        begins = [_begun(settings, worked[place], nodes) for place in asked]
        questions = [
            Question(problems[place], wrapped(problems[place], settings.prompt), begin=begin)
            for place, begin in zip(asked, begins, strict=True)
        ]
        answers = ask(STAGE, questions, settings.sampling, settings.samples)
        for place, answered in zip(asked, answers, strict=True):
            if too_few_judged(answered):
                broken.add(place)
            elif answered.correct >= settings.min_correct and (said := _first_right(answered)) is not None:
                found[place] = ("hint" if nodes else "no hint", nodes, said)
        open_places = [place for place in open_places if place not in found and place not in broken]
    for place in open_places:
        whole = worked[place]
        thinking = settings.thinking(settings.openings.full, whole.thoughts[-1] if whole.thoughts else "")
        found[place] = ("full trace", len(whole.thoughts), thinking + whole.end)
    cases = Counter(case for case, _, _ in found.values())
    cases |= {"no right trace": len(problems) - len(worked), "the verifier broke": len(broken)}
    provenance = [
        {
            "problem": problems[place].id,
            "case": case,
            "nodes": nodes,
            "of": len(worked[place].thoughts),
            "model_hash": ask.model_hash,
            "seed": ask.seed,
        }
        for place, (case, nodes, _) in sorted(found.items())
    ]
    demonstrations = [Demonstration(problems[place], said) for place, (_, _, said) in sorted(found.items())]
    return HintSet(tuple(demonstrations), tuple(provenance), len(problems), {k: v for k, v in cases.items() if v})


def worked_of(problem: Problem, responses: Sequence[str], settings: HintSettings) -> Worked | None:
    """The first right response whose trace can be taken apart, and is right with an opening in front; None: none is."""
    for response in responses:
        whole = response.strip()
        trace = trace_of(problem, whole, settings.separators) if judge(problem, whole).correct else None
        if trace is None:
            continue
        first = trace.nodes[0][0] if trace.nodes else 0
        thoughts = tuple(whole[first:stop] for _, stop in trace.nodes)
        one = Worked(problem, thoughts, trace.answer())
        if judge(
            problem, settings.thinking(settings.openings.full, thoughts[-1] if thoughts else "") + one.end
        ).correct:
            return one
    return None


def _begun(settings: HintSettings, worked: Worked, nodes: int) -> str:
    """What a response begins with behind this many nodes."""
    if not nodes:
        return settings.thinking(settings.openings.none, "")
    return settings.thinking(settings.openings.hint, worked.thoughts[nodes - 1])


def _first_right(answered: Answered) -> str | None:
    """The first right response that ended by itself."""
    for rollout, verdict in zip(answered.rollouts, answered.verdicts, strict=True):
        if verdict.correct and rollout.finish_reason == "stop":
            return rollout.text.strip()
    return None
