"""Long-CoT warm-up sets by prompting and rejection sampling (k1.5 §2.2;).

Every problem is asked n times with a prompt that asks for planning, evaluation, reflection and exploration; responses
whose answer is verified are kept, the shortest first, at most this many a problem. The demonstration is the *plain*
problem with the response: the prompt that elicited it is not learned, its id is kept beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from vlrl.config import Settings
from vlrl.credit.rewards.declared_budget import FOLDED, Declaration, cost_of, declaration_text
from vlrl.curation.asked_prompts import check_template, wrapped
from vlrl.curation.selection.markers import marker_report
from vlrl.curation.selection.short_answers import preference_pairs
from vlrl.curation.selection.trimming import Kept, TrimSettings, trim, trim_report, trimmed_length, trimmed_pairs
from vlrl.curation.stage import Answered, Ask, Question
from vlrl.rollout.engine import Sampling
from vlrl.types import Demonstration, Preference, Problem, content_digest
from vlrl.verify.traces.overthinking import overthinking_metrics

STAGE = "warmup"
LONG_COT = (
    "{question}\n\nThink inside <think>…</think> before you answer. Plan the steps first. Check every step as you go. "
    "When something does not fit, say so and go back. If one way leads nowhere, try another. Then write only the final "
    "answer inside <answer>…</answer>."
)


class WarmupSettings(Settings):
    """How demonstrations are sampled and which of them stay."""

    samples: int = Field(default=8, ge=1, description="responses a problem")
    keep: int = Field(default=1, ge=1, description="verified responses a problem that stay, at most")
    order: Literal["shortest", "longest", "first"] = Field(default="shortest", description="which of the verified ones")
    prompt: str = Field(
        default=LONG_COT, description="template that elicits the chain of thought; must hold {question}"
    )
    sampling: Sampling = Sampling(temperature=1.0, max_tokens=2048)
    min_tokens: int = Field(default=1, ge=1, description="shorter responses don't stay: no chain of thought")
    problems: int | None = Field(default=None, ge=1, description="ask the first this many kept problems alone")
    pairs: float | None = Field(
        default=None,
        gt=1.0,
        description="write preferences.jsonl, too: the shortest right response against longer wrong ones and against "
        "right ones of this many times its length (k1.5: 1.5)",
    )
    trim: TrimSettings | None = Field(
        default=None,
        description="right responses are cut behind their earliest right answer before they are chosen; `{}` takes the "
        "defaults, null leaves them whole",
    )
    declare: bool = Field(
        default=False,
        description="responses begin with what BET declares, from the problem's own pass rate and lengths; a problem "
        "without a right one is a demonstration of giving up",
    )
    _template = check_template("prompt")


@dataclass(frozen=True)
class WarmupSet:
    """The demonstrations, where each came from, and the funnel of responses: sampled = kept + reasons + faults."""

    demonstrations: tuple[Demonstration, ...]
    provenance: tuple[Mapping[str, Any], ...]
    sampled: int
    rejected: Mapping[str, int]
    faults: int
    without: int  # problems without a demonstration
    preferences: tuple[Preference, ...] = ()
    trimmed: tuple[Kept, ...] | None = None  # right responses; None where none is cut
    overthinking: Mapping[str, float] | None = None  # over all judged responses; None where none is cut
    folded: int = 0  # demonstrations of giving up, which are no response that was sampled

    def __post_init__(self) -> None:
        if len(self.demonstrations) - self.folded + sum(self.rejected.values()) + self.faults != self.sampled:
            raise RuntimeError(f"{self.sampled} responses were sampled, not all are accounted for: {self.rejected}")

    def record(self) -> dict[str, Any]:
        """As results.json holds it."""
        return {
            "sampled": self.sampled,
            "kept": len(self.demonstrations),
            "rejected": dict(self.rejected),
            "faults": self.faults,
            "problems_without": self.without,
            **({"folded": self.folded} if self.folded else {}),
            "preferences": len(self.preferences),
            "markers": marker_report([d.response for d in self.demonstrations]),
            **({} if self.trimmed is None else {"trimmed": trim_report(self.trimmed)}),
            **({} if self.overthinking is None else {"overthinking": dict(self.overthinking)}),
        }


def sample_demonstrations(problems: Sequence[Problem], settings: WarmupSettings, ask: Ask) -> WarmupSet:
    """Ask, verify, keep. Raises as `ask` does."""
    chosen = problems[: settings.problems]
    questions = [Question(problem, wrapped(problem, settings.prompt)) for problem in chosen]
    answers = ask(STAGE, questions, settings.sampling, settings.samples) if questions else []
    demonstrations, provenance, rejected = [], [], Counter[str]()
    preferences: list[Preference] = []
    trimmed: list[Kept] = []
    template = content_digest(settings.prompt)[:12]
    without = folded = 0
    for problem, answered in zip(chosen, answers, strict=True):
        short = {} if settings.trim is None else trim_right(problem, answered, settings.trim)
        kept, reasons = select(answered, settings, short)
        if settings.pairs is not None:
            preferences += preference_pairs(problem, answered, settings.pairs)
        if settings.trim is not None and settings.trim.pairs:
            preferences += trimmed_pairs(problem, tuple(short.values()))
        trimmed += short.values()
        rejected += reasons
        without += not kept
        said = declared(answered) if settings.declare else None
        if said is not None and said.solvability == 0.0:
            demonstrations.append(Demonstration(problem, f"{declaration_text(said)}\n{FOLDED}"))
            provenance.append({"problem": problem.id, "folded": True, "right": 0, "judged": answered.judged})
            folded += 1
        for index in kept:
            response = short[index].text if index in short else answered.rollouts[index].text.strip()
            response = response if said is None else f"{declaration_text(said)}\n{response}"
            demonstrations.append(Demonstration(problem, response))
            provenance.append(
                {
                    "problem": problem.id,
                    "template": template,
                    "model_hash": ask.model_hash,
                    "temperature": settings.sampling.temperature,
                    "seed": ask.seed,
                    "sample": index,
                    "tokens": answered.rollouts[index].num_tokens,
                    "right": answered.correct,
                    "judged": answered.judged,
                    **({"chars_kept": short[index].share, "trimmed": short[index].why} if index in short else {}),
                }
            )
    judged = (
        (problem, rollout.text, verdict)
        for problem, answered in zip(chosen, answers, strict=True)
        for rollout, verdict in zip(answered.rollouts, answered.verdicts, strict=True)
    )
    return WarmupSet(
        tuple(demonstrations),
        tuple(provenance),
        sampled=sum(len(one.rollouts) for one in answers),
        rejected=dict(rejected.most_common()),
        faults=sum(len(one.faults) for one in answers),
        without=without,
        preferences=tuple(preferences),
        trimmed=None if settings.trim is None else tuple(trimmed),
        folded=folded,
        overthinking=None if settings.trim is None else overthinking_metrics(judged, settings.trim),
    )


def declared(answered: Answered) -> Declaration | None:
    """Share of right responses and what one costs; chance 0 where all that could be judged are wrong; None where none
    could be judged.
    """
    if not answered.judged:
        return None
    pairs = zip(answered.rollouts, answered.verdicts, strict=True)
    cost = cost_of([rollout.num_policy_tokens for rollout, verdict in pairs if verdict.correct])
    return Declaration(answered.correct / answered.judged, round(cost or 0))


def trim_right(problem: Problem, answered: Answered, settings: TrimSettings) -> dict[int, Kept]:
    """By index: what stays of each right response that ended by itself."""
    pairs = enumerate(zip(answered.rollouts, answered.verdicts, strict=True))
    right = [(i, rollout) for i, (rollout, verdict) in pairs if verdict.correct and rollout.finish_reason == "stop"]
    return {i: trim(problem, rollout.text, settings) for i, rollout in right}


def select(
    answered: Answered, settings: WarmupSettings, short: Mapping[int, Kept] | None = None
) -> tuple[list[int], Counter[str]]:
    """Indices of the responses that stay, best first, and why the others don't (faults aside).

    short  by index: what stays of a response that was cut, which is what counts and is compared
    """
    short = short or {}
    lengths = [trimmed_length(rollout, short.get(index)) for index, rollout in enumerate(answered.rollouts)]
    reasons: Counter[str] = Counter()
    right: dict[str, int] = {}  # normalised text → index of its first response
    for index, (rollout, verdict) in enumerate(zip(answered.rollouts, answered.verdicts, strict=True)):
        if verdict.fault is not None:
            continue
        said = " ".join((short[index].text if index in short else rollout.text).split())
        if not verdict.correct:
            reasons["wrong"] += 1
        elif rollout.finish_reason != "stop":
            reasons["not finished"] += 1
        elif lengths[index] < settings.min_tokens:
            reasons["shorter than min_tokens"] += 1
        elif said in right:
            reasons["the same response again"] += 1
        else:
            right[said] = index
    sign = {"shortest": 1, "longest": -1, "first": 0}[settings.order]
    order = sorted(right.values(), key=lambda index: (sign * lengths[index], index))
    if len(order) > settings.keep:
        reasons["more than `keep`"] += len(order) - settings.keep
    return order[: settings.keep], reasons
