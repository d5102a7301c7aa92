"""One cost model: what a prompt with its images and responses costs, in multiply-adds and bytes, before it is run.

    forward = 2·W·(P + ΣR) + 4·d·L·pairs + 2·h·V·ΣR + vision        [FLOP; a multiply-add is two]
    pairs   = P(P + 1)/2 + Σ (R·P + R(R + 1)/2)                     query-key pairs of the packed row
    vision  = Σ over images: 2·W_v·n + 2·W_p·n/merge + 4·d_v·pairs_v(n)

P prompt and R response tokens, W matrix weights of the decoder's layers that a token is multiplied with, of experts
those that it is sent to (of the tower W_v, the projector W_p), d width of all heads, L layers, h hidden size, V
vocabulary, n patches. A backward pass counts twice a forward pass; with gradient checkpointing the forward pass is made
twice. It serves micro-batches, rollout batches, ranks and `vlrl plan`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vlrl.model.batch.example import Example
from vlrl.model.experts.active_weights import active_weights, mlp_width
from vlrl.model.families.family import family_of
from vlrl.model.optimization.parameter_groups import PARTS, Part

CHUNK_LOGITS = 2**25  # logits held at once: 128 MiB in float32
CALL_TOKENS = 128  # a forward pass reads all weights, which takes about as long as the products of this many tokens
LOGIT_COPIES = 3  # logits, log-probabilities, and their gradient or the draw
FIRST_COLUMNS = 32  # tokens that the cache of a response has room for at first
MORE_COLUMNS = 4096  # it doubles, but grows by this many at most at once: a long one isn't half empty


@dataclass(frozen=True)
class Load:
    """One packed row (or one request with its expected responses): tokens, and vision patches of each image."""

    prompt: int
    responses: tuple[int, ...]
    images: tuple[int, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens of the packed row."""
        return self.prompt + sum(self.responses)


def grown_columns(columns: int) -> int:
    """Tokens that a full response cache of this many has room for next."""
    return columns + min(max(columns, FIRST_COLUMNS), MORE_COLUMNS)


def load_of(row: Example) -> Load:
    """The load of a packed row."""
    images = tuple(image.num_patches for image in row.images)
    return Load(row.encoded.num_tokens, tuple(len(one) for one in row.responses), images)


@dataclass(frozen=True)
class Rates:
    """Seconds per FLOP in the tower and in the language model, and seconds a call, of one device."""

    vision: float = 1.0
    language: float = 1.0
    call: float = 0.0


@dataclass(frozen=True)
class CostModel:
    """Costs of one architecture; see the formulas above.

    config         the model's configuration
    matrices       matrix weights by part that a token is multiplied with
    value_bytes    of one activation
    trained        parts that get gradients
    checkpointed   whether layers are computed again in the backward pass
    rates          of the device, if it was measured; FLOP otherwise
    """

    config: Any
    matrices: Mapping[str, int]
    value_bytes: int = 4
    trained: Collection[Part] = PARTS
    checkpointed: bool = False
    rates: Rates = Rates()

    # -- work ---------------------------------------------------------------------------------------------------------

    def vision_flops(self, images: Sequence[int]) -> float:
        """The tower and the projector over images of this many patches, forward."""
        return self.tower_flops(images) + self.projector_flops(images)

    def tower_flops(self, images: Sequence[int]) -> float:
        """The tower alone."""
        family = family_of(self.config)
        width = family.tower(self.config).width
        return sum(2 * self.matrices["vision"] * n + 4 * width * family.tower_pairs(self.config, n) for n in images)

    def projector_flops(self, images: Sequence[int]) -> float:
        """The projector alone."""
        return 2 * self.matrices["projector"] * sum(images) / family_of(self.config).merge(self.config)

    def language_flops(self, tokens: int, before: int = 0) -> float:
        """`tokens` new ones in causal order behind `before` others, without the head."""
        text = self.config.get_text_config()
        width = per_layer(text, "num_attention_heads") * head_size(text)
        pairs = tokens * before + tokens * (tokens + 1) / 2
        return 2 * self.matrices["language"] * tokens + 4 * width * int(text.num_hidden_layers) * pairs

    def call_flops(self) -> float:
        """What one more forward pass costs by itself, as work of CALL_TOKENS tokens. No measured time enters it."""
        return self.language_flops(CALL_TOKENS)

    def head_flops(self, tokens: int) -> float:
        """Logits of this many tokens."""
        text = self.config.get_text_config()
        return 2.0 * int(text.hidden_size) * int(text.vocab_size) * tokens

    def forward(self, load: Load, encodes_images: bool = True) -> float:
        """One packed row; without the tower where its features are there already."""
        vision = self.vision_flops(load.images) if encodes_images else 0.0
        return self._seconds(vision, self._language(load))

    def training(self, load: Load) -> float:
        """Forward and backward of one packed row. Gradients of a tower that trains come through the projector."""
        times = 4 if self.checkpointed else 3
        vision = self.tower_flops(load.images) * (times if "vision" in self.trained else 1)
        vision += self.projector_flops(load.images) * (times if {"vision", "projector"} & set(self.trained) else 1)
        return self._seconds(vision, self._language(load) * times)

    def rollout(self, load: Load) -> float:
        """Images encoded once, one prefill, every token of the responses decoded (work, not time of small products)."""
        return self.forward(load)

    def _language(self, load: Load) -> float:
        written = sum(self.language_flops(r, load.prompt) for r in load.responses)
        return self.language_flops(load.prompt) + written + self.head_flops(sum(load.responses))

    def _seconds(self, vision: float, language: float) -> float:
        return vision * self.rates.vision + language * self.rates.language + self.rates.call

    # -- memory -------------------------------------------------------------------------------------------------------

    def bytes(self, loads: Sequence[Load], packed: bool = False) -> float:
        """Activations and logits of one micro-batch: rows padded to the longest or in one line, images each once."""
        lengths = [load.tokens for load in loads]
        tokens = sum(lengths) if packed else max(lengths) * len(lengths)
        scored = sum(sum(load.responses) for load in loads)
        patches = sum(sum(load.images) for load in loads)
        return self.activation_bytes(tokens, patches) + self.logit_bytes(scored)

    def activation_bytes(self, tokens: int, patches: int) -> int:
        """Values that the backward pass needs. Per token and layer, with attention that keeps no scores:

            6·width + 3·heads·head_size + 3·key_value_heads·head_size + 4·mlp_width

        (two norms with input and output, residuals; queries twice and the attended values; keys twice and values; gate,
        up, activation, product). With checkpointing: width per token and layer, and one layer whole. The vision tower
        counts by patches where it trains.
        """
        text = self.config.get_text_config()
        width = int(text.hidden_size)
        each = 6 * width + self._attention_values() + 4 * self._mlp_width()
        total = self._over_layers(tokens, int(text.num_hidden_layers), width, each)
        if "vision" in self.trained:
            tower = family_of(self.config).tower(self.config)
            each = 12 * tower.width + 4 * tower.mlp_width
            total += self._over_layers(patches, tower.layers, tower.width, each)
        return total * self.value_bytes

    def reading_bytes(self, tokens: int) -> int:
        """Values of a pass without gradients, at most: one layer, in which attention or feed-forward is at work.

        2·width + max(3·heads·head_size + 3·key_value_heads·head_size, 3·mlp_width) a token
        """
        text = self.config.get_text_config()
        most = max(self._attention_values(), 3 * self._mlp_width())
        return tokens * (2 * int(text.hidden_size) + most) * self.value_bytes

    def _mlp_width(self) -> int:
        return mlp_width(self.config, per_layer(self.config.get_text_config(), "intermediate_size"))

    def _attention_values(self) -> int:
        text = self.config.get_text_config()
        heads = per_layer(text, "num_attention_heads") + per_layer(text, "num_key_value_heads")
        return 3 * head_size(text) * heads

    def _over_layers(self, tokens: int, layers: int, width: int, each: int) -> int:
        return tokens * (layers * width + each) if self.checkpointed else tokens * layers * each

    def logit_bytes(self, tokens: int) -> int:
        """float32 logits in training, which scores response tokens in chunks of at most 2^25 logits."""
        vocabulary = int(self.config.get_text_config().vocab_size)
        return LOGIT_COPIES * vocabulary * min(tokens, max(1, CHUNK_LOGITS // vocabulary)) * 4

    def cache_bytes(self, tokens: int) -> int:
        """Keys and values of this many tokens."""
        text = self.config.get_text_config()
        return (
            2
            * int(text.num_hidden_layers)
            * per_layer(text, "num_key_value_heads")
            * head_size(text)
            * self.value_bytes
            * tokens
        )


def head_size(text: Any) -> int:
    """Numbers in one head's key or value."""
    return per_layer(text, "head_dim") or text.hidden_size // text.num_attention_heads


def per_layer(text: Any, name: str) -> int:
    """A number of every layer; where layers differ, their mean. 0 for one that the configuration hasn't."""
    if not getattr(text, "is_heterogeneous", False):
        return int(getattr(text, name, None) or 0)
    values = [getattr(layer, name, None) or 0 for layer in text.per_layer_config[:]]
    return round(sum(values) / len(values))


def cost_of(config: Any, model: Any, trained: Collection[Part], checkpointed: bool) -> CostModel:
    """The cost model of a loaded model."""
    return CostModel(config, active_weights(model, config), model.dtype.itemsize, trained, checkpointed)


def calibrated(cost: CostModel, samples: Iterable[tuple[float, float, float]]) -> CostModel:
    """The same model in seconds: (vision FLOP, language FLOP, seconds) of timed calls, fitted by rates of zero or more.

    Raises ValueError for fewer than three calls.
    """
    from scipy.optimize import nnls

    table = np.array(list(samples), dtype=float)
    if len(table) < 3:
        raise ValueError(f"three rates can't be fitted to {len(table)} timed calls")
    design = np.column_stack([table[:, 0], table[:, 1], np.ones(len(table))])
    scale = design.max(0, initial=1e-30)
    found, _ = nnls(design / scale, table[:, 2])
    vision, language, call = found / scale
    return replace(cost, rates=Rates(float(vision), float(language), float(call)))


def balance(costs: Sequence[float], ranks: int) -> list[list[int]]:
    """Indices for each rank, dearest first to the rank with the least so far (Graham 1969: within 4/3 of the best).

    The same costs always give the same split; a rank's indices are in order. With fewer examples than ranks, some ranks
    get none.
    """
    found: list[list[int]] = [[] for _ in range(ranks)]
    totals = [0.0] * ranks
    for i in sorted(range(len(costs)), key=lambda i: (-costs[i], i)):
        least = min(range(ranks), key=lambda r: (totals[r], r))
        found[least].append(i)
        totals[least] += costs[i]
    return [sorted(some) for some in found]
