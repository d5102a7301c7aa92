"""What was tried of each family, as data: `vlrl models` and the table in docs/models.md are made from it.

A line stands here when tests hold it: tests/model/families/test_generic_families.py for those of the generic way, the
suites of models and engines for those with a file of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import transformers

from vlrl.errors import ConfigError
from vlrl.model.families.decoder_reading import reading_of
from vlrl.model.families.family import families, family_of, refuse_other_reading

Status = Literal["own", "tested", "unproven", "refused"]


@dataclass(frozen=True)
class TestedFamily:
    """A family whose small model is tested: packed rows against the plain forward pass, gradients, engine, reload.

    title     as users know it
    types     `model_type` of what the tests cover
    small     names for `model.build`
    prompts   how a prompt and its k responses are read
    decoding  by what the transformers engine decodes: `own` fast step, `model`'s forward pass, or `state`
    vllm      whether vLLM's class is tested
    torchvision  whether its processor needs torchvision, so that the tests need it, too
    experts   whether it has experts, whose load is counted and whose choice is replayed in tests
    images    how it reads images
    """

    title: str
    types: tuple[str, ...]
    small: tuple[str, ...]
    images: str
    prompts: str = "one row"
    decoding: Literal["own", "model", "state"] = "own"
    vllm: bool = False
    torchvision: bool = False
    experts: bool = False


GRIDS, TILES = "patches of any grid", "tiles of one size"
BEHIND = "prompt read once, its state to each response"
TESTED = (
    TestedFamily("Qwen2-VL, Qwen2.5-VL", ("qwen2_vl", "qwen2_5_vl"), ("tiny-qwen2.5-vl",), GRIDS, vllm=True),
    TestedFamily("Qwen3-VL", ("qwen3_vl",), ("tiny-qwen3-vl",), GRIDS, vllm=True),
    TestedFamily(
        "Qwen3-VL with experts", ("qwen3_vl_moe",), ("tiny-qwen3-vl-moe",), GRIDS, decoding="model", experts=True
    ),
    TestedFamily("Qwen3.5", ("qwen3_5",), ("tiny-qwen3.5",), GRIDS, BEHIND, "state"),
    TestedFamily("Qwen3.5 with experts", ("qwen3_5_moe",), ("tiny-qwen3.5-moe",), GRIDS, BEHIND, "state", experts=True),
    TestedFamily("Idefics3, SmolVLM", ("idefics3", "smolvlm"), ("tiny-idefics3",), f"{TILES}, and the whole image"),
    TestedFamily("InternVL3, 3.5 (HF)", ("internvl",), ("tiny-internvl",), f"{TILES}, and the whole image"),
    TestedFamily("LLaVA-NeXT", ("llava_next",), ("tiny-llava-next",), f"{TILES}, and the whole image"),
    TestedFamily("LLaVA-OneVision", ("llava_onevision",), ("tiny-llava-onevision",), f"{TILES}, one of several images"),
    TestedFamily("Aya Vision", ("aya_vision",), ("tiny-aya-vision",), f"{TILES}; windows in layers", decoding="model"),
    TestedFamily("GLM-4.6V", ("glm46v",), ("tiny-glm-4.6v",), GRIDS, decoding="model"),
    TestedFamily("Mistral 3", ("mistral3",), ("tiny-mistral3",), GRIDS, decoding="model", torchvision=True),
    TestedFamily(
        "Gemma 3", ("gemma3",), ("tiny-gemma3",), "one size; its tokens see each other; windows", decoding="model"
    ),
    TestedFamily(
        "Gemma 4",
        ("gemma4",),
        ("tiny-gemma4",),
        "any size; in windows its tokens see each other",
        decoding="model",
        torchvision=True,
    ),
    TestedFamily(
        "PaliGemma 2", ("paligemma",), ("tiny-paligemma2",), "one size; the prompt sees all of itself", decoding="model"
    ),
)


@dataclass(frozen=True)
class ListedModel:
    """What is known of one `model_type`; `why` says what was tried of it, or why it is refused."""

    model_type: str
    status: Status
    why: str


def list_models() -> Iterator[ListedModel]:
    """Every type with an image-text class in this transformers, or a family here, by name."""
    tested = {name: one for one in TESTED for name in one.types}
    classes = {one.model_type: one for one in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING}
    for name in sorted({*classes, *families}):
        if name in tested:
            yield ListedModel(name, "own" if name in families else "tested", tested[name].title)
        elif name in families:
            plugin = families.plugin_of(name)
            yield ListedModel(name, "own", f"from {plugin}" if plugin else "a file of its own")
        else:
            yield _untried(name, classes[name])


def _untried(name: str, config_class: type) -> ListedModel:
    try:
        config = config_class()
    except Exception as error:  # a configuration that has no defaults says nothing of itself
        return ListedModel(name, "unproven", f"its configuration has no defaults ({type(error).__name__})")
    try:
        family_of(config)
        refuse_other_reading(config, "model.path")
    except ConfigError as error:
        return ListedModel(name, "refused", error.problem)
    kinds = ", ".join(sorted(reading_of(config)))
    return ListedModel(name, "unproven", "checked when it is loaded" + (f"; layers: {kinds}" if kinds else ""))


def tested_table() -> list[str]:
    """The table of docs/models.md, line by line."""
    lines = ["| family | `model_type` | `model.build` | reads images as | prompt and responses | engine | vLLM "]
    lines[0] += "| experts | video |"
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for one in TESTED:
        types, small = (", ".join(f"`{name}`" for name in names) for names in (one.types, one.small))
        decoding = {"own": "fast step", "model": "model's forward pass", "state": "request by request"}[one.decoding]
        vllm = "yes" if one.vllm else "–"
        lines.append(
            f"| {one.title} | {types} | {small} | {one.images} | {one.prompts} | {decoding} | {vllm} "
            f"| {'load, replay' if one.experts else '–'} | frames |"
        )
    return lines
