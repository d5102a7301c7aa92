"""The text of one model's card: YAML for the hub, how to load it, accuracies, how it was trained, what isn't known.

The YAML is written by huggingface_hub's own class. What names a folder of this machine stays here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from vlrl.report.figures.metric_charts import final_figures
from vlrl.report.model_cards.base_model import TAG, BaseModel, base_model, is_hub_id
from vlrl.report.model_cards.public_text import settings_without_folders, without_folders
from vlrl.report.read_run import RunRecord
from vlrl.report.run_card import card_facts, markdown_table
from vlrl.report.tables import accuracy_text, result_tables

ADAPTER = "adapter"  # folder of a model, with the LoRA adapter that was added into its weights
PAPER = "[Kimi k1.5](https://arxiv.org/abs/2501.12599)"
STAGES = {"sft": "SFT", "distil": "distillation", "dpo": "DPO", "rl": "RL"}
SHOWN_FACTS = ("started", "wall-clock", "seed", "ranks", "machine", "versions", "code", "model", "algorithm", "tokens")
LICENCE_UNKNOWN = "- No licence is stated, since the base model's isn't known here; state one before you share it."
_FOLDER = re.compile(r"model(?:_(?P<stage>sft|distil|dpo))?(?:_step_(?P<step>\d+))?")


def model_card(run: RunRecord, folder: Path) -> str:
    """The card of a model that a run has left in `folder`: `model`, `model_sft`, `model_step_50` …"""
    from huggingface_hub import ModelCardData

    found = _FOLDER.fullmatch(folder.name)
    stage, step = (found["stage"] or "rl", found["step"]) if found else ("rl", None)
    settings, base = run.card.get("settings") or {}, base_model(run.card)
    name = run.folder.resolve().name + ("" if folder.name == "model" else folder.name.removeprefix("model"))
    recipe = Path(str((run.card.get("data") or {}).get("recipe") or settings.get("data") or "recipe")).stem
    results = [] if step else list(_results(run, stage, recipe))
    licence: dict[str, Any] = dict(base.licence)
    head = ModelCardData(
        base_model=base.name,
        base_model_relation="finetune" if base.name else None,
        library_name="transformers",
        pipeline_tag="image-text-to-text",
        tags=[TAG, "vision-language", *(["reinforcement-learning"] if stage == "rl" else [])],
        datasets=_data_sets(run.folder) or None,
        metrics=["accuracy"],
        model_name=name if results else None,
        eval_results=results or None,
        **licence,
    )
    lines = ["---", head.to_yaml().rstrip(), "---", "", f"# {name}", "", _summary(settings, stage, step, base), ""]
    lines += [*_use(folder), "", *_accuracies(run, step), "## How it was trained", ""]
    lines += [f"- **{key}**: {without_folders(value)}" for key, value in card_facts(run) if key in SHOWN_FACTS]
    lines += [f"- **{file}**: SHA-256 `{digest}`" for file, digest in _digests(run, folder).items()]
    lines += ["", "```yaml", _settings_text(settings, stage), "```", "", "## Limits", ""]
    lines.append("- The accuracies are those of the recipe's own held-out problems and say nothing of other tasks.")
    return "\n".join([*lines, *([] if base.licence else [LICENCE_UNKNOWN]), ""])


def _results(run: RunRecord, stage: str, recipe: str) -> Iterator[Any]:
    """An entry of the hub's model-index a modality and kind of answer, each modality a configuration of its own."""
    from huggingface_hub import EvalResult

    figures = final_figures(run, stage) if stage in run.stages else {}
    for modality in run.modalities:
        for kind in ("sampled", "greedy"):
            value = (figures.get(modality) or {}).get(kind)
            if isinstance(value, (int, float)):
                yield EvalResult(
                    task_type="text-generation" if modality == "text" else "image-text-to-text",
                    dataset_type=recipe,
                    dataset_name=f"{recipe}, held-out problems, {modality}",
                    dataset_config=modality,
                    dataset_split="test",
                    metric_type="accuracy",
                    metric_name=f"accuracy, {kind}",
                    metric_value=round(float(value), 4),
                )


def _data_sets(run_folder: Path) -> list[str]:
    """Hub ids among the sources of the run's recipe."""
    file = run_folder / "recipe.yaml"
    try:
        sources = (yaml.safe_load(file.read_bytes()) or {}).get("sources") or []
    except (OSError, yaml.YAMLError, AttributeError):
        return []
    paths = [str(one.get("path") or "") for one in sources if isinstance(one, Mapping) and one.get("kind") == "file"]
    return sorted({path for path in paths if is_hub_id(path) and not Path(path).suffix})


def _summary(settings: Mapping[str, Any], stage: str, step: str | None, base: BaseModel) -> str:
    model = settings.get("model") or {}
    if model.get("build"):
        start = f"a small model made for the run (`{model['build']}`, random weights)"
    elif base.name:
        start = f"[{base.name}](https://huggingface.co/{base.name})"
    else:
        start = f"the model folder `{Path(str(model.get('path') or '?')).name}`, whose name on the hub isn't known"
    trained = [name for name in settings.get("stages") or () if name in STAGES]
    trained = trained[: trained.index(stage) + 1] if stage in trained else [stage]
    how = ", then ".join(STAGES[name] for name in trained) + (f", as it was after step {step}" if step else "")
    return f"Trained by vlrl, the way of {PAPER}, from {start}: {how}."


def _use(folder: Path) -> list[str]:
    lines = [
        "```python",
        "from transformers import AutoModelForImageTextToText, AutoProcessor",
        "",
        'name = "."  # this folder, or its name on the hub',
        "model = AutoModelForImageTextToText.from_pretrained(name)",
        "processor = AutoProcessor.from_pretrained(name)",
        "```",
    ]
    if (folder / ADAPTER).is_dir():
        lines += ["", f"The weights have the LoRA adapter added in; `{ADAPTER}/` holds it alone, in peft's format."]
    return lines


def _accuracies(run: RunRecord, step: str | None) -> list[str]:
    """Tables of the held-out test, of all stages beside each other; of an export its validation."""
    if step:
        line = next((one for one in run.metrics if one["phase"] == "eval" and str(one["step"]) == step), {})
        values = {key.removeprefix("accuracy/"): value for key, value in line.items() if key.startswith("accuracy/")}
        told = ", ".join(f"{name} {accuracy_text(v)}" for name, v in values.items() if isinstance(v, (int, float)))
        return [f"Accuracy on the problems that the run validates with: {told}.", ""] if told else []
    lines = []
    for table in result_tables(run):
        lines += [f"## Accuracy on held-out problems, {table.title.lower()}", "", *markdown_table(table), ""]
    if lines:
        lines += ["95 % intervals. The problems come from the sources of the training recipe; training saw none.", ""]
    return lines


def _digests(run: RunRecord, folder: Path) -> Mapping[str, str]:
    written: Mapping[str, Any] = (run.card.get("weights") or {}).get("written") or {}
    return written.get(folder.name) or {}


def _settings_text(settings: Mapping[str, Any], stage: str) -> str:
    """Settings of the stages up to this one."""
    stages = list(settings.get("stages") or ())
    upto = stages[: stages.index(stage) + 1] if stage in stages else [stage]
    keys = ("seed", "model", "data", "system_prompt", "image", *[name for name in upto if name in STAGES])
    wanted = {key: settings[key] for key in keys if settings.get(key) is not None}
    return yaml.safe_dump(settings_without_folders(wanted), sort_keys=False, allow_unicode=True).rstrip()
