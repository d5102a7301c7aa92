"""Any vision-language model of transformers that keeps its contract, without a file of its own.

The model and its processor are asked: what the tower takes are the parameters of `get_image_features` that the
processor's output has, features go into the model by `mm_encoder_outputs`, positions come from `get_rope_index` where
there is one, and how many tokens an image takes is what the processor makes of one of that size. What can't be asked
is worked out (which rows belong to which image) or a table of names (parameters of tower and projector).

Whether it reads a model rightly is found out when the model is loaded: model/folders/reading_check.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from PIL import Image as Pillow

from vlrl.errors import ConfigError
from vlrl.model.families.contract import core_class, tower_arguments
from vlrl.model.families.family import Family, ImageSize, TowerShape
from vlrl.model.families.image_types import ImageFeatures, Pixels

if TYPE_CHECKING:
    from vlrl.model.prompts.encode import Encoded

GRIDS = ("image_grid_thw",)  # grids of images in patches, whose products are the rows that each has
PLACEHOLDERS = re.compile(r"(image|video|vision|audio|media|boi|eoi|boa|eoa)\w*_token_(id|index)$")
MARKERS = ("image_token", "boi_token", "start_image_token")  # what a chat template may write for an image


class GenericFamily(Family):
    """A model that keeps transformers' contract; see the module."""

    one_prompt_a_call = True
    one_tower_call = False
    projects_again = False
    decoder_reading = frozenset({"sliding_attention", "chunked_attention", "linear_attention", "conv"})
    tower_names = ("vision_tower", "video_tower", "vision_model", ".visual.", "vision_encoder", "vpm.", "image_encoder")
    projector_names = (
        "projector",
        "vision_projection",
        "high_res_vision_alpha",
        "high_res_vision_neck",
        "high_res_vision_proj",
        "connector",
        "merger",
        "embed_vision",
        "aligner",
        "image_newline",
        "view_seperator",
        "resampler",
    )

    def cut(self, output: Any, prompts: Sequence[Sequence[int]], counts: Sequence[int], loaded: Any) -> list[Pixels]:
        """Where the output says by itself which rows are whose."""
        return self.cut_images(output, prompts, [[None] * count for count in counts], loaded)

    def cut_images(
        self, output: Any, prompts: Sequence[Sequence[int]], images: Sequence[Sequence[Any]], loaded: Any
    ) -> list[Pixels]:
        """The output for one prompt, cut into its images: by their grids, one row each, or as the image processor cuts
        each of them alone.
        """
        (of_prompt,) = images
        arguments = tower_arguments(core_class(loaded.config))
        given = {name: _tensors(output[name]) for name in arguments if output.get(name) is not None}
        if not given or arguments[0] not in given:
            raise ConfigError(
                "model.path",
                f"the processor's output has {', '.join(output)}, the tower takes {', '.join(arguments)}",
                "take the processor of this model",
            )
        split = {name: _by_image(name, value, given, of_prompt, loaded) for name, value in given.items()}
        found = []
        for i in range(len(of_prompt)):
            values, *_ = (parts[i] for parts in split.values())
            others = {name: parts[i] for name, parts in list(split.items())[1:]}
            found.append(Pixels(values, _grid(values, others, loaded.config), None, others))
        return found

    def encode_images(self, core: Any, own: Any, images: Sequence[Pixels], device: torch.device) -> list[ImageFeatures]:
        """One call for images of one layout: what it gives is as much for each of them."""
        first = tower_arguments(core.__class__)[0]
        found: dict[int, ImageFeatures] = {}
        for chosen in _alike(images):
            some = [images[i] for i in chosen]
            others = {name: torch.cat([one.inputs[name] for one in some]).to(device) for name in some[0].inputs}
            values = torch.cat([one.values for one in some]).to(device)
            output = own(core, **{first: values}, **others, return_dict=True)
            merged = _shared_out(output.pooler_output, len(some))
            levels = [_shared_out(level, len(some)) for level in getattr(output, "deepstack_features", None) or ()]
            listed = not isinstance(output.pooler_output, torch.Tensor)
            for number, i in enumerate(chosen):
                found[i] = ImageFeatures(merged[number], tuple(level[number] for level in levels), listed)
        return [found[i] for i in range(len(images))]

    def stand_in(self, features: Sequence[ImageFeatures]) -> tuple[Any, dict[str, Any]]:
        """In the form in which the model's own tower gives them: a list by image, or one tensor."""
        merged: Any = tuple(f.merged for f in features)
        output: Any = transformers.modeling_outputs.BaseModelOutputWithPooling(
            pooler_output=merged if features[0].listed else torch.cat(merged)  # type: ignore[arg-type]
        )
        if features[0].levels:
            by_level = [tuple(f.levels[i] for f in features) for i in range(len(features[0].levels))]
            output.deepstack_features = by_level if features[0].listed else [torch.cat(level) for level in by_level]
        return output, {"mm_encoder_outputs": {"image": output}}

    def rows_of_positions(self, core: Any) -> int:
        """Three where the model numbers by `get_rope_index`."""
        return 3 if hasattr(core, "get_rope_index") else 1

    def positions(self, core: Any, encoded: Encoded) -> torch.Tensor:
        """By the model's own rule, where it has one."""
        if not hasattr(core, "get_rope_index"):
            return super().positions(core, encoded)
        grids = [image.pixels.inputs["image_grid_thw"] for image in encoded.images]
        found, _ = core.get_rope_index(
            torch.tensor([encoded.token_ids]),
            mm_token_type_ids=torch.tensor([encoded.token_types], dtype=torch.int),
            image_grid_thw=torch.cat(grids) if grids else None,
        )
        positions: torch.Tensor = found[:, 0]
        return positions

    def image_token(self, config: Any) -> int | None:
        """By the names that configurations have for it."""
        names = ("image_token_id", "image_token_index", "media_placeholder_token_id")
        return next((int(i) for name in names if isinstance(i := getattr(config, name, None), int)), None)

    def placeholder_fields(self, config: Any) -> tuple[str, ...]:
        """Every field whose name says that it is the id of such a token."""
        return tuple(name for name in config.to_dict() if PLACEHOLDERS.search(name))

    def image_markers(self, processor: Any) -> tuple[str, ...]:
        """The placeholder, or the token before it, which the processor writes the placeholders behind."""
        found = (getattr(processor, name, None) for name in MARKERS)
        return tuple(dict.fromkeys(one for one in found if isinstance(one, str)))

    def merge(self, config: Any) -> int:
        """For estimates of costs alone: the square of the field that says how many patches a side become one."""
        for holder in (config.vision_config, config):
            for name in ("spatial_merge_size", "scale_factor", "downsample_factor", "pooling_kernel_size"):
                side = getattr(holder, name, None)
                if isinstance(side, int) and side > 0:
                    return side**2
            ratio = getattr(holder, "downsample_ratio", None)
            if isinstance(ratio, float) and ratio > 0:
                return max(1, round(1 / ratio) ** 2)
        return 1

    def patches(self, config: Any, image_processor: Any, width: int, height: int) -> int:
        """As the image processor cuts a blank image of this size."""
        blank = [Pillow.new("RGB", (width, height), (128, 128, 128))]
        made = image_processor(blank, return_tensors="pt")
        arguments = tower_arguments(core_class(config))
        given = {name: _first(_tensors(made[name])) for name in arguments if made.get(name) is not None}
        values = given.pop(arguments[0])
        time, rows, columns = _grid(values, given, config)
        return time * rows * columns

    def size_of(self, config: Any, processor: Any, width: int, height: int) -> ImageSize:
        """By the processor: a prompt of nothing but the image is written out."""
        patches = self.patches(config, processor.image_processor, width, height)
        if not hasattr(processor, "tokenizer"):
            return ImageSize(patches, patches // self.merge(config))
        blank = Pillow.new("RGB", (width, height), (128, 128, 128))
        output = processor(text=[marker_of(self, processor)], images=[[blank]], add_special_tokens=False)
        return ImageSize(patches, len(output["input_ids"][0]))

    def image_tokens(self, config: Any, processor: Any, width: int, height: int) -> int:
        """Placeholders that the processor writes."""
        blank = Pillow.new("RGB", (width, height), (128, 128, 128))
        output = processor(text=[marker_of(self, processor)], images=[[blank]], add_special_tokens=False)
        count: int = np.asarray(output["input_ids"][0]).tolist().count(self.image_token(config))
        return count

    def misfit(self, config: Any, pixels: Pixels) -> str | None:
        """Found when the model is loaded and reads one."""
        return None

    def placeholders_of(self, config: Any, pixels: Sequence[Pixels]) -> int | None:
        """Found when the model is loaded and reads them."""
        return None

    def tower(self, config: Any) -> TowerShape:
        """By the names that vision configurations have in common."""
        vision = config.vision_config
        layers = _number(vision, "num_hidden_layers", "depth", "layers", "num_layers")
        width = _number(vision, "hidden_size", "embed_dim", "width", "vt_hidden_size")
        return TowerShape(
            layers, width, _number(vision, "intermediate_size", "vt_intermediate_size", otherwise=4 * width)
        )

    def tower_pairs(self, config: Any, patches: int) -> float:
        """Patches of a tile attend to each other; where the tower has no tiles of one size, those of an image."""
        side = tile_side(config)
        return float(self.tower(config).layers * patches * (patches if side is None else min(patches, side**2)))


GENERIC = GenericFamily()


def marker_of(family: Family, processor: Any) -> str:
    """The token that this processor's chat template writes for an image."""
    written = ""
    if getattr(processor, "chat_template", None):
        written = processor.apply_chat_template([{"role": "user", "content": [{"type": "image"}]}], tokenize=False)
    marks = family.image_markers(processor)
    return next((mark for mark in marks if mark in written), marks[0])


def tile_side(config: Any) -> int | None:
    """Patches along a side of the tower's images or tiles, where all have one size; None where they haven't."""
    size, patch = (_side(getattr(config.vision_config, name, None)) for name in ("image_size", "patch_size"))
    return size // patch if size and patch else None


def _side(value: Any) -> int | None:
    first = value[0] if isinstance(value, list | tuple) and value else value
    return int(first) if isinstance(first, int) and first > 0 else None


def _number(holder: Any, *names: str, otherwise: int | None = None) -> int:
    for name in names:
        if isinstance(value := getattr(holder, name, None), int):
            return value
    if otherwise is None:
        raise ConfigError(
            "model.path", f"vision_config has none of {', '.join(names)}", "report it with the model's name"
        )
    return otherwise


def _tensors(value: Any) -> torch.Tensor | list[torch.Tensor]:
    """Of a processor's output: one tensor, or one an image where they differ in shape. Numbers are float32 or int64."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return _exact(torch.as_tensor(value))
    parts = [_exact(torch.as_tensor(np.asarray(one) if not isinstance(one, torch.Tensor) else one)) for one in value]
    return torch.stack(parts) if len({one.shape for one in parts}) == 1 else parts


def _first(value: torch.Tensor | list[torch.Tensor]) -> torch.Tensor:
    """Of one image's output."""
    return value[0][None] if isinstance(value, list) else value


def _exact(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value


def _by_image(
    name: str, value: Any, given: Mapping[str, Any], images: Sequence[Any], loaded: Any
) -> Sequence[torch.Tensor]:
    """One input of the tower by image of a prompt. Raises ConfigError where it can't be told what is whose."""
    count = len(images)
    if count == 1:
        return [_first(value)]
    if isinstance(value, list) and len(value) == count:
        return [one[None] for one in value]
    if isinstance(value, torch.Tensor):
        rows = _rows(name, value, given, images, loaded)
        if rows is not None:
            return [part.clone() for part in torch.split(value, rows)]
        if len(value) == 1:
            return [value] * count  # of the prompt
    raise ConfigError(
        "model.path",
        f"of {count} images the processor gives {len(value)} rows as {name}: which are whose can't be told",
        "write a family (docs/models.md, 'A family of your own')",
    )


def _rows(
    name: str, value: torch.Tensor, given: Mapping[str, Any], images: Sequence[Any], loaded: Any
) -> list[int] | None:
    """How many rows each image has."""
    for grids in (given[grid] for grid in GRIDS if grid in given and name.startswith("pixel_values")):
        rows: list[int] = grids.prod(-1).tolist()
        if sum(rows) == len(value):
            return rows
    if len(value) == len(images):
        return [1] * len(images)
    if all(image is not None for image in images):
        alone = [loaded.processor.image_processor([image], return_tensors="pt") for image in images]
        rows = [len(_tensors(made[name])) for made in alone if made.get(name) is not None]
        if len(rows) == len(images) and sum(rows) == len(value):
            return rows
    return None


def _grid(values: torch.Tensor, others: Mapping[str, torch.Tensor], config: Any) -> tuple[int, int, int]:
    """(time or tiles, height, width) in patches."""
    for name in GRIDS:
        if name in others:
            time, height, width = others[name].reshape(-1, 3)[0].tolist()
            return int(time), int(height), int(width)
    if values.ndim == 2:
        return 1, 1, len(values)
    if values.ndim == 3:  # tiles of flat patches
        return len(values), 1, values.shape[1]
    patch = _side(getattr(config.vision_config, "patch_size", None)) or 1
    tiles = values.shape[:-3].numel()
    return tiles, max(1, values.shape[-2] // patch), max(1, values.shape[-1] // patch)


def _alike(images: Sequence[Pixels]) -> Iterator[list[int]]:
    """Indices of images that differ in nothing but the values of their pixels."""
    groups: dict[Any, list[int]] = {}
    for i, image in enumerate(images):
        others = tuple((name, tuple(one.shape), _small(one)) for name, one in image.inputs.items())
        groups.setdefault((tuple(image.values.shape), others), []).append(i)
    yield from groups.values()


def _small(value: torch.Tensor) -> Any:
    """Of whole numbers and masks, their values; numbers of pixels may differ."""
    return None if value.is_floating_point() else value.numpy().tobytes()


def _shared_out(found: Any, count: int) -> list[torch.Tensor]:
    """What one call of the tower gave for `count` images of one layout, by image."""
    each, rest = divmod(len(found), count)
    if rest:
        raise ConfigError("model.path", f"{len(found)} rows of features for {count} images of one layout", "report it")
    if isinstance(found, torch.Tensor):
        return list(torch.split(found, each))
    parts = [list(found[i * each : (i + 1) * each]) for i in range(count)]
    return [part[0] if each == 1 else torch.cat(part) for part in parts]
