"""A whole RL step: vlrl against TRL's GRPOTrainer on equal work, in one process, alternating step by step.

    python scripts/bench/trl.py                       # tables: image-heavy setting, then the quickstart's
    python scripts/bench/trl.py --only image-heavy    # one of them (image-heavy, quickstart)
    python scripts/bench/trl.py --curve 60            # reward against wall-clock, 60 s for each side → docs/results/
    python scripts/bench/trl.py --smoke               # everything on tiny sizes, in seconds

Needs the extra `bench` (TRL). Equal on both sides: model and weights, float32, picture prompts (TRL can't mix them with
text-only ones), k = 8, problems a step, temperature 1 without top-k or top-p, one AdamW update a step on the GRPO loss
without KL term, gradient clipping, verdicts by the same verifiers. Neither side checkpoints gradients.

* image-heavy: a random Qwen3-VL shape of about 10 M parameters, 4 problems a step. Every response has exactly 64
  tokens: end tokens can't be sampled on either side (TRL: `generation_kwargs` with `suppress_tokens`).
* quickstart: its model after supervised warm-up, 32 of its picture problems a step, responses of up to 32 tokens that
  end by themselves. The learning rate is too small to change lengths, so both sides keep one distribution.

TRL runs as its users run it: `GRPOTrainer.train()` on a dataset with an `images` column and a reward function. A
callback at the end of each of its steps takes vlrl's step, so that the two alternate; TRL's clock runs from the start
to the end of its step, vlrl's from problems to the finished update. `--trl-batch` is TRL's batch on the device; the
rest is gradient accumulation, so it changes the speed and not the update.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from alternate import Seconds, cpu_ratio, machine, ratio
from image_heavy import PROBLEMS, K, Setting, build, image_problem, side_pixels
from transformers import AutoModelForImageTextToText, AutoProcessor, PrinterCallback, TrainerCallback
from work import Work, language, vision

from vlrl.config import load_settings
from vlrl.credit.advantages import GroupNormalised
from vlrl.credit.assign import CreditSettings, assign_credit
from vlrl.data.images import open_image
from vlrl.data.mixture import Mixture
from vlrl.data.recipe import load_recipe
from vlrl.losses.grpo import GrpoLoss
from vlrl.model.encode import Encoder
from vlrl.model.load import LoadedModel, ModelSettings, load_folder
from vlrl.model.optimizer import OptimizerSettings
from vlrl.model.torch_policy import PolicySettings, TorchPolicy
from vlrl.rollout.collector import collect
from vlrl.rollout.engine import Sampling
from vlrl.rollout.transformers_engine import TransformersEngine
from vlrl.seeding import derive_seed
from vlrl.stages.examples import to_examples
from vlrl.stages.run import start_run
from vlrl.stages.settings import RlSettings, RunSettings
from vlrl.types import Problem, Text, Verdict
from vlrl.verify.judge import judge, verifier

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE]  # this file's name hides the library's

try:
    from trl import GRPOConfig, GRPOTrainer
except ImportError:
    sys.exit("TRL is not installed; it comes with the extra bench: pip install -e '.[bench]' -c constraints.txt")
finally:
    sys.path.insert(0, str(HERE))

RESPONSE_TOKENS = 64
QUICKSTART_PROBLEMS = 32
QUICKSTART_TOKENS = 32


@verifier("bench_spread")
def spread(problem: Problem, response: str) -> Verdict:
    """Something that differs between responses of random weights, so that every group has advantages."""
    return Verdict(sum(map(ord, response)) % 7 / 6, False)


@dataclass(frozen=True)
class Contest:
    """Equal work for both sides.

    problems    what the steps go through, `per_step` at a time, from the start again when they are used up
    suppressed  token ids that can't be sampled
    lr          AdamW's rate on both sides
    """

    folder: Path
    loaded: LoadedModel
    encoder: Encoder
    problems: tuple[Problem, ...]
    per_step: int
    max_tokens: int
    suppressed: tuple[int, ...]
    lr: float

    def of_step(self, step: int) -> list[Problem]:
        """The problems of one step."""
        first = step * self.per_step % len(self.problems)
        return list(self.problems[first : first + self.per_step])


@dataclass
class Side:
    """What one side did: wall and CPU seconds, mean reward and mean response length of each step."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)

    def seconds(self, uncounted: int) -> Seconds:
        """Times without the first steps."""
        return Seconds(tuple(self.wall[uncounted:]), tuple(self.cpu[uncounted:]))


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
        scored = []
        for one in found:
            verdicts = [judge(one.group.problem, rollout.text) for rollout in one.group.rollouts]
            scored.append((one, assign_credit(one.group, verdicts, self.settings.credit, number)))
        kept = [pair for pair in scored if pair[1].informative] if self.skip else scored
        if kept:
            examples = to_examples(kept, self.policy, self.settings)
            self.policy.update(examples, self.settings.loss, 1.0, 1.0)
        self.side.wall.append(time.perf_counter() - started)
        self.side.cpu.append(time.process_time() - used)
        self.skipped.append(1 - len(kept) / len(scored))
        rewards = [reward for _, group in scored for reward in group.rewards.total]
        lengths = [rollout.num_tokens for _, group in scored for rollout in group.rollouts]
        self.side.rewards.append(_mean(rewards))
        self.side.tokens.append(_mean(lengths))


class Theirs:
    """TRL's GRPOTrainer on the same contest; `after_step(self)` runs between its steps and says whether to go on."""

    def __init__(
        self, contest: Contest, batch: int, steps: int, scratch: Path, after_step: Callable[[Theirs], bool]
    ) -> None:
        from datasets import Dataset

        self.contest, self.side = contest, Side()
        self._after_step = after_step
        responses = contest.per_step * K
        batch = min(batch, responses)
        model = AutoModelForImageTextToText.from_pretrained(contest.folder, dtype=torch.float32)
        processor = AutoProcessor.from_pretrained(contest.folder, padding_side="left")
        settings = GRPOConfig(
            output_dir=tempfile.mkdtemp(dir=scratch),
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=responses // batch,
            num_generations=K,
            max_completion_length=contest.max_tokens,
            temperature=1.0,
            top_p=1.0,
            top_k=0,
            generation_kwargs={"suppress_tokens": list(contest.suppressed)},
            beta=0.0,
            loss_type="grpo",
            learning_rate=contest.lr,
            lr_scheduler_type="constant",
            optim="adamw_torch_fused",
            adam_beta2=0.999,
            max_grad_norm=1.0,
            max_steps=steps,
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=contest.loaded.device.type == "cpu",
            shuffle_dataset=False,
            dataloader_pin_memory=False,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        )
        pictures = [[open_image(i, contest.encoder._budget) for i in p.images] for p in contest.problems]
        rows = {
            "prompt": [
                [{"role": "user", "content": "".join(t.text for t in p.prompt if isinstance(t, Text))}]
                for p in contest.problems
            ],
            "images": pictures,
            "number": list(range(len(contest.problems))),
        }
        self.trainer = GRPOTrainer(
            model=model,
            reward_funcs=self._reward,
            args=settings,
            train_dataset=Dataset.from_dict(rows),
            processing_class=processor,
            callbacks=[_StepClock(self)],
        )
        self.trainer.remove_callback(PrinterCallback)

    def _reward(self, completions: Any, completion_ids: Any, number: Sequence[int], **more: Any) -> list[float]:
        rewards = [
            judge(self.contest.problems[place], written[0]["content"]).score
            for place, written in zip(number, completions, strict=True)
        ]
        self.side.rewards.append(_mean(rewards))
        self.side.tokens.append(_mean([len(ids) for ids in completion_ids]))
        return rewards


class _StepClock(TrainerCallback):  # type: ignore[misc]
    """Times TRL's steps and gives the other side its turn between them."""

    def __init__(self, theirs: Theirs) -> None:
        self._theirs = theirs

    def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self._started, self._used = time.perf_counter(), time.process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self._theirs.side.wall.append(time.perf_counter() - self._started)
        self._theirs.side.cpu.append(time.process_time() - self._used)
        if not self._theirs._after_step(self._theirs):
            control.should_training_stop = True


def image_heavy_contest(setting: Setting, smoke: bool) -> Contest:
    """4 picture problems a step, responses of exactly 64 tokens."""
    problems = tuple(
        replace(image_problem(i, side_pixels(smoke)), verifier="bench_spread") for i in range(2 * PROBLEMS)
    )
    tokens = 8 if smoke else RESPONSE_TOKENS
    return Contest(
        setting.folder, setting.loaded, setting.encoder, problems, PROBLEMS, tokens, setting.suppressed, lr=1e-6
    )


def quickstart_contest(folder: Path, steps: int, sft_steps: int | None, lr: float, smoke: bool) -> Contest:
    """The quickstart's model after warm-up and its picture problems. A saved model of it may be given as `folder`."""
    config = ROOT / "configs" / "quickstart.yaml"
    if not (folder / "config.json").is_file():
        short = [f"sft.steps={sft_steps}"] if sft_steps else []
        more = ["eval.curve_problems=8", f"sft.validate_every={sft_steps or 300}", f"run_folder={folder / 'run'}"]
        start_run(config, [*short, *more, f"data={ROOT / 'data_recipes' / 'quickstart.yaml'}"], ["sft"], fresh=True)
        folder = folder / "run" / "model_sft"
    settings = load_settings(RunSettings, config, [])
    recipe = load_recipe(ROOT / settings.data)
    loaded = load_folder(str(folder), ModelSettings(path=str(folder)))
    mixture = Mixture(recipe, seed=11)
    per_step = 4 if smoke else QUICKSTART_PROBLEMS
    problems: list[Problem] = []
    while len(problems) < steps * per_step:
        problems += [problem for problem in mixture.draw(4 * per_step) if problem.images]
    return Contest(
        folder,
        loaded,
        Encoder(loaded, recipe.image),
        tuple(problems[: steps * per_step]),
        per_step,
        QUICKSTART_TOKENS,
        loaded.placeholder_ids,
        lr,
    )


def tokens_of(contest: Contest, tokens: float) -> tuple[Work, Work]:
    """(vlrl's, TRL's) work of a step, responses of `tokens` on average: generation, forward, twice that backward."""
    model, length = contest.loaded.model, round(tokens)
    ours, theirs = Work(), Work()
    for one in contest.encoder.encode(contest.of_step(0)):
        look = sum((vision(model, image.num_patches) for image in one.images), Work())
        read = language(model, one.num_tokens)
        write = language(model, length, one.num_tokens)
        ours += (look + read + write * K) * 4  # generation once; forward and backward three times
        theirs += (look + read + write) * (4 * K)
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
        own, other = tokens_of(contest, _mean(ours.side.tokens))
        skipped = _mean(ours.skipped[1:])
        kind = f"{kind} ({skipped:.0%} of groups)" if ours.skip else kind
        print(
            f"| {name}, {kind} | {slow} | {fast} | {ratio(slow, fast)} | {cpu_ratio(slow, fast)} "
            f"| {other.tokens / own.tokens:.1f}× | {other.flops / own.flops:.1f}× "
            f"| {_mean(trl.side.tokens):.1f}, {_mean(ours.side.tokens):.1f} |",
            flush=True,
        )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


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
        first, last = (_mean(part) for part in (side.rewards[:tenth], side.rewards[-tenth:]))
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
