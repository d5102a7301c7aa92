"""The data of another trainer's config as a recipe: files, layout or columns, verifier, image budget, prompts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from vlrl.commands.importing.grammar import Meaning
from vlrl.data.images.image_budget import ImageBudget

SHOWS_IMAGES = re.compile(
    r"VL(?![a-z])|vision|[iI]defics|SmolVLM|[lL]lava|gemma-?[34]|InternVL|[oO]mni|GLM-4\.\d+V|MiMo|Pixtral|Kimi|Qwen3\.5|\$\{",
    0,
)
USUAL = {  # question, answer and images where the trainer's layout reads them
    "verl": ("prompt", None, "images"),
    "easyr1": ("problem", "answer", "images"),
    "trl": (None, None, None),
    "ms-swift": (None, None, None),
}
BUILDERS = ("json", "parquet", "csv", "imagefolder")  # what load_dataset takes in place of a data set
VALIDATION = ("validation", "val", "valid", "dev")
TEXTS = (".txt", ".md", ".jinja", ".j2")


def recipe_of(meaning: Meaning, model: str, run: dict[str, Any]) -> dict[str, Any]:
    """The recipe; where its files are held out for evaluation is put into `run`, too."""
    named = meaning.take("train", "sources.path", [])
    train = meaning.take("files", "sources.path") or named
    if meaning.peek("files") is None and named and named[0][0] in BUILDERS:
        meaning.settle("train", "to decide", f"{named[0][0]!r} is a kind of file: write its path into sources.path")
    if not train:
        meaning.remarks.append("the config names no training data: sources.train.path is a placeholder")
        train = [("train.jsonl", "")]
    shared = _shared(meaning, model)
    sources: list[dict[str, Any]] = []
    for number, (path, split) in enumerate(train):
        name = "train" if len(train) == 1 else f"train_{number + 1}"
        source: dict[str, Any] = {"name": name, "kind": "file", "path": path, **shared}
        if split := split or meaning.take("train_split", "sources.split", ""):
            source["split"] = split
        if subset := meaning.take("subset", "sources.subset"):
            source["subset"] = subset
        sources.append(source)
    if len(train) > 1:
        meaning.settle("train", "translated", "each file is a source of equal weight: set `weight` by their rows")
    _hold_out(meaning, sources[0], run)
    for source in sources[1:]:
        source["held_out"] = sources[0]["held_out"]
    budget = ImageBudget()
    least = meaning.take("min_pixels", "image.min_pixels", budget.min_pixels)
    most = meaning.take("max_pixels", "image.max_pixels", budget.max_pixels)
    return {"image": {"min_pixels": min(least, most), "max_pixels": most}, "sources": sources}


def _hold_out(meaning: Meaning, source: dict[str, Any], run: dict[str, Any]) -> None:
    """The first file of the validation data, which the run's evaluation then asks."""
    files = meaning.take("validation", ("sources.validation_path", "eval.split"), [])
    split = meaning.take("validation_split", "sources.validation_path")
    rate = meaning.take("held_out", "sources.held_out")
    if not files and split:
        files = [(source["path"], split)]
    if not files:
        source["held_out"] = 0.05 if not rate else min(0.4, rate)
        if not rate:
            meaning.remarks.append("no validation data is named: sources.held_out keeps 5 % of the rows for it")
        return
    path, split = files[0]
    if len(files) > 1:
        meaning.settle("validation", "to decide", f"the first of {len(files)} files is taken; `vlrl eval` asks others")
    if split == "test":
        source["test_path"], source["held_out"] = path, 0.05
        run["eval"]["split"] = "test"
    elif split and split not in VALIDATION:
        note = f"split {split!r}: sources.validation_path reads a split named validation, test_path one named test"
        meaning.settle("validation", "to decide", note)
        source["held_out"] = 0.05
    else:
        source["validation_path"], source["held_out"] = path, 0.0
        run["eval"]["split"] = "validation"


def _shared(meaning: Meaning, model: str) -> dict[str, Any]:
    name = meaning.grammar.name
    usual = USUAL[name]
    question, answer = meaning.take("question", "sources.columns"), meaning.take("answer", "sources.columns")
    images = meaning.take("images", "sources.columns")
    found: dict[str, Any] = {"modality": "real" if SHOWS_IMAGES.search(model) else "text", "verifier": "math"}
    if (question, answer, images) == usual or (name == "trl" and question in (None, "prompt", "problem")):
        found["layout"] = name
    elif name == "verl":
        found["layout"] = name
        meaning.settle("question", "to decide" if question != usual[0] else "translated", "layout: verl reads `prompt`")
        meaning.settle("images", "to decide" if images != usual[2] else "translated", "layout: verl reads `images`")
    elif question:
        columns = {"question": question, "answer": answer or "answer", "images": images}
        found["columns"] = {key: value for key, value in columns.items() if value}
    else:
        found["layout"] = name
    if folder := meaning.take("image_folder", "sources.image_folder"):
        found["image_folder"] = folder
    if meaning.take("streaming", "sources.streaming", False):
        found["streaming"] = True
    if meaning.take("skip_overlong", "sources.on_bad_row", False):
        found["on_bad_row"] = "skip"
    _own_reward(meaning)
    return {**found, **_words(meaning)}


def _own_reward(meaning: Meaning) -> None:
    """A reward function in a file of the user's is a verifier that a plugin wraps; `math` stands until then."""
    function = meaning.take("reward_function", "sources.verifier")
    if (file := meaning.take("reward_file", "sources.verifier")) is None:
        return
    path, _, named = str(file).partition(":")
    kind = {"verl": "verl", "easyr1": "easyr1", "trl": "trl", "ms-swift": "swift"}[meaning.grammar.name]
    note = (
        f"`math` judges in the recipe; {path} keeps on judging as a plugin: "
        f"verifier('mine')(from_reward({named or function or 'function'}, '{kind}')), docs/verifiers.md"
    )
    for fact in ("reward_file", "reward_function"):
        meaning.settle(fact, "to decide", note)


def _words(meaning: Meaning) -> dict[str, Any]:
    """Prompt template and system prompt; a file that isn't here is for the user to write in."""
    found: dict[str, Any] = {}
    for fact, ours in (("system_prompt", "system_prompt"), ("prompt_file", "prompt_template")):
        if (given := meaning.take(fact, f"sources.{ours}")) is None:
            continue
        said = _content(given, Path(meaning.place))
        if said is not None and fact == "prompt_file":
            said = _template(said)
        if said is None:
            meaning.settle(
                fact, "to decide", f"{given} isn't here, or isn't a plain template: write its text into sources.{ours}"
            )
        else:
            found[ours] = said
    return found


def _content(given: str, config: Path) -> str | None:
    """The text that is meant: of a file where one is named, else as it stands. None for a file that isn't here."""
    if not given.strip().endswith(TEXTS) or "\n" in given:
        return given
    for folder in (Path(), config.parent, *config.resolve().parents[1:5]):
        if (file := folder / given).is_file():
            return file.read_text(encoding="utf-8")
    return None


def _template(text: str) -> str | None:
    """A jinja file that holds its content once, as a template of ours."""
    plain, count = re.subn(r"\{\{-?\s*content\s*(?:\|\s*trim\s*)?-?\}\}", "{question}", text)
    return plain.strip() if count == 1 and "{{" not in plain and "{%" not in plain else None
