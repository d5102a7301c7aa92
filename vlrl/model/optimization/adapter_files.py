"""The LoRA adapter of a model in a folder of its own, in peft's format: added to its base it is the merged weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from vlrl.model.optimization.lora import ADAPTER_NAME, has_adapters, is_adapter

FOLDER = "adapter"  # in a saved model's folder
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
_PREFIX = "base_model.model."  # peft's, before the names of the model's own modules


def save_adapter(model: Any, folder: Path) -> None:
    """Write `adapter/` into a saved model's folder, where adapters are all that trains; otherwise nothing.

    Where other parts train in full no adapter makes the merged weights of the base model. The configuration names the
    base: the model that this stage began with, by its folder or the hub id that it was loaded by.
    """
    if not has_adapters(model) or _trains_besides(model):
        return
    place = folder / FOLDER
    place.mkdir()
    weights = {
        _PREFIX + name.replace(f".{ADAPTER_NAME}.", "."): tensor.detach().cpu().contiguous()
        for name, tensor in model.named_parameters()
        if is_adapter(name)
    }
    save_file(weights, place / WEIGHTS, metadata={"format": "pt"})
    model.peft_config[ADAPTER_NAME].save_pretrained(place)
    held = json.loads((place / CONFIG).read_text(encoding="utf-8"))
    # a set there: its order would be another in every process
    held["target_modules"] = sorted(held["target_modules"])
    (place / CONFIG).write_text(json.dumps(held, indent=2) + "\n", encoding="utf-8")


def _trains_besides(model: Any) -> bool:
    return any(parameter.requires_grad and not is_adapter(name) for name, parameter in model.named_parameters())
