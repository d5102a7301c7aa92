"""The entry point `lmms_eval.models`: what lmms-eval reads when it looks for models by name."""

from __future__ import annotations

from typing import Any


def models() -> Any:
    """One chat model, `vlrl`."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest(model_id="vlrl", chat_class_path="vlrl.evaluation.harness.lmms_model.VlrlLmms")
