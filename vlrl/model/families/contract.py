"""What transformers' models promise by themselves: features of images apart from the forward pass that takes them."""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import Any

import transformers

from vlrl.errors import ConfigError

TAKEN = frozenset({"pooler_output", "deepstack_features"})  # what is handed on of a tower's output
_READ = re.compile(r'mm_encoder_outputs(?:\["image"\]|\.get\("image"\))\.(\w+)')


def core_class(config: Any) -> Any:
    """transformers' class of the model without its head. Raises ConfigError where it has none."""
    if type(config) not in transformers.MODEL_MAPPING:
        raise ConfigError("model.path", f"transformers has no model class for {config.model_type!r}", "another model")
    return transformers.MODEL_MAPPING[type(config)]


@cache
def tower_arguments(core: Any) -> tuple[str, ...]:
    """Parameters of a model's `get_image_features`, the pixels first."""
    return tuple(
        name
        for name, one in inspect.signature(core.get_image_features).parameters.items()
        if name != "self" and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    )


@cache
def why_not(config_class: type) -> str | None:
    """Why models of this configuration can't be read in the generic way, in words; None where they can be tried."""
    if config_class not in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        return "transformers has no image-text class for it"
    if config_class not in transformers.MODEL_MAPPING:
        return "transformers has no class of it without a head"
    core = transformers.MODEL_MAPPING[config_class]
    if "decoder_input_ids" in inspect.signature(core.forward).parameters:
        return f"{core.__name__} reads a prompt by an encoder"
    if not hasattr(core, "get_image_features"):
        return f"{core.__name__} has no get_image_features"
    if "mm_encoder_outputs" not in inspect.signature(core.forward).parameters:
        return f"{core.__name__} takes no mm_encoder_outputs: its forward pass alone can encode images"
    if not tower_arguments(core)[:1] or not tower_arguments(core)[0].startswith("pixel_values"):
        return f"{core.__name__}.get_image_features takes {', '.join(tower_arguments(core)) or 'nothing'}"
    if others := set(_READ.findall(inspect.getsource(core.forward))) - TAKEN:
        return f"{core.__name__} takes more of its tower than features ({', '.join(sorted(others))})"
    return None
