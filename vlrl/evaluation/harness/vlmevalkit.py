"""VLMEvalKit's configuration (`run.py --config`) for a model folder of ours.

Its classes choose what they load by words in the path, so that one would read a folder of a misleading name as another
model. Arguments and rules: vlmeval/vlm at commit 002f7b7 of VLMEvalKit and in ms-vlmeval 0.0.20, which knows Qwen2.5-VL
by the architecture in config.json. Format: its docs/en/ConfigSystem.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlrl.errors import ConfigError, did_you_mean

PIXELS, PROMPT, TOKENS = ("min_pixels", "max_pixels"), "system_prompt", "max_new_tokens"


@dataclass(frozen=True)
class VlmEvalKitClass:
    """A class of vlmeval.vlm as it stands to folders in Hugging Face format.

    takes  keys of our settings that its constructor reads
    needs  of these words the path must hold one
    bars   of these words the path may hold none
    Case doesn't count in words.
    """

    name: str
    takes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    bars: tuple[str, ...] = ()


_NAMES_2_5 = ("2.5", "2_5", "qwen25")
_QWEN3 = VlmEvalKitClass("Qwen3VLChat", (*PIXELS, PROMPT, TOKENS), bars=("omni",))
CLASSES: dict[str, VlmEvalKitClass] = {  # by `model_type`
    "qwen2_vl": VlmEvalKitClass("Qwen2VLChat", (*PIXELS, PROMPT, TOKENS), bars=("omni", *_NAMES_2_5)),
    "qwen2_5_vl": VlmEvalKitClass("Qwen2VLChat", (*PIXELS, PROMPT, TOKENS), needs=_NAMES_2_5, bars=("omni",)),
    **dict.fromkeys(("qwen3_vl", "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe"), _QWEN3),
    "gemma3": VlmEvalKitClass("Gemma3", (PROMPT, TOKENS)),
    "gemma4": VlmEvalKitClass("Gemma4", (TOKENS,)),
    "paligemma": VlmEvalKitClass("PaliGemma"),
    "idefics3": VlmEvalKitClass("SmolVLM", (TOKENS,)),
    "smolvlm": VlmEvalKitClass("SmolVLM2", (TOKENS,)),
    "llava_next": VlmEvalKitClass("LLaVA_Next", (TOKENS,), bars=("interleave",)),
    "llava_onevision": VlmEvalKitClass("LLaVA_OneVision_HF"),
}
WITHOUT = {  # why there is no class for a family that comes near one
    "internvl": "its InternVLChat reads the layout of OpenGVLab's own code, not transformers'",
    "glm46v": "its GLMThinking loads GLM-4.1V and GLM-4.5V alone",
    "mistral3": "its Pixtral reads mistral's own layout",
}
DATA_CLASSES = {  # vlmeval.dataset, by the name of a benchmark
    **dict.fromkeys(("MMMU_DEV_VAL", "MMMU_TEST"), "MMMUDataset"),
    **dict.fromkeys(("MMBench_DEV_EN", "MMBench_DEV_EN_V11", "MMBench_DEV_CN_V11", "MMStar"), "ImageMCQDataset"),
    **dict.fromkeys(("AI2D_TEST", "RealWorldQA", "SEEDBench_IMG", "ScienceQA_TEST", "BLINK"), "ImageMCQDataset"),
    **dict.fromkeys(("ChartQA_TEST", "DocVQA_VAL", "InfoVQA_VAL", "TextVQA_VAL"), "ImageVQADataset"),
    **dict.fromkeys(("HallusionBench", "POPE", "MME"), "ImageYORNDataset"),
    **dict.fromkeys(("MathVision", "MathVision_MINI"), "MathVision"),
    "MathVista_MINI": "MathVista",
    "OCRBench": "OCRBench",
}


def vlmevalkit_config(
    folder: Path, model_type: str, name: str, data: Sequence[str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What `run.py --config` reads: one model and its benchmarks.

    folder    of the model; its path goes into the config as an absolute one, links unfollowed
    data      names of benchmarks, or NAME=CLASS for one whose class isn't known here
    settings  min_pixels, max_pixels, system_prompt, max_new_tokens, of which the class takes what it reads; a
              system_prompt of None keeps a class from adding its own
    Raises ConfigError for a family without a class, a path that its class would misread, and unknown benchmarks.
    """
    kit = _class_of(model_type)
    path = str(folder.absolute())
    _refuse_misread(kit, path, model_type)
    if "/" in name or not name:
        raise ConfigError("--name", f"{name!r} can't be part of VLMEvalKit's file names", "leave `/` out")
    model = {"class": kit.name, "model_path": path} | {key: settings[key] for key in kit.takes if key in settings}
    return {"model": {name: model}, "data": dict(_benchmark(one) for one in data)}


def not_taken(model_type: str, settings: Mapping[str, Any]) -> list[str]:
    """Keys of settings with a value that the class of a family doesn't read."""
    return [key for key, value in settings.items() if value is not None and key not in _class_of(model_type).takes]


def _class_of(model_type: str) -> VlmEvalKitClass:
    if model_type not in CLASSES:
        reason = WITHOUT.get(model_type, "no class of VLMEvalKit reads such folders")
        raise ConfigError(
            "model_type", f"{model_type!r}: {reason}", "lmms-eval asks every model of ours: `--model vlrl`"
        )
    return CLASSES[model_type]


def _refuse_misread(kit: VlmEvalKitClass, path: str, model_type: str) -> None:
    lower = path.lower()
    barred = [word for word in kit.bars if word in lower]
    lacks = kit.needs and not any(word in lower for word in kit.needs)
    if not barred and not lacks:
        return
    has = f"which holds {barred[0]!r}" if barred else f"which holds none of {', '.join(map(repr, kit.needs))}"
    other = f"a path without {barred[0]!r}" if barred else f"a link: ln -s {path} {path}_{model_type}"
    raise ConfigError("path", f"{path}: {kit.name} takes the model by its path, {has}, for another one", other)


def _benchmark(given: str) -> tuple[str, dict[str, str]]:
    name, _, named = given.partition("=")
    kind = named or DATA_CLASSES.get(name)
    if not name or kind is None:
        raise ConfigError(
            "--data",
            f"the class of {given!r} in vlmeval.dataset isn't known here; {did_you_mean(name, DATA_CLASSES)}",
            "name it: NAME=CLASS",
        )
    return name, {"class": kind, "dataset": name}
