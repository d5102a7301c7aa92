"""How large a model is before it is loaded: parameters by part and tokens per image, from its configuration alone.

The architecture is built on torch's meta device, so the counts are exact and no weight takes memory.
No network is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import transformers

from vlrl.errors import ConfigError
from vlrl.model.experts.active_weights import active_weights
from vlrl.model.families.family import PublishedModel, family_of, known_families
from vlrl.model.folders.hub import cached_folder, is_local
from vlrl.model.folders.model_folder import open_folder, read_config
from vlrl.model.folders.weight_files import INDEX, missing_files
from vlrl.model.load import ModelSettings
from vlrl.model.optimization.optimizer import takes_muon
from vlrl.model.optimization.parameter_groups import part_of
from vlrl.model.sharding.shards import gathered_layers
from vlrl.model.tiny import small_parts


def published_models() -> dict[str, PublishedModel]:
    """Published models of all registered families whose sizes are known without files, by hub id."""
    return {name: model for family in known_families() for name, model in family.published.items()}


@dataclass(frozen=True)
class Architecture:
    """A model's configuration, and its processor where the files are here.

    origin           where the configuration comes from, in words
    image_processor  transformers' own; it says how many patches an image becomes
    """

    config: Any
    image_processor: Any
    processor: Any | None
    origin: str

    @property
    def text(self) -> Any:
        """The language model's configuration."""
        return self.config.get_text_config()

    def image_tokens(self, width: int, height: int) -> int:
        """Prompt tokens of an image of this size in pixels."""
        given = self.processor if self.processor is not None else SimpleNamespace(image_processor=self.image_processor)
        return family_of(self.config).image_tokens(self.config, given, width, height)


def find_architecture(
    settings: ModelSettings, texts: Callable[[], Iterable[str]], place: str = "model.path"
) -> Architecture:
    """The architecture that the settings name: a folder, `build:`, a hub id in the local cache, a published one, or
    nothing but a `config.json`: the file, or a folder with it and without weights.

    `texts` train a small model's tokenizer, as in the run. Raises ConfigError at `place` where nothing is known about
    the model.
    """
    if settings.build is not None:
        config, small = small_parts(settings.build, texts(), settings.shape)
        return Architecture(config, small.image_processor, small, f"built on the spot: {settings.build}")
    assert settings.path is not None
    folder = Path(settings.path).expanduser() if is_local(settings.path) else cached_folder(settings.path)
    if folder is None or (not is_local(settings.path) and missing_files(folder)):
        return _published(settings.path, place)
    if is_local(settings.path) and (bare := _bare_config(folder)) is not None:
        return _unopened(bare, settings.path, place)
    opened = open_folder(str(folder), place)
    origin = f"{'folder' if is_local(settings.path) else 'local cache'}: {settings.path}"
    return Architecture(opened.config, opened.processor.image_processor, opened.processor, origin)


def _published(name: str, place: str) -> Architecture:
    known = published_models()
    if name not in known:
        raise ConfigError(
            place,
            f"nothing is known about the size of {name!r}: it is no folder and not in the local cache",
            f"download it (`hf download {name}`) or give its folder; known without files: {', '.join(known)}",
        )
    config, images = known[name].config(), known[name].image_processor()
    return Architecture(config, images, None, f"the published config.json of {name} (not downloaded here)")


def _bare_config(path: Path) -> Path | None:
    """The folder of a config.json without weights beside it, or of the file that is named; else None."""
    if path.is_file() and path.name == "config.json":
        return path.parent
    held = [file.suffix for file in path.iterdir()] if path.is_dir() else []
    lacks_weights = not {".safetensors", ".bin", ".pt", ".pth", ".ckpt"}.intersection(held)
    return path if lacks_weights and (path / "config.json").is_file() and not (path / INDEX).is_file() else None


def _unopened(folder: Path, path: str, place: str) -> Architecture:
    """A model of which only the configuration is here. Raises ConfigError where that doesn't say how images are cut."""
    config = read_config(folder, place)
    images = family_of(config, place).image_processor(config)
    if images is None:
        raise ConfigError(
            place,
            f"{path} is a configuration alone, and how a {config.model_type} cuts its images stands in other files",
            "give a folder with the processor's files and the weights",
        )
    return Architecture(config, images, None, f"config.json alone: {path} (no weights here)")


@dataclass(frozen=True)
class ParameterCounts:
    """Exact numbers of parameters, tied weights once.

    matrices_by_part  those that Muon would take
    active_by_part    those that one token is multiplied with: matrices, and of experts the chosen ones' share
    sides_by_part     rows + columns of these matrices: what adapters have for each of their ranks
    largest_layer     of those layers of tower and decoder that shards gather one by one
    ends              all others together: embedding, head, norms, projector
    largest_weight    of single tensors, such as the embedding
    """

    by_part: dict[str, int]
    matrices_by_part: dict[str, int]
    sides_by_part: dict[str, int]
    largest_layer: int = 0
    ends: int = 0
    largest_weight: int = 0
    active_by_part: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All parameters."""
        return sum(self.by_part.values())


def count_parameters(config: Any) -> ParameterCounts:
    """Parameters of the architecture by part (vision, projector, language), counted without making them.

    Raises ConfigError if the configuration is not that of a vision-language model.
    """
    try:
        with torch.device("meta"):
            model: Any = transformers.AutoModelForImageTextToText.from_config(config)  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise ConfigError(
            "model.path", f"{type(config).__name__} is no vision-language model", "give one that reads images"
        ) from error
    by_part = {"vision": 0, "projector": 0, "language": 0}
    matrices, sides = dict(by_part), dict(by_part)
    largest = 0
    for name, parameter in model.named_parameters():
        by_part[part_of(name)] += parameter.numel()
        largest = max(largest, parameter.numel())
        if takes_muon(name, parameter):
            matrices[part_of(name)] += parameter.numel()
            sides[part_of(name)] += sum(parameter.shape)
    layers = [
        sum(parameter.numel() for parameter in layer.parameters())
        for some in gathered_layers(model).values()
        for layer in some
    ]
    total = sum(by_part.values())
    active = active_weights(model, config)
    return ParameterCounts(by_part, matrices, sides, max(layers, default=0), total - sum(layers), largest, active)
