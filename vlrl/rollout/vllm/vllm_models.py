"""vLLM's model classes where torchvision is missing.

They import transformers' image and video processors, two of which import torchvision for what they compute with it.
vLLM gets processed images here and never calls them. So the import is given empty modules under torchvision's names,
for as long as it takes; afterwards torchvision is missing again, for everybody.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from vlrl.model.folders.processor_compat import torchvision_is_missing

NAMES = (
    "torchvision",
    "torchvision.transforms",
    "torchvision.transforms.v2",
    "torchvision.transforms.v2.functional",
)


def register_model(architecture: str) -> None:
    """File the architecture's class with vLLM under its name; does nothing where torchvision is installed."""
    if not torchvision_is_missing():
        return
    from transformers.utils.import_utils import is_torchvision_available, is_torchvision_v2_available
    from vllm.model_executor.models import ModelRegistry

    is_torchvision_available(), is_torchvision_v2_available()  # both remember their first answer
    registry: Any = ModelRegistry
    with _empty_torchvision():
        model_class = registry.models[architecture].load_model_cls()
    # a registered class is looked at here; a named one would be imported in another process, without the modules above
    registry.register_model(architecture, model_class)


@contextmanager
def _empty_torchvision() -> Iterator[None]:
    for name in NAMES:
        module = ModuleType(name)
        module.__path__ = []
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    try:
        yield
    finally:
        for name in NAMES:
            sys.modules.pop(name, None)
