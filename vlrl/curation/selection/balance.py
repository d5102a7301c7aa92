"""Tags and balance: caps on labels, and a report that says where a set is skewed (k1.5 §2.1)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from pydantic import Field, field_validator

from vlrl.curation.stage import Context, Decision, Stage, stages
from vlrl.errors import DataError
from vlrl.types import Problem, content_digest
from vlrl.verify.judge import verifiers

FAMILIES = ("modality", "domain", "source", "verifier", "tag", "difficulty")
EVEN = 0.8  # ours: an evenness below this is called skewed; 9:1 has .47, 7:3 has .88, three of four equal have .79


def labels_of(problem: Problem) -> list[str]:
    """What a problem counts as: `domain:clock`, `modality:synthetic`, `tag:easy`, `difficulty:0.2-0.4` …"""
    labels = [f"{family}:{getattr(problem, family)}" for family in ("modality", "domain", "source", "verifier")]
    labels += [f"tag:{tag}" for tag in problem.tags]
    if problem.difficulty is not None:
        low = min(int(problem.difficulty * 5), 4) / 5
        labels.append(f"difficulty:{low:.1f}-{low + 0.2:.1f}")
    return labels


@stages.register("balance")
class Balance(Stage):
    """Caps: `{"domain:clock": 0.3}` leaves problems out until no more than that share of the rest carries the label.

    A label is `tag:…`, `domain:…`, `modality:…`, `source:…`, `verifier:…` or `difficulty:0.2-0.4`. As few as possible
    go for one cap; which ones is drawn from the seed.
    """

    caps: dict[str, float] = Field(default_factory=dict, description="label: largest share of the problems, in (0, 1)")

    @field_validator("caps")
    @classmethod
    def _usable(cls, caps: dict[str, float]) -> dict[str, float]:
        for label, cap in caps.items():
            if label.split(":")[0] not in FAMILIES or ":" not in label:
                raise ValueError(f"{label!r} is no label; write one of {', '.join(f'{f}:…' for f in FAMILIES)}")
            if not 0.0 < cap < 1.0:
                raise ValueError(f"the cap of {label!r} is {cap}; it is a share above 0 and below 1")
        return caps

    def decide(self, problems: Sequence[Problem], context: Context) -> list[Decision]:
        """One decision for every problem, in order. Raises DataError for a cap that would leave nothing."""
        held = {place: frozenset(labels_of(problem)) for place, problem in enumerate(problems)}
        lots = {place: content_digest(str(context.seed), "balance", p.id) for place, p in enumerate(problems)}
        reasons: dict[int, str] = {}
        changed = bool(held)
        while changed:
            changed = False
            for label, cap in self.caps.items():
                carriers = sorted((p for p, labels in held.items() if label in labels), key=lambda p: lots[p])
                room = _room(Fraction(str(cap)), len(held) - len(carriers))
                if carriers and room == 0:
                    raise DataError(
                        f"caps, {label}",
                        f"{len(carriers)} of the {len(held)} problems left carry it; at {cap} none of them could stay",
                        "raise the cap or add problems without the label",
                    )
                for place in carriers[room:]:
                    reasons[place] = f"over the cap of {label}"
                    del held[place]
                    changed = True
        return [
            Decision(p, "dropped", reasons[i], f"cap {self.caps[reasons[i].removeprefix('over the cap of ')]}")
            if i in reasons
            else Decision(p)
            for i, p in enumerate(problems)
        ]


def _room(cap: Fraction, others: int) -> int:
    """The largest number x of carriers with x / (x + others) ≤ cap."""
    return math.floor(cap * others / (1 - cap))


def evenness(counts: Sequence[int]) -> float:
    """Entropy of the counts over that of equal ones, in [0, 1]; 1 for a single one (Pielou 1966)."""
    total = sum(counts)
    shares = [count / total for count in counts if count]
    if len(counts) < 2:
        return 1.0
    return -sum(share * math.log(share) for share in shares) / math.log(len(counts))


def balance_report(problems: Sequence[Problem]) -> dict[str, Any]:
    """Counts by family of labels with their evenness and whether they are skewed; share of problems with a verifier.

    Tags may overlap, so their shares needn't add up to 1. `difficulty` has all five bins, empty ones too.
    """
    counts: dict[str, Counter[str]] = {family: Counter() for family in FAMILIES}
    for problem in problems:
        for label in labels_of(problem):
            family, _, value = label.partition(":")
            counts[family][value] += 1
    if counts["difficulty"]:
        bins = [f"{low / 10:.1f}-{low / 10 + 0.2:.1f}" for low in range(0, 10, 2)]
        counts["difficulty"] = Counter({name: counts["difficulty"][name] for name in bins})
    families = {family: _family(count, len(problems)) for family, count in counts.items() if count}
    checkable = sum(problem.verifier in verifiers for problem in problems)
    return {
        "problems": len(problems),
        "with_verifier_rate": checkable / len(problems) if problems else 0.0,
        "families": families,
        "skewed": [family for family, found in families.items() if found["skewed"]],
    }


def _family(count: Mapping[str, int], total: int) -> dict[str, Any]:
    even = evenness(list(count.values()))
    return {
        "counts": dict(count),
        "largest_share": max(count.values()) / total,
        "evenness": even,
        "skewed": even < EVEN,
    }
