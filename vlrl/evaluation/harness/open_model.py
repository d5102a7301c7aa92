"""A model and an engine from the `model_args` of a harness's command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import vlrl.verify  # noqa: F401  (files what engines' settings name)
from vlrl.config import build_settings
from vlrl.data.images.image_budget import ImageBudget
from vlrl.errors import ConfigError, did_you_mean
from vlrl.evaluation.harness.answering import AS_THE_PROCESSOR, Answering
from vlrl.model.load import ModelSettings, load_model
from vlrl.rollout.distributed_engine import check_engine, open_engine
from vlrl.rollout.engine_registry import engines

OF_MODEL = ("dtype", "device", "context", "attention")
ARGUMENTS = ("path", *OF_MODEL, "engine", "min_pixels", "max_pixels", "batch_size", "seed")


def open_answering(place: str, **given: Any) -> Answering:
    """The model that `path` names, with the engine that `engine` names (default: transformers).

    dtype       default: bfloat16 on CUDA, else float32
    min_pixels, max_pixels  image budget; default: what the model's processor does
    batch_size  prompts at a time

    Raises ConfigError at `place` for what is wrong with the arguments.
    """
    given = {"path" if key == "pretrained" else key: value for key, value in given.items() if value is not None}
    for name in given:
        if name not in ARGUMENTS:
            raise ConfigError(f"{place}, {name}", "is no argument", did_you_mean(name, list(ARGUMENTS)))
    if "path" not in given:
        raise ConfigError(place, "names no model", "path=FOLDER, a Hugging Face folder")
    on_cuda = str(given.get("device", "auto")).startswith("cuda") or (
        "device" not in given and torch.cuda.is_available()
    )
    of_model = {key: given[key] for key in OF_MODEL if key in given}
    of_model.setdefault("dtype", "bfloat16" if on_cuda else "float32")
    settings = build_settings(ModelSettings, {"path": str(given["path"]), **of_model}, place)
    engine = engines.build(given.get("engine", "transformers"))
    check_engine(engine)
    image = AS_THE_PROCESSOR
    pixels: dict[str, Any] = {key: int(given[key]) for key in ("min_pixels", "max_pixels") if key in given}
    if pixels:
        image = build_settings(ImageBudget, pixels, place)
    loaded = load_model(settings, 0, list, Path(), engine.check)
    batch, seed = int(given.get("batch_size", 64)), int(given.get("seed", 0))
    return Answering(loaded, open_engine(engine, loaded), image, batch, seed)
