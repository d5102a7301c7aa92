"""One step of reinforcement learning on public functions: from problems with images to a gradient step.

    python examples/one_rl_step.py                            # a small model with random weights, built on the spot
    python examples/one_rl_step.py runs/quickstart/model_sft  # one that has been warmed up, and answers some

docs/one_step.md says which files each line leads to. `vlrl run` does the same with everything that a long run needs
around it: checkpoints, validation, metrics, partial rollouts, several ranks.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from vlrl.credit.assign import Credit, CreditSettings
from vlrl.credit.credit_context import CreditContext
from vlrl.data.mixture import Mixture
from vlrl.data.recipe import load_recipe
from vlrl.losses.kimi import KimiLoss
from vlrl.model.load import ModelSettings, load_model
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.rollout.collector import collect
from vlrl.rollout.engine import Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.training.rl.training_examples import to_examples
from vlrl.types import ScoredGroup
from vlrl.verify.judge import judge_all


def one_rl_step(model: str | None = None, problems: int = 4, k: int = 8, seed: int = 0) -> dict[str, float]:
    """Draw problems, write k responses to each, judge them, and update the policy once. Returns metrics.

    model  a folder in Hugging Face format or a hub id; None: a small Qwen3-VL with random weights
    """
    sampling = Sampling(temperature=1.0, max_tokens=32)
    recipe = load_recipe("quickstart")
    texts = (problem.question for problem in Mixture(recipe, seed).draw(200))  # for the tokenizer of a small model
    settings = ModelSettings(path=model) if model else ModelSettings(build="tiny-qwen3-vl")
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_model(settings, seed, lambda: texts, Path(folder))
    policy, engine = TorchPolicy(loaded, PolicySettings()), TransformersEngine(loaded)

    drawn = Mixture(recipe, seed).draw(problems)
    engine.load_weights(policy.weights(), version=0)
    groups = collect(Encoder(loaded, recipe.image).encode, engine, drawn, sampling, k, seed)
    verdicts = judge_all([(group.problem, [rollout.text for rollout in group.rollouts]) for group in groups])
    scored = [ScoredGroup.of(group, v) for group, v in zip(groups, verdicts, strict=True)]
    credited = Credit(CreditSettings()).assign(scored, CreditContext(step=0))
    examples = to_examples(credited, policy, RlSettings(sampling=sampling))
    metrics = policy.update(examples, KimiLoss(tau=0.1), sampling.temperature, lr_scale=1.0).metrics()
    rewards = [reward for group in credited for reward in group.rewards]
    informative = sum(group.informative for group in credited)  # right and wrong responses; others have no gradient
    return {"reward/mean": sum(rewards) / len(rewards), "groups/informative": informative, **metrics}


if __name__ == "__main__":
    for name, value in one_rl_step(*sys.argv[1:2]).items():
        print(f"{name} {value:.4g}")
