"""Engine and trainer must see the same thing: bounds on their log-probabilities, and a probe that the image is seen.

The gap |log μ − log π| between the engine that wrote a token and the policy at the iteration's start is logged every
step, by modality and for stale segments; fresh tokens must keep within a bound. At regular intervals a few responses to
problems with images are read again: the same image, preprocessed and encoded again, must be the same tokens and pixels
and give the same log-probabilities; with a blank or another image they must move. A policy whose log-probabilities
don't move never sees its images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from vlrl.config import Settings
from vlrl.data.images.perturbation import mismatched, perturbed
from vlrl.errors import EngineError
from vlrl.model.batch.example import read_rollouts
from vlrl.model.prompts.encode import Encode, Encoded
from vlrl.model.training.policy import Policy
from vlrl.rollout.collector import check_same_content
from vlrl.seeding import stream
from vlrl.types import MODALITIES, Group


@dataclass(frozen=True)
class Probed:
    """The problems that a probe read, and the mean |change| of a token's log-probability in nats.

    same   the same images preprocessed and encoded again
    shift  other images in their place
    """

    problems: tuple[str, ...]
    same: float
    shift: float

    def metrics(self) -> dict[str, float]:
        """probe/groups, probe/image_shift, probe/same_image_gap."""
        return {
            "probe/groups": float(len(self.problems)),
            "probe/image_shift": self.shift,
            "probe/same_image_gap": self.same,
        }


class AgreementSettings(Settings):
    """Bounds in nats a token; crossing one stops the run. `null` turns a check off.

    max_gap       mean |log μ − log π| of the fresh tokens of any modality in a step
    probe_every   steps between two probes, the first of a run included; where a step has too few groups with images,
                  the probe is the next step's
    groups        groups with images that a probe reads
    image       what stands in for the image: `blank` (its mean colour) or `swapped` (another problem's)
    min_shift     mean |change| of a response token's log-probability that the other image must cause
    max_same_gap  mean |change| that the same image, preprocessed and encoded again, may cause. In 16 bits the other
                  images of a tower's pass round it otherwise: 0.05
    """

    max_gap: float | None = Field(default=None, gt=0.0)
    probe_every: int | None = Field(default=None, ge=1)
    groups: int = Field(default=4, ge=1)
    image: Literal["blank", "swapped"] = "blank"
    min_shift: float = Field(default=1e-3, gt=0.0)
    max_same_gap: float = Field(default=1e-3, gt=0.0)

    def check_gap(self, metrics: Mapping[str, float], step: int) -> None:
        """Raises EngineError that names every modality whose gap in 0-based `step` exceeds the bound.

        A modality without a gap was not compared in this step; `logprob_gap/compared_tokens` says what was.
        """
        if self.max_gap is None:
            return
        gaps = {one: metrics[key] for one in MODALITIES if (key := f"logprob_gap/{one}") in metrics}
        over = [f"{gap:.3g} ({one})" for one, gap in gaps.items() if not gap <= self.max_gap]
        if over:
            raise EngineError(
                f"step {step + 1}, logprob_gap",
                f"engine and trainer differ by {', '.join(over)} nats a token, rl.agreement.max_gap is {self.max_gap}",
                "compare their weights, precision and image preprocessing; a larger bound accepts "
                "the difference, `credit: {weigh: [importance]}` weighs for it",
            )

    def probe(
        self,
        encode: Encode,
        policy: Policy,
        groups: Sequence[Group],
        temperature: float,
        forget: Callable[[], None],
    ) -> Probed | None:
        """How the policy reads the first groups with images; None where there are too few.

        The first reading is of the prompts that were rolled out, with features of images that are held. `forget`
        drops those, so that the second looks at images that were encoded again. Raises EngineError where they were
        encoded otherwise.
        """
        chosen = [group for group in groups if group.problem.images][: self.groups]
        distinct = {tuple(image.digest for image in group.problem.images) for group in chosen}
        if len(distinct) < (self.image == "swapped") + 1:
            return None
        problems = [group.problem for group in chosen]
        rng = stream(0, "probe")  # blank reads none of it
        other = mismatched(problems) if self.image == "swapped" else [perturbed(p, "blank", rng) for p in problems]
        responses = [[r for r in group.rollouts if r.num_tokens] for group in chosen]

        def read(prompts: Sequence[Encoded]) -> list[float]:
            rows = [read_rollouts(one, held) for one, held in zip(prompts, responses, strict=True)]
            return [value for row in policy.logprobs(rows, temperature) for one in row for value in one]

        used, fresh = [group.encoded for group in chosen], encode(problems)
        for problem, one, two in zip(problems, used, fresh, strict=True):
            check_same_content(f"sees-the-image probe, problem {problem.id}", one.content_hash, two)
        first = read(used)
        forget()
        again, moved = read(fresh), read(encode([one for one in other if one is not None]))
        count = sum(r.num_policy_tokens for of_group in responses for r in of_group)
        same = sum(abs(a - b) for a, b in zip(first, again, strict=True)) / count
        shift = sum(abs(a - b) for a, b in zip(again, moved, strict=True)) / count
        return Probed(tuple(problem.id for problem in problems), same, shift)

    def check_probe(self, found: Probed, step: int) -> None:
        """Raises EngineError where the policy reads the same image otherwise, or another image just the same."""
        place = f"step {step + 1}, sees-the-image probe, problem {found.problems[0]} and {len(found.problems) - 1} more"
        if not found.same <= self.max_same_gap:
            raise EngineError(
                place,
                "the same images preprocessed and encoded again change a token's log-probability by "
                f"{found.same:.3g} nats, rl.agreement.max_same_gap is {self.max_same_gap}",
                "something on the way from image to policy is not deterministic: look at processor and dropout",
            )
        if not found.shift >= self.min_shift:
            raise EngineError(
                place,
                f"{self.image} images change a token's log-probability by {found.shift:.3g} nats, "
                f"rl.agreement.min_shift is {self.min_shift}: the policy does not see its images",
                "check that pixel values reach the vision tower and that its projector has weights; a model that never "
                "learned to read images needs a warm-up first",
            )


class ProbesDue:
    """Whether a run owes a probe: from a step that has one until one could be made. Part of the checkpoint."""

    def __init__(self, every: int | None) -> None:
        self._every, self._owed = every, False

    def at(self, step: int) -> bool:
        """Whether one is due in 0-based `step`; steps come in order."""
        self._owed = self._owed or (self._every is not None and step % self._every == 0)
        return self._owed

    def made(self) -> None:
        """The one that was due is done."""
        self._owed = False

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"owed": self._owed}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self._owed = state["owed"]
