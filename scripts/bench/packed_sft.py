"""A step of SFT with its demonstrations in one line against the same ones padded below each other; equal gradients.

    python scripts/bench/packed_sft.py             # the quickstart's demonstrations and model, and long ones
    python scripts/bench/packed_sft.py --smoke     # few demonstrations, one repeat, in seconds

Both sides make the same update (forward, backward, optimiser at rate 0) on the same batches, taking turns. "Long and
short" gives every fourth demonstration of the same batches a response eight times as long as it is.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from alternate import alternate, cpu_ratio, machine, ratio

from vlrl.config import load_settings
from vlrl.data.mixture import demonstrations, recipe_texts
from vlrl.data.recipe import load_recipe
from vlrl.losses.sft_loss import SftLoss
from vlrl.model.batch.example import Example
from vlrl.model.load import load_model
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.seeding import stream
from vlrl.training.run_settings import RunSettings
from vlrl.training.sft import as_examples

CONFIG = "configs/quickstart.yaml"
TEXTS, SMOKE_TEXTS = 4000, 200  # that the tokenizer is made of
SMOKE_DEMONSTRATIONS, SMOKE_BATCH = 16, 8


def gradient(policy: TorchPolicy, examples: Sequence[Example]) -> torch.Tensor:
    """All of it, before the optimiser clips it."""
    held: list[torch.Tensor] = []

    def step(share: float) -> float:
        held.extend(p.grad.flatten().clone() for p in policy.loaded.model.parameters() if p.grad is not None)
        return 0.0

    own, policy.optimizer.step = policy.optimizer.step, step  # type: ignore[method-assign]
    policy.update(examples, SftLoss(), 1.0, 0.0)
    policy.optimizer.step = own  # type: ignore[method-assign]
    return torch.cat(held)


def stretched(examples: Sequence[Example]) -> list[Example]:
    """Every fourth one with its response eight times over."""
    found = []
    for i, one in enumerate(examples):
        (response,) = one.responses
        found.append(replace(one, responses=(response * 8,)) if i % 4 == 0 else one)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--batch", type=int, default=None, help="demonstrations a step; default: the quickstart's")
    parser.add_argument("--threads", type=int, default=None, help="default: the quickstart's")
    given = parser.parse_args()
    repeats, batches, texts = (1, 1, SMOKE_TEXTS) if given.smoke else (7, 4, TEXTS)
    settings = load_settings(RunSettings, CONFIG)
    torch.set_num_threads(given.threads or settings.threads or torch.get_num_threads())
    recipe = load_recipe(settings.data)
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_model(settings.model, 0, lambda: recipe_texts(recipe, 0, texts), Path(folder) / "model")
    demos = demonstrations(recipe, 0, SMOKE_DEMONSTRATIONS if given.smoke else settings.sft.demonstrations, [])
    encoder = Encoder(loaded, recipe.image, settings.system_prompt)
    examples = as_examples(loaded, encoder.encode([d.problem for d in demos]), demos)
    size = given.batch or (SMOKE_BATCH if given.smoke else settings.sft.batch)
    order = [stream(0, "bench", i).permutation(len(examples))[:size] for i in range(batches)]
    print(machine())
    print("| demonstrations | padding | padded | in one line | times as fast | by CPU time | error of the gradient |")
    print("|---|---|---|---|---|---|---|")
    for name, all_of_them in (("the quickstart's", examples), ("long and short", stretched(examples))):
        chosen = [[all_of_them[i] for i in some] for some in order]
        sides = {
            key: TorchPolicy(loaded, PolicySettings(optimizer=settings.sft.policy.optimizer, pack_sequences=packed))
            for key, packed in (("padded", False), ("line", True))
        }
        padded, line = (gradient(policy, chosen[0]) for policy in sides.values())
        error = float((line - padded).norm() / padded.norm())

        def steps(policy: TorchPolicy, chosen: list[list[Example]] = chosen) -> None:
            for some in chosen:
                policy.update(some, SftLoss(), 1.0, 0.0)

        runs = {key: lambda policy=policy: steps(policy) for key, policy in sides.items()}
        for run in runs.values():
            run()
        seconds = alternate(runs, repeats)
        lengths = [[e.num_tokens for e in some] for some in chosen]
        waste = 1 - sum(map(sum, lengths)) / sum(max(some) * len(some) for some in lengths)
        compared = f"{ratio(seconds['padded'], seconds['line'])} | {cpu_ratio(seconds['padded'], seconds['line'])}"
        print(
            f"| {name} | {waste:.1%} | {seconds['padded']} | {seconds['line']} | {compared} | {error:.1e} |", flush=True
        )


if __name__ == "__main__":
    main()
