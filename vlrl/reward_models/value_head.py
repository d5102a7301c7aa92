"""The classic reward model's head: one number from the last hidden state of the prompt (Kimi k1.5 §2.3.5, InstructGPT).

logit = w · h + b, with h (d,) the state from which the first token of a reply would be predicted, so that it has read
question, reference and answer. p = sigmoid(logit) is the probability that the answer is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from vlrl.errors import ConfigError
from vlrl.model.batch.example import Example
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.encode import Encoded
from vlrl.model.training.forward import PackedForward
from vlrl.reward_models.reward_model_card import HEAD_FILE
from vlrl.runlog.atomic_files import write_atomically


class ValueHead(torch.nn.Module):
    """(N, d) hidden states → (N,) logits, in float32. It begins at zero: every answer is as likely right as wrong."""

    def __init__(self, width: int, device: torch.device) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(width, device=device))
        self.bias = torch.nn.Parameter(torch.zeros((), device=device))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(N, d) → (N,)"""
        return hidden.float() @ self.weight + self.bias

    def save(self, folder: Path) -> None:
        """Write the head beside the model's weights."""
        write_atomically(folder / HEAD_FILE, save({name: v.detach().cpu() for name, v in self.state_dict().items()}))


def head_of(loaded: LoadedModel) -> ValueHead:
    """A new head for a model."""
    return ValueHead(int(loaded.config.get_text_config().hidden_size), loaded.device)


def load_head(folder: Path, loaded: LoadedModel) -> ValueHead:
    """The head beside a model's weights. Raises ConfigError where there is none, or one of another width."""
    head, file = head_of(loaded), folder / HEAD_FILE
    if not file.is_file():
        raise ConfigError(str(folder), f"holds no {HEAD_FILE}", "name a classic reward model")
    try:
        head.load_state_dict(load_file(file))
    except (RuntimeError, SafetensorError) as error:
        raise ConfigError(str(file), f"doesn't fit the model beside it: {error}", "train it again") from error
    return head.requires_grad_(False).to(loaded.device)


def value_example(loaded: LoadedModel, encoded: Encoded) -> Example:
    """A prompt of which the state behind its last token is read."""
    return Example(encoded, ((loaded.stop_ids[0],),))


@torch.no_grad()
def logits_of(loaded: LoadedModel, forward: PackedForward, head: ValueHead, prompts: Sequence[Encoded]) -> torch.Tensor:
    """(N,) logits of prompts, in order, on the CPU."""
    rows = [value_example(loaded, one) for one in prompts]
    found = torch.empty(len(rows))
    for chosen in forward.batches(rows):
        hidden, _ = forward.hidden([rows[i] for i in chosen])
        found[list(chosen)] = head(hidden).cpu()
    return found


def value_loss(logits: torch.Tensor, labels: torch.Tensor, count: int) -> torch.Tensor:
    """Binary cross-entropy of (n,) logits and (n,) labels in {0, 1}, summed and divided by `count`, the rows of the
    whole update, so that any split into micro-batches gives the same gradient: d/d logit = (sigmoid(logit) − label) /
    count.
    """
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum") / count
