"""A model folder that isn't whole is named before its weights are read: the file, the value, the remedy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from vlrl.errors import ConfigError
from vlrl.model.folders import model_processor
from vlrl.model.folders.model_folder import check_folder
from vlrl.model.load import ModelSettings, load_folder

Damage = Callable[[Path], None]
WEIGHTS, CONFIG, INDEX = "model.safetensors", "config.json", "model.safetensors.index.json"
HEAD = "lm_head.weight"


def edit(name: str, change: Callable[[dict[str, Any]], None]) -> Damage:
    """Change a JSON file of the folder."""

    def work(folder: Path) -> None:
        held = json.loads((folder / name).read_text())
        change(held)
        (folder / name).write_text(json.dumps(held))

    return work


def weights(change: Callable[[dict[str, torch.Tensor]], None]) -> Damage:
    """Change the tensors of the folder's one weight file."""

    def work(folder: Path) -> None:
        held = load_file(folder / WEIGHTS)
        change(held)
        save_file(held, folder / WEIGHTS, metadata={"format": "pt"})

    return work


def remove(*names: str) -> Damage:
    """Take files away."""

    def work(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return work


def write(name: str, text: str) -> Damage:
    """Write a file."""

    def work(folder: Path) -> None:
        (folder / name).write_text(text)

    return work


def both(*damages: Damage) -> Damage:
    """One after the other."""

    def work(folder: Path) -> None:
        for one in damages:
            one(folder)

    return work


def cut(name: str, keep: float) -> Damage:
    """Keep the first part of a file, as a download that broke off leaves it."""

    def work(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * keep)])

    return work


def shards(folder: Path) -> None:
    """The weights in two files with an index."""
    held = load_file(folder / WEIGHTS)
    names = sorted(held)
    halves = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, some in halves.items():
        save_file({name: held[name] for name in some}, folder / file, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, some in halves.items() for name in some}}
    (folder / INDEX).write_text(json.dumps(index))
    (folder / WEIGHTS).unlink()


def pickled(folder: Path) -> None:
    """Weights as torch.save writes them."""
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def emptied(folder: Path) -> None:
    """Nothing is left."""
    shutil.rmtree(folder)
    folder.mkdir()


def only_adapters(folder: Path) -> None:
    """What peft saves."""
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "some/model", "peft_type": "LORA"}')
    save_file({"base_model.model.a": torch.zeros(2)}, folder / "adapter_model.safetensors")


def nested(folder: Path) -> None:
    """The model one folder deeper, as a run folder has it."""
    shutil.copytree(folder, folder / "model")
    for file in folder.iterdir():
        if file.is_file():
            file.unlink()


def of_text(name: str, value: Any) -> Damage:
    """Another value of the language model's configuration."""
    return edit(CONFIG, lambda c: c["text_config"].update({name: value}))


def untied(config: dict[str, Any]) -> None:
    """A model with a head of its own."""
    config["tie_word_embeddings"] = False
    config["text_config"]["tie_word_embeddings"] = False


def first(held: dict[str, torch.Tensor], part: str) -> str:
    """The first weight with `part` in its name."""
    return next(name for name in sorted(held) if part in name)


def drop(part: str) -> Damage:
    """Take one weight out."""
    return weights(lambda held: held.__delitem__(first(held, part)))


def reshape(part: str) -> Damage:
    """Give one weight another shape."""
    return weights(lambda w: w.update({first(w, part): torch.zeros(3, 5)}))


def fill(part: str, value: float) -> Damage:
    """Put one bad value into a weight."""

    def change(held: dict[str, torch.Tensor]) -> None:
        held[first(held, part)].flatten()[0] = value

    return weights(change)


LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% set c = a * b %}{% endfor %}{% endfor %}"
GROWTH = "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}"
NO_IMAGES = "{% for m in messages %}{{ m.role }}: {% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}"
NO_TEXT = (
    "{% for m in messages %}{% for p in m.content %}{% if p.type == 'image' %}IMAGE{% endif %}{% endfor %}{% endfor %}"
)

DAMAGES: dict[str, tuple[Damage, str]] = {
    "an empty folder": (emptied, "empty folder"),
    "adapters": (only_adapters, "adapters of some/model"),
    "one folder too high": (nested, "did you mean .*model"),
    "no config": (remove(CONFIG), "no config.json"),
    "half a config": (cut(CONFIG, 0.5), "config.json: is no JSON"),
    "a config that is a list": (write(CONFIG, "[]"), "config.json: holds a list"),
    "an empty config": (write(CONFIG, ""), "config.json: is empty"),
    "a config that points to itself": (write(CONFIG, "version https://git-lfs.github.com/spec/v1\n"), "LFS pointer"),
    "no model type": (edit(CONFIG, lambda c: c.pop("model_type") and None), "names no model_type"),
    "an unknown model type": (edit(CONFIG, lambda c: c.update(model_type="new_vl_9")), "config.json: .*new_vl_9"),
    "a text model": (write(CONFIG, '{"model_type": "qwen2"}'), "without a vision tower"),
    "a family that isn't known here": (write(CONFIG, '{"model_type": "fuyu"}'), "isn't known here"),
    "a decoder that reads images both ways": (
        of_text("use_bidirectional_attention", "vision"),
        "reads by bidirectional",
    ),
    "a model with code of its own": (
        edit(CONFIG, lambda c: c.update(model_type="own", auto_map={"AutoConfig": "own.Config"})),
        "config.json",
    ),
    "quantised": (edit(CONFIG, lambda c: c.update(quantization_config={"quant_method": "awq"})), "quantised"),
    "a config with words for numbers": (of_text("num_hidden_layers", "two"), "config.json"),
    "a config with negative sizes": (of_text("hidden_size", -4), "config.json"),
    "a layer more": (of_text("num_hidden_layers", 3), r"layers\.2.*missing from the files"),
    "a layer less": (of_text("num_hidden_layers", 1), r"layers\.1.*hasn't"),
    "another width": (of_text("intermediate_size", 64), "has shape .* in the file, .* by config.json"),
    "a weight missing": (drop("mlp"), "mlp.*missing from the files"),
    "a norm missing": (drop("norm"), "norm.*missing from the files"),
    "a weight of another shape": (reshape("layers.0"), "has shape"),
    "a weight too many": (weights(lambda w: w.update(extra=torch.zeros(2))), "extra .*hasn't"),
    "untied without a head": (edit(CONFIG, untied), f"{HEAD}.*missing from the files"),
    "a weight of whole numbers": (
        weights(lambda w: w.update({n: t.to(torch.int8) for n, t in w.items() if "mlp" in n})),
        "stored as I8",
    ),
    "weights cut off": (cut(WEIGHTS, 0.7), "cut off or damaged"),
    "weights cut off in the header": (cut(WEIGHTS, 0.001), "cut off or damaged"),
    "empty weights": (write(WEIGHTS, ""), "model.safetensors: is empty"),
    "weights that are a pointer": (write(WEIGHTS, "version https://git-lfs.github.com/spec/v1\noid sha256:0"), "LFS"),
    "no weights": (remove(WEIGHTS), "has no weights"),
    "pickled weights": (pickled, "pickled"),
    "a shard missing": (both(shards, remove("model-00002-of-00002.safetensors")), "1 of 2 shards are missing"),
    "a shard cut off": (both(shards, cut("model-00002-of-00002.safetensors", 0.6)), "00002-of-00002.*cut off"),
    "an index without a map": (both(shards, write(INDEX, "{}")), "no weight_map"),
    "half an index": (both(shards, cut(INDEX, 0.5)), "is no JSON"),
    "an index that misplaces a weight": (
        both(shards, edit(INDEX, lambda i: i["weight_map"].update(ghost="model-00001-of-00002.safetensors"))),
        "has no ghost",
    ),
    "no tokenizer": (remove("tokenizer.json"), "no tokenizer"),
    "half a tokenizer": (cut("tokenizer.json", 0.5), "processor can't be loaded"),
    "no processor": (remove("processor_config.json"), "no image processor"),
    "a processor of an unknown class": (
        edit("processor_config.json", lambda c: c["image_processor"].update(image_processor_type="Nothing")),
        "processor",
    ),
    "no chat template": (remove("chat_template.jinja"), "no chat template"),
    "an empty chat template": (write("chat_template.jinja", ""), "chat_template.jinja: is empty"),
    "a template that isn't one": (write("chat_template.jinja", "{% for m in %}"), "chat template fails"),
    "a template that raises": (write("chat_template.jinja", "{{ raise_exception('not so') }}"), "not so"),
    "a template without end": (write("chat_template.jinja", LOOP), "doesn't end|more than"),
    "a template that fills memory": (write("chat_template.jinja", GROWTH), "more than|doesn't end|MemoryError"),
    "a template that drops images": (write("chat_template.jinja", NO_IMAGES), "for 2 images"),
    "end tokens that aren't there": (write("generation_config.json", '{"eos_token_id": 99999}'), "no such token"),
    "a negative end token": (write("generation_config.json", '{"eos_token_id": [2, -1]}'), "no such token"),
    "no end token": (
        both(remove("generation_config.json"), of_text("eos_token_id", None)),
        "no response would end",
    ),
    "a word for an end token": (write("generation_config.json", '{"eos_token_id": "<|im_end|>"}'), "eos_token_id"),
    "half a generation config": (cut("generation_config.json", 0.5), "generation_config.json"),
    "a generation config that can't be saved": (
        edit("generation_config.json", lambda c: c.update(do_sample=False, temperature=0.3)),
        "generation_config.json",
    ),
    "a larger vocabulary in the config": (of_text("vocab_size", 500), "vocab_size in config.json is 500"),
    "a smaller vocabulary in the config": (of_text("vocab_size", 200), "vocab_size in config.json is 200"),
    "another placeholder": (edit(CONFIG, lambda c: c.update(image_token_id=40)), "image_token_id in config.json is 40"),
}


@pytest.fixture
def copy(model_folders: dict[str, Path], tmp_path: Path) -> Path:
    """A whole folder to spoil."""
    return Path(shutil.copytree(model_folders["tiny-qwen3-vl"], tmp_path / "spoilt"))


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_folder_is_refused_with_file_and_remedy(
    name: str, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_processor, "TEMPLATE_SECONDS", 2.0)
    damage, words = DAMAGES[name]
    damage(copy)
    with pytest.raises(ConfigError, match=words) as told:
        check_folder(str(copy), "rl.teacher.path")
    assert told.value.place == "rl.teacher.path"
    assert told.value.remedy


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("part", ["embed", "norm", "visual"])
def test_weights_that_are_no_numbers_are_refused_when_loaded(copy: Path, part: str, value: float) -> None:
    fill(part, value)(copy)
    with pytest.raises(ConfigError, match=rf"{part}.*NaN or infinite"):
        load_folder(str(copy), ModelSettings(path=str(copy), device="cpu"))


def test_weights_too_large_for_float16_are_refused_in_it_alone(copy: Path) -> None:
    fill("mlp", 1e6)(copy)
    load_folder(str(copy), ModelSettings(path=str(copy), device="cpu"))
    with pytest.raises(ConfigError, match="float16") as told:
        load_folder(str(copy), ModelSettings(path=str(copy), device="cpu", dtype="float16"))
    assert "float32" in told.value.remedy


def test_a_head_of_its_own_beside_tied_embeddings_is_refused(copy: Path) -> None:
    held = load_file(copy / WEIGHTS)
    held[HEAD] = torch.randn_like(held[first(held, "embed_tokens")])
    save_file(held, copy / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=f"ties {HEAD}"):
        load_folder(str(copy), ModelSettings(path=str(copy), device="cpu"))


def test_whole_folders_of_every_architecture_pass_as_one_file_and_in_shards(
    architecture: str, model_folders: dict[str, Path], tmp_path: Path
) -> None:
    check_folder(str(model_folders[architecture]), "model.path")
    copied = Path(shutil.copytree(model_folders[architecture], tmp_path / "sharded"))
    shards(copied)
    check_folder(str(copied), "model.path")


def test_a_folder_is_looked_at_once_more_after_a_change(copy: Path) -> None:
    check_folder(str(copy), "model.path")
    drop("mlp")(copy)
    with pytest.raises(ConfigError, match="missing from the files"):
        check_folder(str(copy), "model.path")


def test_a_file_is_no_folder(copy: Path) -> None:
    with pytest.raises(ConfigError, match="is a file"):
        check_folder(str(copy / WEIGHTS), "model.path")
