"""Episodes that share their prompt against separate ones: k = 8 of three turns behind an image of 576 tokens.

    python scripts/bench/episodes.py            # rollout and training; ends with an error below 85 % in training
    python scripts/bench/episodes.py --smoke    # tiny model, in seconds

Every turn is 32 tokens; behind the first two stands what a tool returned, a text and a crop of its own (36 tokens).
Two ways, in turn, in one process:

* together: 8 episodes of one prompt. The engine reads prompt and image once a call for all of them; training reads one
  row [prompt | episode 1 | … | episode 8], every image encoded once (what vlrl does);
* separate: an episode each of 8 prompts of the same length with images of their own, in the same calls and batches.

Beside each ratio stands what the counts of tokens and of multiply-adds allow. In rollouts that is what has to be read
once, were nothing read again: our engine keeps no keys and values between calls, and both ways read an episode again
in each turn. Before timing, gradients of the packed row are compared with those of 8 rows of the same prompt, and the
engine's log-probabilities with the trainer's, both to 1e-5.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from alternate import Seconds, alternate, cpu_ratio, machine, ratio
from image_heavy import SHAPE, K, Setting, build, image, image_problem, side_pixels
from work import Work, language, vision

from vlrl.data.images.image_budget import ImageBudget
from vlrl.model.batch.example import Example, read_rollouts
from vlrl.model.batch.packing import pack
from vlrl.model.prompts.encode import Encoded
from vlrl.model.prompts.observation_text import Observation
from vlrl.model.prompts.positions import PositionRule
from vlrl.model.training.logprobs import response_logprobs
from vlrl.model.vision.image_encoding import VisionTower
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.types import Image, Rollout, Segment, Text

TURNS, TURN, SMOKE_TURN = 3, 32, 6
CROP_PIXELS = 96  # 36 tokens
TOLERANCE, BAR = 1e-5, 0.85
Groups = list[tuple[Encoded, tuple[Rollout, ...]]]


class Episodes:
    """The same episodes, written and trained on in two ways."""

    def __init__(self, setting: Setting, smoke: bool) -> None:
        self.setting, self.turn = setting, SMOKE_TURN if smoke else TURN
        side, crop = side_pixels(smoke), CROP_PIXELS // (2 if smoke else 1)
        self.engine = TransformersEngine(setting.loaded)
        self.prompts = setting.encoder.encode([image_problem(n, side) for n in range(K)])
        budget = ImageBudget(min_pixels=crop * crop, max_pixels=crop * crop)
        said = [Observation(((Text("The crop: "), _crop(n, crop)),), f"crop {n}") for n in range(K * (TURNS - 1))]
        self.observations: list[Segment] = setting.encoder.observe(said, budget)
        self.tower, self.rule = VisionTower(setting.loaded.model), PositionRule(setting.loaded.model)
        self.forbidden = torch.tensor(setting.loaded.placeholder_ids)

    def together(self) -> Groups:
        """8 episodes of the first prompt."""
        return self._written([(self.prompts[0], list(range(K)))])

    def separate(self) -> Groups:
        """One of each prompt."""
        return self._written([(prompt, [n]) for n, prompt in enumerate(self.prompts)])

    def _written(self, asked: Sequence[tuple[Encoded, list[int]]]) -> Groups:
        sampling = Sampling(max_tokens=1000 if self.turn == TURN else 200)
        requests = [Request(one, len(k), sampling, n, new_tokens=self.turn) for n, (one, k) in enumerate(asked)]
        for turn in range(TURNS):
            written = self.engine.generate(requests)
            if turn == TURNS - 1:
                break
            requests = [
                replace(request, resume_from=tuple(map(self._answered, rollouts, numbers, [turn] * len(numbers))))
                for request, rollouts, (_, numbers) in zip(requests, written, asked, strict=True)
            ]
        return [(one, rollouts) for (one, _), rollouts in zip(asked, written, strict=True)]

    def _answered(self, rollout: Rollout, number: int, turn: int) -> Rollout:
        segments = (*rollout.segments, self.observations[number * (TURNS - 1) + turn])
        return replace(rollout, segments=segments, finish_reason="unfinished")

    def train(self, groups: Groups) -> None:
        """Forward and backward of a weighted sum of the policy's log-probabilities."""
        self.gradient([read_rollouts(encoded, rollouts) for encoded, rollouts in groups])

    def gradient(self, rows: Sequence[Example]) -> torch.Tensor:
        """(M,) log-probabilities; the gradient lies in the model."""
        loaded = self.setting.loaded
        loaded.model.zero_grad(set_to_none=True)
        batch = pack(rows, self.rule, loaded.tokenizer.pad_token_id, loaded.device)
        found = response_logprobs(
            loaded.model, self.tower, batch, self.tower.encode_images(batch.images), self.forbidden
        )
        (torch.linspace(-1, 1, len(found.logprobs)) * found.logprobs).sum().backward()
        return found.logprobs.detach()

    def check(self, groups: Groups) -> tuple[float, float]:
        """Largest difference of a policy token's log-probability, engine and trainer; and the relative difference of
        the gradients of a packed row and of separate rows of the same prompt.
        """
        ((encoded, rollouts),) = groups
        packed = self.gradient([read_rollouts(encoded, rollouts)])
        parameters = [p for p in self.setting.loaded.model.parameters() if p.grad is not None]
        one = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
        self.gradient([read_rollouts(encoded, (rollout,)) for rollout in rollouts])
        other = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
        sampled = torch.tensor([value for rollout in rollouts for value in rollout.sampler_logprobs])
        written = torch.tensor([s.author == "policy" for r in rollouts for s in r.segments for _ in s.token_ids])
        gap = float((sampled - packed)[written].abs().max())
        return gap, float((one - other).norm() / other.norm())

    def allowed(self, groups: Groups) -> tuple[Work, Work]:
        """Work of a forward pass: together, separate."""
        model = self.setting.plain
        ((encoded, rollouts),) = groups
        images = sum((vision(model, one.num_patches) for one in encoded.images), Work())
        read = language(model, encoded.num_tokens)
        own = Work()
        for rollout in rollouts:
            own += language(model, rollout.num_tokens, encoded.num_tokens)
            own += sum((vision(model, one.num_patches) for one in rollout.encoded_images), Work())
        return images + read + own, images * K + read * K + own


def _crop(number: int, side: int) -> Image:
    held = io.BytesIO()
    image(100 + number, side).save(held, "PNG")
    return Image.from_bytes(held.getvalue())


def main() -> None:
    """Check, time, print."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--smoke", action="store_true", help="a tiny model, in seconds")
    arguments.add_argument("--repeats", type=int, default=None, help="turns of each way (default 5)")
    arguments.add_argument("--threads", type=int, default=None, help="torch threads (default: torch's own choice)")
    given = arguments.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    repeats = given.repeats or (1 if given.smoke else 5)
    with tempfile.TemporaryDirectory() as folder:
        setting = build(Path(folder), given.smoke, SHAPE)
        episodes = Episodes(setting, given.smoke)
        size = sum(p.numel() for p in setting.plain.parameters()) / 1e6
        together, separate = episodes.together(), episodes.separate()
        gap, error = episodes.check(together)
        if max(gap, error) > TOLERANCE:
            sys.exit(f"log-probabilities differ by {gap:.1e}, gradients by {error:.1e}, allowed {TOLERANCE}")
        less, more = episodes.allowed(together)
        tokens = f"prompt {together[0][0].num_tokens}, episodes of {together[0][1][0].num_tokens} tokens"
        print(f"k = {K}, {TURNS} turns, {tokens}, {size:.1f} M parameters, {machine()}")
        print(
            "| phase | together | separate | separate / together | by CPU time | tokens, FLOP allow | gap, gradient |"
        )
        print("|---|---|---|---|---|---|---|")
        ways = {
            "rollout": (episodes.together, episodes.separate),
            "training": (lambda: episodes.train(together), lambda: episodes.train(separate)),
        }
        for phase, (one, other) in ways.items():
            taken = alternate({"together": one, "separate": other}, repeats)
            fast, slow = taken["together"], taken["separate"]
            may = f"{more.tokens / less.tokens:.1f}×, {more.flops / less.flops:.1f}×"
            cells = [
                phase,
                str(fast),
                str(slow),
                ratio(slow, fast),
                cpu_ratio(slow, fast),
                may,
                f"{gap:.0e}, {error:.0e}",
            ]
            print(f"| {' | '.join(cells)} |", flush=True)
        judge(fast, slow, less, more, given.smoke)


def judge(fast: Seconds, slow: Seconds, less: Work, more: Work, smoke: bool) -> None:
    """Say how much of the allowed ratio training reaches; end with an error below the bar (smoke: only say it)."""
    reached = statistics.median(b / a for a, b in zip(fast.cpu, slow.cpu, strict=True))
    of_tokens, of_flops = reached / (more.tokens / less.tokens), reached / (more.flops / less.flops)
    print(f"training reaches {of_tokens:.0%} of what tokens allow (bar {BAR:.0%}), {of_flops:.0%} of what FLOP do")
    if of_tokens < BAR and not smoke:
        sys.exit(1)


if __name__ == "__main__":
    main()
