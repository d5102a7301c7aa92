"""An estimate of false positives: a share of the rewarded responses is judged again by a verifier of another kind.

A response may be rewarded without being right (Kimi k1.5, §2.1: prompts that are easily guessed or hacked). What two
verifiers of different kinds disagree on is a bound on that, as good as the second one: a judge model, a strict rule, a
program of one's own. Only what was rewarded is asked about: what the first one refuses wrongly doesn't show here.
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
from vlrl.types import Problem, ScoredGroup
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
        return self

    def second(self, first: str) -> str | None:
        """The verifier that judges again what `first` has rewarded; None where nothing of another kind is named."""
        name = self.verifier if isinstance(self.verifier, str) else self.verifier.get(first)
        return None if name == first else name


class Audit:
    """What the audit of a stage has found so far; it goes into checkpoints.

    checked, disagreed, faults  rewarded responses judged again, those of them refused, those that couldn't be judged

    Raises ConfigError where the second verifier can't work here.
    """

    def __init__(self, settings: AuditSettings, seed: int) -> None:
        self._settings, self._seed = settings, seed
        seconds = [settings.verifier] if isinstance(settings.verifier, str) else list(settings.verifier.values())
        warm_up_verifiers(Problem((), "", name, "text", "audit") for name in seconds)
        self.checked = self.disagreed = self.faults = 0
        self.examples: list[str] = []
        self._warned = False

    def look(self, groups: Sequence[ScoredGroup], step: int) -> dict[str, float]:
        """Judges some of a step's rewarded responses again. The metrics are of all steps so far:
        audit/checked, audit/disagreement_rate with audit/low and audit/high (Wilson, 95 %), audit/faults."""
        asked = self._chosen(groups, step)
        verdicts = judge_all([(problem, [text]) for problem, text in asked])
        for (problem, text), (verdict,) in zip(asked, verdicts, strict=True):
            if verdict.fault is not None:
                self.faults += 1
                continue
            self.checked += 1
            if not verdict.correct:
                self.disagreed += 1
                if len(self.examples) < SHOWN:
                    answer = " ".join(text.split())[-60:]
                    self.examples.append(f"{problem.id[:8]}: …{answer} ({verdict.note})")
        return self.metrics()

    def _chosen(self, groups: Sequence[ScoredGroup], step: int) -> list[tuple[Problem, str]]:
        rng = stream(self._seed, "audit", step)
        chosen = []
        for group in groups:
            second = self._settings.second(group.problem.verifier)
            for rollout, verdict in zip(group.rollouts, group.verdicts, strict=True):
                drawn = float(rng.random()) < self._settings.rate
                if second is not None and drawn and verdict.fault is None and verdict.correct:
                    metadata = {**group.problem.metadata, **self._settings.metadata}
                    again = dataclasses.replace(group.problem, verifier=second, metadata=metadata)
                    chosen.append((again, rollout.text))
        return chosen

    def metrics(self) -> dict[str, float]:
        """See `look`; without any checked response only the counts."""
        found = {"audit/checked": float(self.checked), "audit/faults": float(self.faults)}
        if self.checked:
            low, high = wilson_interval(self.disagreed / self.checked, self.checked)
            found |= {"audit/disagreement_rate": self.disagreed / self.checked, "audit/low": low, "audit/high": high}
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
        return said

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "checked": self.checked,
            "disagreed": self.disagreed,
            "faults": self.faults,
            "examples": list(self.examples),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.checked, self.disagreed, self.faults = (int(state[name]) for name in ("checked", "disagreed", "faults"))
        self.examples = list(state["examples"])
