"""An estimate of false positives: a share of the rewarded responses is judged again by a verifier of another kind.

A response may be rewarded without being right (Kimi k1.5, §2.1: prompts that are easily guessed or hacked). What two
verifiers of different kinds disagree on is a bound on that, as good as the second one: a judge model, a strict rule, a
program of one's own. Only what was rewarded is asked about: what the first one refuses wrongly doesn't show here.
With `process` a judge reads the reasoning, too (`process_audit`): right answers by wrong ways are counted apart.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from vlrl.config import Settings
from vlrl.errors import ConfigError, RunError, did_you_mean
from vlrl.evaluation.scores import wilson_interval
from vlrl.seeding import stream
from vlrl.training.monitoring.process_audit import JUDGES, process_problem
from vlrl.types import Problem, ScoredGroup, Verdict
from vlrl.verify.judge import judge_all, verifiers, warm_up_verifiers

SHOWN = 5  # disagreements that the run card names


class AuditSettings(Settings):
    """Which rewarded responses are judged again, by what, and what a disagreement does."""

    rate: float = Field(default=0.05, gt=0.0, le=1.0, description="share of the rewarded responses")
    verifier: str | dict[str, str] = Field(
        description="the second verifier, or {first: second} by the problem's own; others aren't audited"
    )
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="metadata of the second verifier besides the row's"
    )
    process: str | None = Field(
        default=None,
        description="model_judge or reward_model: it reads the reasoning of what the second verifier doesn't refuse",
    )
    max_disagreement_rate: float | None = Field(
        default=None, ge=0.0, lt=1.0, description="bound on the share of disagreements; null: none"
    )
    on_excess: Literal["warn", "stop"] = Field(
        default="warn", description="what happens where the interval lies above the bound"
    )

    @model_validator(mode="after")
    def _known(self) -> AuditSettings:
        named = [self.verifier] if isinstance(self.verifier, str) else [*self.verifier.values(), *self.verifier]
        for name in named:
            if name not in verifiers:
                raise ConfigError(
                    "rl.audit, verifier", f"unknown verifier {name!r}", did_you_mean(name, verifiers.names())
                )
        if self.process is not None and self.process not in JUDGES:
            raise ConfigError(
                "rl.audit, process", f"{self.process!r} reads no reasoning", f"name one of {', '.join(JUDGES)}"
            )
        return self

    @property
    def asked(self) -> tuple[str, ...]:
        """All verifiers that the audit asks."""
        seconds = (self.verifier,) if isinstance(self.verifier, str) else tuple(self.verifier.values())
        return seconds if self.process is None else (*seconds, self.process)

    def second(self, first: str) -> str | None:
        """The verifier that judges again what `first` has rewarded; None where nothing of another kind is named."""
        name = self.verifier if isinstance(self.verifier, str) else self.verifier.get(first)
        return None if name == first else name


class Audit:
    """What the audit of a stage has found so far; it goes into checkpoints.

    checked, disagreed, faults  rewarded responses judged again, those of them refused, those that couldn't be judged
    process_checked, wrong_ways, process_faults  the same of their reasoning

    Raises ConfigError where the second verifier can't work here.
    """

    def __init__(self, settings: AuditSettings, seed: int) -> None:
        self._settings, self._seed = settings, seed
        warm_up_verifiers(Problem((), "", name, "text", "audit") for name in settings.asked)
        self.checked = self.disagreed = self.faults = 0
        self.process_checked = self.wrong_ways = self.process_faults = 0
        self.examples: list[str] = []
        self.wrong_way_examples: list[str] = []
        self._warned = False

    def look(self, groups: Sequence[ScoredGroup], step: int) -> dict[str, float]:
        """Judges some of a step's rewarded responses again. The metrics are of all steps so far:
        audit/checked, audit/disagreement_rate with audit/low and audit/high (Wilson, 95 %), audit/faults; and with
        `process` audit/process_checked, audit/wrong_way_rate with audit/wrong_way_low and …_high, audit/process_faults.
        """
        drawn = self._drawn(groups, step)
        seconds = [self._settings.second(problem.verifier) for problem, _ in drawn]
        again = [
            (self._asked(problem, second), text)
            for (problem, text), second in zip(drawn, seconds, strict=True)
            if second is not None
        ]
        verdicts = iter(judge_all([(problem, [text]) for problem, text in again]))
        right = []
        for (problem, text), second in zip(drawn, seconds, strict=True):
            if second is None:
                right.append((problem, text))
                continue
            (verdict,) = next(verdicts)
            if verdict.fault is not None:
                self.faults += 1
                continue
            self.checked += 1
            if verdict.correct:
                right.append((problem, text))
                continue
            self.disagreed += 1
            self._keep(self.examples, problem, text, verdict)
        if self._settings.process is not None:
            self._look_at_process(right, self._settings.process)
        return self.metrics()

    def _look_at_process(self, right: Sequence[tuple[Problem, str]], judge: str) -> None:
        asked = [(process_problem(problem, text, judge, self._settings.metadata), text) for problem, text in right]
        verdicts = judge_all([(problem, [text]) for problem, text in asked])
        for (problem, text), (verdict,) in zip(right, verdicts, strict=True):
            if verdict.fault is not None:
                self.process_faults += 1
                continue
            self.process_checked += 1
            if not verdict.correct:
                self.wrong_ways += 1
                self._keep(self.wrong_way_examples, problem, text, verdict)

    @staticmethod
    def _keep(examples: list[str], problem: Problem, text: str, verdict: Verdict) -> None:
        if len(examples) < SHOWN:
            examples.append(f"{problem.id[:8]}: …{' '.join(text.split())[-60:]} ({verdict.note})")

    def _asked(self, problem: Problem, second: str) -> Problem:
        metadata = {**problem.metadata, **self._settings.metadata}
        return dataclasses.replace(problem, verifier=second, metadata=metadata)

    def _drawn(self, groups: Sequence[ScoredGroup], step: int) -> list[tuple[Problem, str]]:
        rng = stream(self._seed, "audit", step)
        drawn = []
        for group in groups:
            audited = self._settings.process or self._settings.second(group.problem.verifier)
            for rollout, verdict in zip(group.rollouts, group.verdicts, strict=True):
                chosen = float(rng.random()) < self._settings.rate
                if audited and chosen and verdict.fault is None and verdict.correct:
                    drawn.append((group.problem, rollout.text))
        return drawn

    def metrics(self) -> dict[str, float]:
        """See `look`; without any checked response only the counts."""
        found = {"audit/checked": float(self.checked), "audit/faults": float(self.faults)}
        if self.checked:
            low, high = wilson_interval(self.disagreed / self.checked, self.checked)
            found |= {"audit/disagreement_rate": self.disagreed / self.checked, "audit/low": low, "audit/high": high}
        if self._settings.process is None:
            return found
        counts = {"process_checked": self.process_checked, "process_faults": self.process_faults}
        found |= {f"audit/{name}": float(count) for name, count in counts.items()}
        if self.process_checked:
            rate = self.wrong_ways / self.process_checked
            low, high = wilson_interval(rate, self.process_checked)
            found |= {"audit/wrong_way_rate": rate, "audit/wrong_way_low": low, "audit/wrong_way_high": high}
        return found

    def excess(self) -> str | None:
        """One sentence where the disagreement surely lies above the bound. Raises RunError where it is to stop."""
        bound = self._settings.max_disagreement_rate
        if bound is None or not self.checked:
            return None
        low, high = wilson_interval(self.disagreed / self.checked, self.checked)
        if low <= bound or (self._warned and self._settings.on_excess == "warn"):
            return None
        said = (
            f"a second verifier refuses {self.disagreed} of {self.checked} rewarded responses "
            f"(95 % {low:.3f}–{high:.3f}), more than {bound:g}"
        )
        if self._settings.on_excess == "stop":
            remedy = "mend the verifier; the run card names some of them (audit)"
            raise RunError("rl.audit, max_disagreement_rate", said, remedy)
        self._warned = True
        return f"audit: {said}"

    def described(self) -> dict[str, Any]:
        """What the run card says."""
        named = self._settings.verifier
        said: dict[str, Any] = {"verifier": named if isinstance(named, str) else dict(named), "checked": self.checked}
        if self.checked:
            low, high = wilson_interval(self.disagreed / self.checked, self.checked)
            said["disagreement"] = f"{self.disagreed / self.checked:.4f} (95 % {low:.4f}–{high:.4f})"
        if self.faults:
            said["faults"] = self.faults
        if self.examples:
            said["refused"] = list(self.examples)
        if self._settings.process is not None:
            said["process"] = self._process_described(self._settings.process)
        return said

    def _process_described(self, judge: str) -> dict[str, Any]:
        said: dict[str, Any] = {"judge": judge, "checked": self.process_checked}
        if self.process_checked:
            low, high = wilson_interval(self.wrong_ways / self.process_checked, self.process_checked)
            said["wrong_ways"] = f"{self.wrong_ways / self.process_checked:.4f} (95 % {low:.4f}–{high:.4f})"
        if self.process_faults:
            said["faults"] = self.process_faults
        if self.wrong_way_examples:
            said["refused"] = list(self.wrong_way_examples)
        return said

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "checked": self.checked,
            "disagreed": self.disagreed,
            "faults": self.faults,
            "examples": list(self.examples),
            "process": [self.process_checked, self.wrong_ways, self.process_faults],
            "wrong_way_examples": list(self.wrong_way_examples),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.checked, self.disagreed, self.faults = (int(state[name]) for name in ("checked", "disagreed", "faults"))
        self.examples = list(state["examples"])
        self.process_checked, self.wrong_ways, self.process_faults = map(int, state.get("process", (0, 0, 0)))
        self.wrong_way_examples = list(state.get("wrong_way_examples", ()))
