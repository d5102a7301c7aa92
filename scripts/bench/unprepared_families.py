"""Every image-text class of transformers that no list here knows: read by the generic way, or refused at load, and why.

    nice -n 5 python scripts/bench/unprepared_families.py             # all of them
    nice -n 5 python scripts/bench/unprepared_families.py llava janus # some of them

Nothing is written for any of them: a class's own configuration is made small by the names of its fields, its processor
is put together from the parts that it asks for, and the folder is opened as a user's is. Four things can come of it:

* reads: it passed the check at load, packed rows against its plain forward pass, and an engine wrote with it;
* refused: a ConfigError with place, value and remedy, before or at the check;
* not made: no small model of it could be made this way, which says nothing of it;
* TRACEBACK: opening or asking it raised anything else. The script then ends with exit code 1.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PreTrainedConfig

from vlrl.data.images.image_budget import ImageBudget
from vlrl.errors import ConfigError
from vlrl.model.families.small.parts import FRAME, named, template
from vlrl.model.families.tested import list_models
from vlrl.model.families.tiny_parts import train_tokenizer
from vlrl.model.folders.processor_compat import allow_processors_without_torchvision, new_video_processor
from vlrl.model.load import ModelSettings, load_folder
from vlrl.model.prompts.encode import Encoder
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.types import Problem, Text

MOST = 20_000_000  # weights of a model that counts as small
TEXTS = ("How many cards? What is 3+4=?", "red green blue left right") * 5
SMALL = {  # fields of text and vision configurations, by the names that they have in common
    "hidden_size": 64,
    "embed_dim": 64,
    "width": 64,
    "intermediate_size": 96,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
    "num_hidden_layers": 2,
    "depth": 2,
    "layers": 2,
    "num_layers": 2,
    "num_attention_heads": 4,
    "num_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "moe_num_experts": 4,
    "num_experts_per_tok": 2,
    "patch_size": 8,
    "image_size": 32,
    "max_position_embeddings": 1024,
    "out_hidden_size": 64,
    "projection_dim": 64,
    "sliding_window": 24,
    "vocab_size_per_layer_input": 400,
}
RELATED = {"glm4v_moe": "glm4v", "glm_ocr": "glm46v", "glmga": "glm46v", "fast_vlm": "llava"}  # share its processor
BY_LAYER = ("layer_types", "layers_block_type", "block_types", "mlp_layer_types")


def shrink(config: Any, vocabulary: int) -> None:
    """Make a configuration, and all that it holds, small."""
    for name, value in list(vars(config).items()):
        if isinstance(value, PreTrainedConfig):
            shrink(value, vocabulary)
        elif name in SMALL and isinstance(value, int) and not isinstance(value, bool):
            setattr(config, name, min(value, SMALL[name]))
        elif name in SMALL and isinstance(value, list | tuple) and len(set(value)) == 1:
            setattr(config, name, type(value)([SMALL[name]] * len(value)))
        elif name in BY_LAYER and value:
            setattr(config, name, list(value[-2:]))
        elif name == "vocab_size":
            setattr(config, name, vocabulary)
        elif name == "rope_parameters" and isinstance(value, dict) and "rope_type" in value:
            half = int(SMALL["head_dim"] * value.get("partial_rotary_factor", 1.0)) // 2
            parts = [half - 2 * (half // 4), half // 4, half // 4]
            if "mrope_section" in inspect.getsource(
                import_module(type(config).__module__.replace("configuration_", "modeling_"))
            ):
                setattr(config, name, {**value, "mrope_section": parts})
        elif name in ("deepstack_visual_indexes", "fullatt_block_indexes") and value:
            setattr(config, name, [1])


def token_fields(config: Any) -> Iterator[tuple[Any, str]]:
    """Fields with ids of tokens, of a configuration and of all that it holds."""
    for name, value in list(vars(config).items()):
        if isinstance(value, PreTrainedConfig):
            yield from token_fields(value)
        elif re.search(r"token_(id|index)$", name) and isinstance(value, int):
            yield config, name


def own_processor(config: Any, module: str) -> tuple[Any, Any]:
    """A tokenizer with the tokens that a class's processor asks for, and the processor."""
    names = transformers.models.auto.processing_auto.PROCESSOR_MAPPING_NAMES
    kind: Any = getattr(transformers, names.get(config.model_type) or names[RELATED[config.model_type]])
    source = inspect.getsource(sys.modules[kind.__module__])
    wanted = dict.fromkeys(re.findall(r"tokenizer(?:, \"|\.)(\w+_token)\b(?!_id)", source))
    marks = {name: f"<|{name}|>" for name in wanted if name not in ("eos_token", "pad_token", "bos_token")}
    literal = re.findall(r"\"(<[^\"<> ]+>|\[[A-Z_]+\])\"", source)
    image = marks.get("image_token") or next((one for one in literal if "mage" in one or "IMG" in one), "<image>")
    special = tuple(dict.fromkeys((*FRAME, *marks.values(), *literal, image)))
    tokenizer = train_tokenizer(TEXTS, 340 + len(special), special)
    tokenizer.model_max_length = 1024
    tokenizer = named(tokenizer, **marks)
    parts: dict[str, Any] = {}
    for part in kind.get_attributes():
        if part == "tokenizer":
            parts[part] = tokenizer
        elif part == "image_processor":
            parts[part] = own_image_processor(config)
        elif part == "video_processor":
            parts[part] = own_video_processor(config)
        else:
            raise TypeError(f"its processor asks for {part}")
    accepted = inspect.signature(kind.__init__).parameters
    patch = getattr(config.vision_config, "patch_size", None)
    if "patch_size" in accepted and isinstance(patch, int):
        parts["patch_size"] = patch
    if "vision_feature_select_strategy" in accepted:
        strategy = getattr(config, "vision_feature_select_strategy", "default")
        parts |= {"vision_feature_select_strategy": strategy, "num_additional_image_tokens": 1}
    if "num_image_tokens" in accepted and isinstance(size := getattr(config.vision_config, "image_size", None), int):
        parts["num_image_tokens"] = (size // patch) ** 2
    begins = marks.get("boi_token") or marks.get("start_image_token")
    processor = kind(**parts, chat_template=template(begins if begins and not marks.get("image_token") else image))
    return tokenizer, processor


def own_video_processor(config: Any) -> Any:
    """The video processor that transformers names for a class; without torchvision the stand-in for it."""
    names = transformers.models.auto.video_processing_auto.VIDEO_PROCESSOR_MAPPING_NAMES
    return new_video_processor(names.get(config.model_type, "Qwen2VLVideoProcessor"))


def own_image_processor(config: Any) -> Any:
    """The image processor that transformers names for a class, for the small tower's images."""
    names = transformers.models.auto.image_processing_auto.IMAGE_PROCESSOR_MAPPING_NAMES
    names = names.get(config.model_type) or names[RELATED[config.model_type]]
    listed = list(names.values()) if isinstance(names, dict) else list(names)
    name = next((one for one in listed if one and one.endswith("Pil")), next(one for one in listed if one))
    kind: Any = getattr(transformers, name, None) or getattr(transformers, f"{name}Pil")
    vision, made = config.vision_config, kind()
    size, patch = getattr(vision, "image_size", None), getattr(vision, "patch_size", None)
    more: dict[str, Any] = {}
    if isinstance(size, int) and getattr(made, "size", None) is not None:
        square = {"height": size, "width": size}
        edges = [name for name in ("shortest_edge", "longest_edge") if made.size.get(name)]
        more["size"] = square if made.size.get("height") else dict.fromkeys(edges, size if len(edges) == 1 else 0)
        if len(edges) == 2:  # pixels of an image, or of its sides
            sides = made.size["longest_edge"] < 10_000
            more["size"] = {"shortest_edge": size // 2 if sides else 256, "longest_edge": size if sides else 4096}
        if getattr(made, "crop_size", None) is not None:
            more["crop_size"] = square
    if isinstance(size, int):
        more |= {name: size for name in ("tile_size", "max_image_size") if isinstance(getattr(made, name, None), int)}
    for name in ("patch_size", "spatial_patch_size", "encoder_patch_size"):
        if isinstance(getattr(made, name, None), int) and isinstance(patch, int):
            more[name] = patch
    return kind(**more)


def make(model_type: str, folder: Path) -> None:
    """A small model of a class in `folder`. Raises whatever stands in the way."""
    classes = {one.model_type: one for one in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING}
    allow_processors_without_torchvision()
    config = classes[model_type]()
    shrink(config, 420)
    import_module(classes[model_type].__module__)
    tokenizer, processor = own_processor(config, model_type)
    vocabulary = tokenizer.get_vocab()
    shrink(config, len(tokenizer))
    own_names = {name: getattr(tokenizer, name, None) for name in tokenizer._special_tokens_map}
    for holder, field in token_fields(config):
        token = own_names.get(re.sub(r"_(id|index)$", "", field))
        token = token if isinstance(token, str) else getattr(processor, re.sub(r"_(id|index)$", "", field), None)
        if not isinstance(token, str):
            token = next((one for one in vocabulary if field.split("_")[0] in one and one[0] in "<["), "<|endoftext|>")
        setattr(holder, field, vocabulary.get(token, vocabulary["<|endoftext|>"]))
    text = config.get_text_config()
    text.eos_token_id, text.pad_token_id, text.bos_token_id = (
        vocabulary[one] for one in ("<|im_end|>", *FRAME[:1] * 2)
    )
    config.dtype = "float32"
    kind = transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING[type(config)]
    with torch.device("meta"):
        weights = sum(p.numel() for p in kind(config).parameters())
    if weights > MOST:
        raise ValueError(f"made small it has {weights:,} weights")
    torch.manual_seed(0)
    model = kind(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.1 if parameter.ndim >= 2 else parameter)
    model.generation_config = transformers.GenerationConfig(eos_token_id=text.eos_token_id, pad_token_id=0)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def said(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:230]


def look_at(model_type: str) -> tuple[str, str]:
    """What comes of a class, and why."""
    with tempfile.TemporaryDirectory() as place:
        try:
            make(model_type, Path(place))
        except Exception as error:  # any class may have needs of its own
            return "not made", said(error)
        try:
            loaded = load_folder(place, ModelSettings(path=place, device="cpu"))
            problem = Problem((Text("3+4=?"),), "7", "number", "synthetic", "bench")
            (encoded,) = Encoder(loaded, ImageBudget()).encode([problem])
            TransformersEngine(loaded).generate([Request(encoded, 2, Sampling(max_tokens=4), 0)])
        except ConfigError as error:
            return "refused", said(error)
        except Exception as error:
            return "TRACEBACK", f"{said(error)} {traceback.extract_tb(error.__traceback__)[-1]}"
    return "reads", "packed rows as its plain forward pass"


def main() -> None:
    """Print the table; exit code 1 where opening one raises anything but a ConfigError."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("types", nargs="*", help="model types; default: all that are unproven")
    asked = parser.parse_args().types
    warnings.filterwarnings("ignore")
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    print("| model_type | | |\n|---|---|---|")
    counts: dict[str, int] = {}
    for one in list_models():
        if (one.status != "unproven" and not asked) or (asked and one.model_type not in asked):
            continue
        kind, why = look_at(one.model_type)
        counts[kind] = counts.get(kind, 0) + 1
        print(f"| {one.model_type} | {kind} | {why.replace('|', '/')} |", flush=True)
    print(", ".join(f"{number} {kind}" for kind, number in sorted(counts.items())))
    if counts.get("TRACEBACK"):
        sys.exit(1)


if __name__ == "__main__":
    main()
