"""Equal work for both sides of a comparison of whole RL steps: model, problems, lengths, and what each side noted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from alternate import Seconds
from image_heavy import PROBLEMS, Setting, image_problem, side_pixels

from vlrl.config import load_settings
from vlrl.data.mixture import Mixture
from vlrl.data.recipe import load_recipe
from vlrl.model.load import LoadedModel, ModelSettings, load_folder
from vlrl.model.prompts.encode import Encoder
from vlrl.training.run import start_run
from vlrl.training.run_settings import RunSettings
from vlrl.types import Problem, Verdict
from vlrl.verify.judge import verifier

ROOT = Path(__file__).resolve().parents[2]
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


def image_heavy_contest(setting: Setting, smoke: bool) -> Contest:
    """4 image problems a step, responses of exactly 64 tokens."""
    problems = tuple(
        replace(image_problem(i, side_pixels(smoke)), verifier="bench_spread") for i in range(2 * PROBLEMS)
    )
    tokens = 8 if smoke else RESPONSE_TOKENS
    return Contest(
        setting.folder, setting.loaded, setting.encoder, problems, PROBLEMS, tokens, setting.suppressed, lr=1e-6
    )


def quickstart_contest(folder: Path, steps: int, sft_steps: int | None, lr: float, smoke: bool) -> Contest:
    """The quickstart's model after warm-up and its image problems. A saved model of it may be given as `folder`."""
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
