"""Held-out problems: sampled and greedy accuracy by modality and domain, with n, interval, lengths and consistency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vlrl.evaluation.episode_metrics import episode_metrics
from vlrl.evaluation.scores import (
    accuracy,
    accuracy_interval,
    agreement_by_chance,
    consistency,
    cut_off_rate,
    kappa,
    token_percentile,
)
from vlrl.model.prompts.encode import EncodesTurns
from vlrl.rollout.engine import Generates, Sampling
from vlrl.rollout.environments.environment import Environment
from vlrl.types import MODALITIES, Group, Problem, Verdict


@dataclass(frozen=True)
class Answers:
    """One pass over the problems: S responses each, judged. Problem order is kept."""

    groups: tuple[Group, ...]
    verdicts: tuple[tuple[Verdict, ...], ...]

    def correct(self, keep: Sequence[int] | None = None) -> list[list[float]]:
        """(P, S) verdicts as 0 or 1 of the problems at `keep` (all by default). A fault counts as wrong here."""
        chosen = range(len(self.groups)) if keep is None else keep
        return [[float(v.correct) for v in self.verdicts[i]] for i in chosen]

    def where(self, **fields: str) -> list[int]:
        """Indices of the problems whose fields have these values."""
        return [i for i, g in enumerate(self.groups) if all(getattr(g.problem, k) == v for k, v in fields.items())]

    @property
    def faults(self) -> int:
        """Verdicts that are faults of the verifier."""
        return sum(v.fault is not None for row in self.verdicts for v in row)


def answer_all(
    environment: Environment,
    encode: EncodesTurns,
    engine: Generates,
    problems: Sequence[Problem],
    sampling: Sampling,
    samples: int,
    seed: int,
) -> Answers:
    """Ask every problem `samples` times and judge the responses; the encoded prompts, pixels among them, are let go."""
    environment.warm_up(problems)
    groups = environment.roll_out(encode, engine, problems, sampling, samples, seed)
    return Answers(tuple(replace(group, encoded=None) for group in groups), tuple(environment.verdicts(groups)))


def twin_places(problems: Sequence[Problem]) -> list[tuple[int, int]]:
    """Indices of text problems and of their rendered twins, pair by pair."""
    place = {problem.content_id: i for i, problem in enumerate(problems)}
    return [(place[p.twin], i) for i, p in enumerate(problems) if p.twin in place]


def twin_metrics(answers: Answers) -> dict[str, float]:
    """Of the pairs of a text problem and its rendered twin (k1.5 §2.3.5); empty without pairs.

    twins/text, twins/rendered   accuracy of each side
    consistency/text_rendered    share of pairs with the same verdict
    consistency/by_chance        what these two accuracies alone would give
    consistency/kappa            what is left of it beyond chance, Cohen's κ; absent where chance leaves nothing
    """
    pairs = twin_places([group.problem for group in answers.groups])
    if not pairs:
        return {}
    text, rendered = answers.correct([t for t, _ in pairs]), answers.correct([r for _, r in pairs])
    agreement, by_chance = consistency(text, rendered), agreement_by_chance(text, rendered)
    beyond = kappa(agreement, by_chance)
    return {
        "twins/text": accuracy(text),
        "twins/rendered": accuracy(rendered),
        "consistency/text_rendered": agreement,
        "consistency/by_chance": by_chance,
        **({} if beyond is None else {"consistency/kappa": beyond}),
    }


@dataclass(frozen=True)
class HeldOutResult:
    """Sampled and greedy answers to the same problems."""

    sampled: Answers
    greedy: Answers
    protocols: dict[str, str] = field(default_factory=dict)

    def table(self) -> dict[str, Any]:
        """As results.json holds it: by modality, `average` over modalities, `domains`, `consistency…`, lengths."""
        groups = self.sampled.groups
        present = [m for m in MODALITIES if any(g.problem.modality == m for g in groups)]
        rows: dict[str, Any] = {m: self._row(self.sampled.where(modality=m)) for m in present}
        average = {key: sum(rows[m][key] for m in present) / len(present) for key in ("sampled", "greedy")}
        tokens = [r.num_policy_tokens for g in groups for r in g.rollouts]
        finish_reasons = [r.finish_reason for g in groups for r in g.rollouts]
        twins = {name: twin_metrics(answers) for name, answers in (("sampled", self.sampled), ("greedy", self.greedy))}
        return {
            **rows,
            "average": average,
            "domains": {d: self._row(self.sampled.where(domain=d)) for d in sorted({g.problem.domain for g in groups})},
            "consistency": {name: held.get("consistency/text_rendered") for name, held in twins.items()},
            "consistency_by_chance": {name: held.get("consistency/by_chance") for name, held in twins.items()},
            "consistency_kappa": {name: held.get("consistency/kappa") for name, held in twins.items()},
            "tokens": {"mean": sum(tokens) / len(tokens), "p95": token_percentile(tokens)},
            "cut_off_rate": cut_off_rate(finish_reasons),
            **self._episodes(),
            "faults": self.sampled.faults + self.greedy.faults,
            "protocols": self.protocols,
        }

    def _episodes(self) -> dict[str, Any]:
        """How tools were used, by decoding; nothing where no environment took part."""
        found: dict[str, Any] = {}
        for name, answers in (("sampled", self.sampled), ("greedy", self.greedy)):
            pairs = zip(answers.groups, answers.verdicts, strict=True)
            metrics = episode_metrics([p for g, verdicts in pairs for p in zip(g.rollouts, verdicts, strict=True)])
            found |= {name: metrics} if metrics else {}
        return {"episodes": found} if found else {}

    def rows(self) -> list[dict[str, Any]]:
        """One record a problem, in order: what each of its responses scored and how long it was, by decoding."""
        found = []
        for i, group in enumerate(self.sampled.groups):
            row: dict[str, Any] = {"id": group.problem.id, "modality": group.problem.modality}
            row["domain"] = group.problem.domain
            for name, answers in (("sampled", self.sampled), ("greedy", self.greedy)):
                tokens = [rollout.num_policy_tokens for rollout in answers.groups[i].rollouts]
                row[name] = {"correct": [v.correct for v in answers.verdicts[i]], "tokens": tokens}
            found.append(row)
        return found

    def _row(self, keep: Sequence[int]) -> dict[str, Any]:
        sampled, greedy = self.sampled.correct(keep), [row[0] for row in self.greedy.correct(keep)]
        return {
            "sampled": accuracy(sampled),
            "greedy": accuracy(greedy),
            "n": len(keep),
            "sampled_interval": list(accuracy_interval(sampled)),
            "greedy_interval": list(accuracy_interval(greedy)),
        }
