"""How evenly tokens are spread over experts: counts of an update, and what is shown of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch


@dataclass
class ExpertLoad:
    """Tokens sent to each expert of each layer, (L, E); None before the first, and of a model without experts."""

    tokens: np.ndarray | None = None

    def add(self, chosen: torch.Tensor, real: torch.Tensor, experts: int) -> None:
        """Choices (N, L, k) of one pass, of those tokens that are no padding, (N,) bool."""
        kept = chosen[real.to(chosen.device)].transpose(0, 1).flatten(1)  # (L, n·k)
        offsets = torch.arange(len(kept), device=kept.device)[:, None] * experts
        counts = torch.bincount((kept + offsets).flatten(), minlength=len(kept) * experts)
        self._take(counts.reshape(len(kept), experts).cpu().numpy())

    def merge(self, other: ExpertLoad) -> None:
        """Take in what another rank, or another update, counted."""
        if other.tokens is not None:
            self._take(other.tokens)

    def _take(self, tokens: np.ndarray) -> None:
        self.tokens = tokens if self.tokens is None else self.tokens + tokens

    def metrics(self) -> Mapping[str, float]:
        """Of the shares p (L, E) of a layer's choices that each expert gets:

        experts/max_load        E · max p, averaged over layers: 1 where all get as much, E / k where k of them get all
        experts/max_load_worst  the same of the layer where it is largest
        experts/entropy         −Σ p·ln p / ln E, averaged over layers: 1 where all get as much
        experts/idle_rate       share of experts, over all layers, that got no token
        """
        if self.tokens is None or not self.tokens.sum():
            return {}
        experts = self.tokens.shape[1]
        shares = self.tokens / self.tokens.sum(1, keepdims=True)
        largest = experts * shares.max(1)
        nats = -np.sum(shares * np.log(np.where(shares > 0, shares, 1.0)), 1)
        return {
            "experts/max_load": float(largest.mean()),
            "experts/max_load_worst": float(largest.max()),
            "experts/entropy": float(nats.mean() / np.log(experts)) if experts > 1 else 1.0,
            "experts/idle_rate": float((shares == 0).mean()),
        }
