"""Which keys a query may see, layer by layer, as data: causal, windows, chunks, images or prompts read in both ways.

Everything that attends is built from this one description: dense masks of packed rows, prefill, decoding
(model/attention/pattern_masks.py). Windows and chunks stand in a configuration; that the tokens of an image, or of the
whole prompt, see each other in both directions stands in the code of a model, so it is a table here, by `model_type`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vlrl.model.families.decoder_reading import FULL, RECURRENT_LAYERS, layer_kinds

TwoWays = Literal["", "image", "prompt"]


@dataclass(frozen=True)
class LayerPattern:
    """What a query sees of its own sequence: tokens up to itself, and besides or except

    window   of these only the last `window`, itself included
    chunk    of these only those of its own run of `chunk` tokens, counted from the start
    two_way  `image`: also the later tokens of its own image; `prompt`: of the prompt all tokens, while it is of it
    cut      whether the window also limits what `two_way` adds
    """

    window: int | None = None
    chunk: int | None = None
    two_way: TwoWays = ""
    cut: bool = False

    @property
    def near(self) -> bool:
        """Whether a query may not see all that came before it."""
        return self.window is not None or self.chunk is not None


CAUSAL = LayerPattern()


@dataclass(frozen=True)
class TwoWayRule:
    """Where a model reads in both directions.

    what     see LayerPattern.two_way
    layers   kinds of layers that do; empty: all
    cut      see LayerPattern.cut
    only_if  a field of the text configuration, and its value, without which no layer does
    """

    what: TwoWays
    layers: frozenset[str] = frozenset()
    cut: bool = False
    only_if: tuple[str, Any] | None = None


# read in transformers' own mask functions of these models
SLIDING = frozenset({"sliding_attention"})
TWO_WAYS: Mapping[str, TwoWayRule] = {
    "gemma3": TwoWayRule("image", cut=True),
    "gemma4": TwoWayRule("image", SLIDING, cut=True, only_if=("use_bidirectional_attention", "vision")),
    "gemma4_unified": TwoWayRule("image", SLIDING, cut=True, only_if=("use_bidirectional_attention", "vision")),
    "paligemma": TwoWayRule("prompt"),
}


def patterns_of(config: Any) -> tuple[LayerPattern, ...]:
    """The pattern of every layer of a model's decoder; empty where all of them are plain causal.

    Layers with a recurrent state count as causal: they have no pattern.
    """
    text = config.get_text_config()
    rule = TWO_WAYS.get(config.model_type)
    if rule is not None and rule.only_if is not None and getattr(text, rule.only_if[0], None) != rule.only_if[1]:
        rule = None
    found = tuple(_pattern(kind, text, rule) for kind in layer_kinds(text))
    return () if all(one == CAUSAL for one in found) else found


def _pattern(kind: str, text: Any, rule: TwoWayRule | None) -> LayerPattern:
    if kind in RECURRENT_LAYERS:
        return CAUSAL
    two_way: TwoWays = rule.what if rule is not None and (not rule.layers or kind in rule.layers) else ""
    cut = rule.cut if rule is not None and two_way else False
    if kind == FULL:
        return LayerPattern(two_way=two_way)
    if kind == "sliding_attention":
        return LayerPattern(window=int(text.sliding_window), two_way=two_way, cut=cut)
    if kind == "chunked_attention":
        return LayerPattern(chunk=int(text.attention_chunk_size), two_way=two_way, cut=cut)
    return LayerPattern(two_way=two_way)  # another kind passes only where a family says that it makes it right


def key_sources(config: Any) -> tuple[int, ...]:
    """The layer whose keys and values each layer reads: the last of its kind that has some; empty where all have."""
    text = config.get_text_config()
    shared = getattr(text, "num_kv_shared_layers", None) or 0
    if not shared:
        return ()
    kinds = layer_kinds(text)
    own = len(kinds) - shared
    last = {kind: layer for layer, kind in enumerate(kinds[:own])}
    return (*range(own), *(last[kind] for kind in kinds[own:]))
