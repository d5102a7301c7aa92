"""The gap between engine and trainer: |log μ − log π| of response tokens, by where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from vlrl.model.batch.example import Example

STALE = "stale"  # an earlier policy wrote these: their gap is what was learned since, not a disagreement
GIVEN = "given"  # the policy didn't write these (observations, forced tokens): no sampler has probabilities of them


@dataclass
class LogprobGap:
    """Sums over response tokens: by origin, (sum, largest, tokens); "" where an example names no origin."""

    by_origin: dict[str, list[float]] = field(default_factory=dict)

    def add(self, examples: Sequence[Example], gaps: Sequence[float]) -> None:
        """(M,) gaps of all response tokens of these examples, in order."""
        start = 0
        for name, count in _runs(examples):
            some = gaps[start : start + count]
            start += count
            if name == GIVEN:
                continue
            held = self.by_origin.setdefault(name, [0.0, 0.0, 0.0])
            held[0] += sum(some)
            held[1] = max(held[1], *some)
            held[2] += count

    def merge(self, other: LogprobGap) -> None:
        """Take in the sums of other examples."""
        for name, (total, largest, count) in other.by_origin.items():
            held = self.by_origin.setdefault(name, [0.0, 0.0, 0.0])
            held[0] += total
            held[1] = max(held[1], largest)
            held[2] += count

    def metrics(self) -> Mapping[str, float]:
        """logprob_gap/mean and /max over fresh tokens, in nats; /<origin> is the mean of one origin.

        /compared_tokens counts the fresh tokens, in every update that compared them; nothing where none was sampled.
        """
        fresh = [held for name, held in self.by_origin.items() if name != STALE]
        found = {f"logprob_gap/{name}": held[0] / held[2] for name, held in self.by_origin.items() if name}
        if self.by_origin:
            found["logprob_gap/compared_tokens"] = sum(held[2] for held in fresh)
        if fresh:
            found["logprob_gap/mean"] = sum(held[0] for held in fresh) / sum(held[2] for held in fresh)
            found["logprob_gap/max"] = max(held[1] for held in fresh)
        return found


def written_by_policy(examples: Sequence[Example]) -> list[bool] | None:
    """(M,) whether each response token of these examples, in order, is one that a policy wrote; None where all are."""
    written = [one for example in examples for one in _written(example)]
    return None if all(written) else written


def _written(example: Example) -> Iterator[bool]:
    if example.written is not None:
        yield from (one for response in example.written for one in response)
    else:
        yield from (name != GIVEN for name, count in _runs([example]) for _ in range(count))


def _runs(examples: Sequence[Example]) -> Iterator[tuple[str, int]]:
    for example in examples:
        for j, response in enumerate(example.responses):
            if example.origins is None:
                yield "", len(response)
            else:
                yield from example.origins[j]
