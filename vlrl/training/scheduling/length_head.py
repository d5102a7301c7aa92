"""LenVM's value head: how many tokens a response has still to come, from the policy's last hidden state."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch.nn.functional import binary_cross_entropy_with_logits, huber_loss, logsigmoid, normalize

from vlrl.provenance import Mark, Method
from vlrl.reward_models.value_head import ValueHead


class LengthHeadSettings(Method):
    """Each token costs 1 − γ, discounted by γ, so that a state with l tokens to come is worth v = −(1 − γ^l), in
    (−1, 0]. The head says v = −sigmoid(w·h + b), and l = ln(1 + v)/ln γ is what it predicts. h is the hidden state that
    the next token is predicted from, of length 1 (ours); no gradient goes into the policy.

    gamma    γ. What it tells apart are lengths about 1/(1 − γ)
    loss     `bce`: cross-entropy between 1 − γ^l and the head; `huber`: of their difference
    lr       of Adam
    updates  steps of Adam over the finished responses of one RL step
    places   of a response that are learned from, spread evenly from its first token on
    """

    paper: ClassVar[str] = "LenVM"
    mark: ClassVar[Mark] = "C"

    gamma: float = Field(default=0.999, gt=0.0, lt=1.0)
    loss: Literal["bce", "huber"] = "bce"
    lr: float = Field(default=0.05, gt=0.0)
    updates: int = Field(default=16, ge=1)
    places: int = Field(default=8, ge=1)


def value_of_length(lengths: torch.Tensor, gamma: float) -> torch.Tensor:
    """(n,) tokens to come → (n,) values −(1 − γ^l) in (−1, 0]."""
    return torch.expm1(lengths * math.log(gamma))


def length_of_value(values: torch.Tensor, gamma: float) -> torch.Tensor:
    """Inverse of `value_of_length`: ln(1 + v)/ln γ."""
    return torch.log1p(values) / math.log(gamma)


class LengthHead:
    """The head and its optimiser, on the CPU in float32: the same on every rank. It begins at zero: every response is
    expected to have ln ½/ln γ tokens.
    """

    def __init__(self, settings: LengthHeadSettings, width: int) -> None:
        self.settings = settings
        self._head = ValueHead(width, torch.device("cpu"))
        self._optimizer = torch.optim.Adam(self._head.parameters(), lr=settings.lr)

    def learn(self, states: torch.Tensor, lengths: torch.Tensor) -> float:
        """Steps of Adam on states (n, d) with this many tokens to come, (n,); the loss before them."""
        states, share = normalize(states), -value_of_length(lengths.float(), self.settings.gamma)
        before = math.nan
        for update in range(self.settings.updates):
            logits = self._head(states)
            if self.settings.loss == "bce":
                loss = binary_cross_entropy_with_logits(logits, share)
            else:
                loss = huber_loss(logits.sigmoid(), share)
            before = float(loss.detach()) if update == 0 else before
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
        return before

    @torch.no_grad()
    def lengths(self, states: torch.Tensor) -> list[float]:
        """(n,) predicted tokens to come behind states (n, d): 1 + v is sigmoid(−logit)."""
        found: list[float] = (logsigmoid(-self._head(normalize(states))) / math.log(self.settings.gamma)).tolist()
        return found

    def state_dict(self) -> dict[str, Any]:
        """Head and optimiser, for a checkpoint."""
        return {"head": self._head.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self._head.load_state_dict(state["head"])
        self._optimizer.load_state_dict(state["optimizer"])


def tokens_to_come(written: Sequence[bool], places: Sequence[int]) -> list[int]:
    """Of a response, (T,) whether the policy wrote each token: how many it still writes from each of the places on."""
    left = [0]
    for own in reversed(written):
        left.append(left[-1] + own)
    return [left[len(written) - place] for place in places]
