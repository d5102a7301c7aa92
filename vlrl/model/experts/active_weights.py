"""What one token is multiplied with in a mixture of experts: k of E experts a layer, and all that isn't routed.

Experts of transformers lie in parameters of three dimensions, (E, …), under a module named `experts`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from vlrl.model.optimization.parameter_groups import part_of

PER_TOKEN = ("num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_k", "moe_topk")
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
SHARED = ("n_shared_experts", "num_shared_experts", "moe_num_shared_experts")


def _first(text: Any, names: tuple[str, ...]) -> int:
    """The first of these numbers that a configuration has and that is above 0; else 0."""
    found = (getattr(text, name, None) for name in names)
    return next((value for value in found if isinstance(value, int) and value > 0), 0)


def experts_per_token(config: Any) -> int:
    """k: experts that a token is sent to in a layer, by the model's configuration; 0 for a model without experts."""
    text = config.get_text_config()
    return _first(text, PER_TOKEN) if _first(text, EXPERTS) else 0


def is_expert(name: str) -> bool:
    """Whether a parameter of this name belongs to experts that tokens are sent to."""
    return ".experts." in f".{name}"


def active_weights(model: Any, config: Any) -> dict[str, int]:
    """Matrix weights by part that one token (or patch) is multiplied with, without embeddings, head and adapters."""
    text = config.get_text_config()
    chosen = Fraction(experts_per_token(config) or 1, _first(text, EXPERTS) or 1)
    found = {"vision": 0, "projector": 0, "language": 0}
    for name, parameter in model.named_parameters():
        if ".lora_" in name:
            continue
        if is_expert(name):
            found[part_of(name)] += int(parameter.numel() * chosen)
        elif parameter.ndim == 2 and "embed" not in name and "lm_head" not in name:
            found[part_of(name)] += parameter.numel()
    return found


def mlp_width(config: Any, dense: int) -> int:
    """Width of the feed-forward layer that one token passes, averaged over layers: of its k experts and the shared ones
    together; `dense` where a layer has no experts.
    """
    text, k = config.get_text_config(), experts_per_token(config)
    width = getattr(text, "moe_intermediate_size", None)
    if not k or not isinstance(width, int):
        return dense
    shared = getattr(text, "shared_expert_intermediate_size", None)
    sparse = k * width + (width * _first(text, SHARED) if shared is None else int(shared))
    layers, kinds = int(text.num_hidden_layers), getattr(text, "mlp_layer_types", None)
    plain = len(getattr(text, "mlp_only_layers", None) or ()) or _first(text, ("first_k_dense_replace",))
    plain = plain if kinds is None else sum(kind == "dense" for kind in kinds)
    return round((plain * dense + (layers - plain) * sparse) / layers)
