"""LoRA (Hu et al. 2021) through peft: W + (alpha / rank) · B·A with only A and B trained, under the model's own names.

Adapters are put into the model's own modules, so that engine and trainer go on sharing one model. Whatever leaves it
(`weights()`, a saved folder) has the adapters added in and plain Hugging Face names; a saved folder has them alone, too
(`adapter_files.py`).
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from vlrl.config import Settings
from vlrl.errors import ConfigError
from vlrl.installation.extras import install
from vlrl.model.optimization.parameter_groups import Part, freeze_parts, part_of, trained_parts
from vlrl.model.sharding.shards import add_to

_BASE, _ADAPTER = ".base_layer.", ".lora_"
_SNAPSHOT = re.compile(r"/models--(?P<owner>[^/]+?)--(?P<name>[^/]+)/snapshots/")
ADAPTER_NAME = "default"  # peft's own, of the only one that there is


class LoraSettings(Settings):
    """Low-rank adapters instead of full weights.

    rank, alpha  of B·A, and its factor alpha / rank
    parts        whose linear layers get adapters; the other parts train as ever unless they are frozen
    modules      last names of the layers that get them (q_proj, …); default: every linear layer of the parts
    seed         of A; B starts at zero, so that the first policy is the base model
    """

    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32.0, gt=0.0)
    parts: tuple[Part, ...] = Field(default=("language",), min_length=1)
    modules: tuple[str, ...] = ()
    seed: int = 0


def choose_trained(model: Any, freeze: Sequence[Part], lora: LoraSettings | None) -> bool:
    """Freeze parts, or give them adapters; adapters of an earlier stage are added in first.

    Returns whether an image's features get gradients. Raises ConfigError if nothing is left to train.
    """
    merge_adapters(model)
    if lora is None:
        return freeze_parts(model, freeze)
    _inject(model, lora)
    for name, parameter in model.named_parameters():
        part = part_of(name)
        parameter.requires_grad_(_ADAPTER in name if part in lora.parts else part not in freeze)
    return trained_parts(model) != {"language"}


def require_peft(lora: LoraSettings | None, place: str = "lora") -> None:
    """Raises ConfigError where adapters are asked for and their library is missing. Looks, but imports nothing."""
    if lora is not None and importlib.util.find_spec("peft") is None:
        raise ConfigError(place, "the library peft is not installed", install("lora"))


def adapted_layers(model: Any, lora: LoraSettings) -> list[str]:
    """Names of the layers that get adapters. Raises ConfigError for a module that no layer is called by, and for a
    head that is the embedding: what an adapter adds to it would be added to what tokens read, too.
    """
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
        and part_of(f"{name}.weight") in lora.parts
        and (name.rpartition(".")[2] in lora.modules if lora.modules else name != "lm_head")
    ]
    if missing := set(lora.modules) - {name.rpartition(".")[2] for name in names}:
        raise ConfigError(
            "lora.modules", f"{sorted(missing)}: no linear layer of {list(lora.parts)} is called so", "e.g. q_proj"
        )
    if "lm_head" in names and model.get_output_embeddings().weight is model.get_input_embeddings().weight:
        raise ConfigError(
            "lora.modules", "lm_head: this model's head and its embedding are one weight", "take lm_head out"
        )
    return names


def _inject(model: Any, lora: LoraSettings) -> None:
    require_peft(lora)
    from peft import LoraConfig, inject_adapter_in_model

    names = adapted_layers(model, lora)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]
        target_modules=names,
        lora_dropout=0.0,
        bias="none",
        base_model_name_or_path=hub_name(model.name_or_path),
    )
    with torch.random.fork_rng():
        torch.manual_seed(lora.seed)
        inject_adapter_in_model(config, model)
    model.eval()


def hub_name(path: str) -> str:
    """The hub id of a snapshot in the cache; any other path as it is."""
    found = _SNAPSHOT.search(f"{Path(path).absolute().as_posix()}/")
    return path if found is None else f"{found['owner']}/{found['name']}"


def has_adapters(model: Any) -> bool:
    """Whether adapters stand in the model."""
    return any(is_adapter(name) for name, _ in model.named_parameters())


def is_adapter(name: str) -> bool:
    """Whether a parameter of this name is an adapter's."""
    return _ADAPTER in name


def plain_weights(model: Any, named: Iterable[tuple[str, torch.Tensor]]) -> Iterator[tuple[str, torch.Tensor]]:
    """Named weights of the model by Hugging Face name, adapters added in; without adapters they pass as they are."""
    for name, tensor in named:
        if _ADAPTER in name:
            continue
        if _BASE not in name:
            yield name, tensor.detach()
            continue
        layer, _, rest = name.rpartition(_BASE)
        if rest == "weight":
            with torch.no_grad():
                tensor = tensor + _delta(model.get_submodule(layer)).to(tensor.dtype)
        yield f"{layer}.{rest}", tensor.detach()


def _delta(layer: Any) -> torch.Tensor:
    delta: torch.Tensor = layer.get_delta_weight(ADAPTER_NAME)
    return delta


def merge_adapters(model: Any) -> None:
    """Add adapters into the weights and take them out."""
    adapted = [name for name, module in model.named_modules() if hasattr(module, "base_layer")]
    for name in adapted:
        layer = model.get_submodule(name)
        with torch.no_grad():
            add_to(layer.base_layer.weight, _delta(layer))
        parent, _, last = name.rpartition(".")
        setattr(model.get_submodule(parent), last, layer.base_layer)
    if adapted:
        del model.peft_config  # or the next stage's would count as a second one
