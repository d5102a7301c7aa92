"""A whole RL step: vlrl against TRL's GRPOTrainer on equal work, in one process, alternating step by step.

    python scripts/bench/step_against_trl.py                       # tables: image-heavy setting, then the quickstart's
    python scripts/bench/step_against_trl.py --only image-heavy    # one of them (image-heavy, quickstart)
    python scripts/bench/step_against_trl.py --curve 60            # reward against wall-clock, 60 s for each side →
    docs/results/
    python scripts/bench/step_against_trl.py --smoke               # everything on tiny sizes, in seconds

Needs the extra `bench` (TRL). Equal on both sides: model and weights, float32, image prompts (TRL can't mix them with
text-only ones), k = 8, problems a step, temperature 1 without top-k or top-p, one AdamW update a step on the GRPO loss
without KL term, gradient clipping, verdicts by the same verifiers. Neither side checkpoints gradients.

* image-heavy: a random Qwen3-VL shape of about 10 M parameters, 4 problems a step. Every response has exactly 64
  tokens: end tokens can't be sampled on either side (TRL: `generation_kwargs` with `suppress_tokens`).
* quickstart: its model after supervised warm-up, 32 of its image problems a step, responses of up to 32 tokens that
  end by themselves. The learning rate is too small to change lengths, so both sides keep one distribution.

TRL runs as its users run it: `GRPOTrainer.train()` on a dataset with an `images` column and a reward function. A
callback at the end of each of its steps takes vlrl's step, so that the two alternate; TRL's clock runs from the start
to the end of its step, vlrl's from problems to the finished update. `--trl-batch` is TRL's batch on the device; the
rest is gradient accumulation, so it changes the speed and not the update.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import fmean

import torch
from alternate import cpu_ratio, machine, ratio
from image_heavy import K, build
from step_contest import ROOT, Contest, Side, image_heavy_contest, quickstart_contest
from trl_step import Theirs
from work import Work, language, vision

from vlrl.credit.advantage.advantages import GroupNormalised
from vlrl.credit.assign import Credit, CreditSettings
from vlrl.credit.credit_context import CreditContext
from vlrl.losses.policy_gradient.grpo import GrpoLoss
from vlrl.model.optimization.optimizer import OptimizerSettings
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.rollout.collector import collect
from vlrl.rollout.engine import Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.seeding import derive_seed
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.training.rl.training_examples import to_examples
from vlrl.types import ScoredGroup
from vlrl.verify.judge import judge


class Ours:
    """vlrl's step: collect, judge, credit, update."""

    def __init__(self, contest: Contest, skip: bool = False) -> None:
        self.contest, self.skip = contest, skip
        self.side = Side()
        self.skipped: list[float] = []
        optimizer = OptimizerSettings(lr=contest.lr, betas=(0.9, 0.999))
        self.settings = RlSettings(
            sampling=Sampling(max_tokens=contest.max_tokens),
            credit=CreditSettings(advantage=GroupNormalised()),
            loss=GrpoLoss(),
            policy=PolicySettings(optimizer=optimizer),
        )
        self.policy = TorchPolicy(contest.loaded, self.settings.policy)
        self.engine = TransformersEngine(contest.loaded)

    def step(self) -> None:
        """One step, timed."""
        number = len(self.side.wall)
        started, used = time.perf_counter(), time.process_time()
        problems = self.contest.of_step(number)
        self.engine.load_weights(self.policy.weights(), number)
        seed = derive_seed(0, "bench", number)
        found = collect(self.contest.encoder.encode, self.engine, problems, self.settings.sampling, K, seed)
        scored = [
            ScoredGroup.of(group, [judge(group.problem, rollout.text) for rollout in group.rollouts]) for group in found
        ]
        credited = Credit(self.settings.credit).assign(scored, CreditContext(step=number))
        kept = [group for group in credited if group.informative] if self.skip else credited
        if kept:
            examples = to_examples(kept, self.policy, self.settings)
            self.policy.update(examples, self.settings.loss, 1.0, 1.0)
        self.side.wall.append(time.perf_counter() - started)
        self.side.cpu.append(time.process_time() - used)
        self.skipped.append(1 - len(kept) / len(credited))
        rewards = [reward for group in credited for reward in group.rewards]
        lengths = [rollout.num_tokens for group in credited for rollout in group.rollouts]
        self.side.rewards.append(fmean(rewards))
        self.side.tokens.append(fmean(lengths))


def tokens_of(contest: Contest, tokens: float) -> tuple[Work, Work]:
    """(vlrl's, TRL's) work of a step, responses of `tokens` on average: generation, forward, twice that backward."""
    model, length = contest.loaded.model, round(tokens)
    ours, theirs = Work(), Work()
    for one in contest.encoder.encode(contest.of_step(0)):
        encode_images = sum((vision(model, image.num_patches) for image in one.images), Work())
        read = language(model, one.num_tokens)
        write = language(model, length, one.num_tokens)
        ours += (encode_images + read + write * K) * 4  # generation once; forward and backward three times
        theirs += (encode_images + read + write) * (4 * K)
    return ours, theirs


def compare(name: str, contest: Contest, repeats: int, batch: int, scratch: Path, skip: bool) -> None:
    """Alternate `repeats` counted steps after one uncounted, and print a row; with `skip` a second row."""
    sides = {"equal work": Ours(contest)}
    if skip:
        sides["uninformative groups skipped"] = Ours(contest, skip=True)

    def turn(theirs: Theirs) -> bool:
        for ours in sides.values():
            ours.step()
        return len(theirs.side.wall) <= repeats

    trl = Theirs(contest, batch, repeats + 1, scratch, turn)
    trl.trainer.train()
    slow = trl.side.seconds(1)
    for kind, ours in sides.items():
        fast = ours.side.seconds(1)
        own, other = tokens_of(contest, fmean(ours.side.tokens))
        skipped = fmean(ours.skipped[1:])
        kind = f"{kind} ({skipped:.0%} of groups)" if ours.skip else kind
        print(
            f"| {name}, {kind} | {slow} | {fast} | {ratio(slow, fast)} | {cpu_ratio(slow, fast)} "
            f"| {other.tokens / own.tokens:.1f}× | {other.flops / own.flops:.1f}× "
            f"| {fmean(trl.side.tokens):.1f}, {fmean(ours.side.tokens):.1f} |",
            flush=True,
        )


def draw_curve(contest: Contest, seconds: float, batch: int, scratch: Path, target: Path) -> None:
    """Train both from one start for `seconds` of their own wall-clock each, and draw reward against it."""
    ours = Ours(contest)

    def turn(theirs: Theirs) -> bool:
        while sum(ours.side.wall) < min(seconds, sum(theirs.side.wall)):
            ours.step()
        return sum(theirs.side.wall) < seconds

    trl = Theirs(contest, batch, 100_000, scratch, turn)
    trl.trainer.train()
    write_chart({"vlrl": ours.side, "TRL GRPOTrainer": trl.side}, target)
    print("| side | steps | reward, first tenth | reward, last tenth |")
    print("|---|---|---|---|")
    for name, side in (("vlrl", ours.side), ("TRL", trl.side)):
        tenth = max(1, len(side.wall) // 10)
        first, last = (fmean(part) for part in (side.rewards[:tenth], side.rewards[-tenth:]))
        print(f"| {name} | {len(side.wall)} | {first:.3f} | {last:.3f} |")
    print(f"drawn in {target}")


def write_chart(sides: dict[str, Side], target: Path) -> None:
    """Reward (mean over neighbouring steps) against each side's own wall-clock, as SVG."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 2.8), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    for (name, side), colour in zip(sides.items(), ("#2166ac", "#b2182b"), strict=True):
        ends = torch.tensor(side.wall).cumsum(0)
        size = max(1, min(10, len(ends) // 4))
        smooth = torch.tensor(side.rewards).unfold(0, size, 1).mean(1)
        axes.plot(ends.tolist(), side.rewards, color=colour, alpha=0.2, linewidth=0.7)
        axes.plot(ends[size - 1 :].tolist(), smooth.tolist(), color=colour, label=f"{name}, {len(ends)} steps")
    axes.set_xlabel("own wall-clock (s)")
    axes.set_ylabel("mean reward")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, loc="lower right")
    target.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "vlrl", "svg.fonttype": "none"}):
        figure.savefig(target, format="svg", metadata={"Date": None})


def main() -> None:
    """Build what was asked for, time it, print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--only", choices=("image-heavy", "quickstart"), help="one table row instead of both")
    arguments.add_argument("--curve", type=float, metavar="SECONDS", help="reward against wall-clock instead of tables")
    arguments.add_argument("--lr", type=float, default=1.5e-4, help="AdamW's rate of the curve, both sides")
    arguments.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "trl_reward_over_time.svg")
    arguments.add_argument("--model", type=Path, help="the quickstart's model after warm-up, instead of training one")
    arguments.add_argument("--sft-steps", type=int, default=None, help="warm-up steps (default 100; 300 for the curve)")
    arguments.add_argument("--repeats", type=int, default=None, help="counted steps (image-heavy 3, quickstart 10)")
    arguments.add_argument("--trl-batch", type=int, nargs=2, default=(8, 128), metavar=("HEAVY", "QUICK"))
    arguments.add_argument("--threads", type=int, default=None, help="torch threads (default: torch's own choice)")
    arguments.add_argument("--smoke", action="store_true", help="tiny sizes, one counted step, in seconds")
    given = arguments.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    print(f"a whole step against TRL, {machine()}", flush=True)
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        model = given.model or folder / "quickstart"
        if given.curve:
            sft_steps = given.sft_steps or (2 if given.smoke else 300)
            contest = quickstart_contest(model, 4 if given.smoke else 150, sft_steps, given.lr, given.smoke)
            draw_curve(contest, given.curve, given.trl_batch[1], folder, given.out)
            return
        heads = ("setting", "TRL, a step", "vlrl, a step", "times as fast", "by CPU time", "tokens allow", "FLOP allow")
        print(f"| {' | '.join(heads)} | tokens a response: TRL, vlrl |")
        print("|---|---|---|---|---|---|---|---|", flush=True)
        if given.only != "quickstart":
            contest = image_heavy_contest(build(folder / "heavy", given.smoke), given.smoke)
            compare(
                "image-heavy", contest, given.repeats or (1 if given.smoke else 3), given.trl_batch[0], folder, False
            )
        if given.only != "image-heavy":
            repeats = given.repeats or (1 if given.smoke else 10)
            contest = quickstart_contest(
                model, repeats + 1, given.sft_steps or (2 if given.smoke else 100), 1e-6, given.smoke
            )
            compare("quickstart", contest, repeats, given.trl_batch[1], folder, True)


if __name__ == "__main__":
    main()
