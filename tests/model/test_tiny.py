"""Small models: the same seed the same weights, and folders that transformers loads as any other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pydantic import ValidationError
from small_models import SHAPE, TEXTS, ask, encode, fresh, pixels
from transformers import AutoModelForImageTextToText, AutoProcessor

from vlrl.errors import ConfigError
from vlrl.model.batch.example import Example
from vlrl.model.families.family import family_of
from vlrl.model.families.tiny_parts import TinyShape
from vlrl.model.load import ModelSettings, choose_device, load_folder, save_model
from vlrl.model.tiny import build_tiny
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.training.session.open_session import describe_model


def weights(folder):
    return AutoModelForImageTextToText.from_pretrained(folder).state_dict()


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path, architecture):
    build_tiny(architecture, TEXTS, tmp_path / "a", 1, SHAPE)
    torch.manual_seed(99)  # what was drawn before makes no difference
    before = torch.get_rng_state()
    build_tiny(architecture, TEXTS, tmp_path / "b", 1, SHAPE)
    assert torch.equal(torch.get_rng_state(), before)
    build_tiny(architecture, TEXTS, tmp_path / "c", 2, SHAPE)
    a, b, c = (weights(tmp_path / name) for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert any(not torch.equal(a[name], c[name]) for name in a)
    assert (tmp_path / "a" / "tokenizer.json").read_text() == (tmp_path / "b" / "tokenizer.json").read_text()


def test_saved_and_loaded_again_the_logits_are_the_same(tmp_path, architecture, model_folders):
    loaded = fresh(model_folders[architecture])
    with torch.no_grad():
        loaded.model.lm_head.weight.mul_(1.1)
    save_model(loaded, tmp_path / "saved")
    again = load_folder(str(tmp_path / "saved"), ModelSettings(path=str(tmp_path / "saved"), device="cpu"))
    problem = ask(pixels(1), "How many?")
    found = []
    for one in (loaded, again):
        (encoded,) = encode(one, problem)
        found.append(TorchPolicy(one, PolicySettings()).logprobs([Example(encoded, ((20, 30, 40),))], 1.0))
    assert found[0] == found[1]
    config = (tmp_path / "saved" / "config.json").read_text()
    assert "vlrl" not in config
    processor = AutoProcessor.from_pretrained(tmp_path / "saved")
    assert type(processor).__name__ == type(loaded.processor).__name__
    assert again.placeholder_ids == loaded.placeholder_ids
    assert again.stop_ids == loaded.stop_ids


def test_exported_files_have_the_modes_of_new_files(tmp_path, qwen3):
    before = os.umask(0o022)
    try:
        save_model(qwen3, tmp_path / "saved")
        build_tiny("tiny-qwen3-vl", TEXTS, tmp_path / "built", 1, SHAPE)
    finally:
        os.umask(before)
    for folder in ("saved", "built"):
        assert {file.stat().st_mode & 0o777 for file in (tmp_path / folder).iterdir()} == {0o644}


@pytest.fixture(scope="module")
def loaded_as_the_page_says(model_folders):
    """What docs/models.md's lines make of every model, in one new process: (processor, model) by architecture."""
    page = Path("docs/models.md").read_text()
    code = page[page.index("```python") + 9 :].split("```")[0] + "print(type(processor).__name__, type(model).__name__)"
    each = [code.replace("runs/quickstart/model", str(folder)) for folder in model_folders.values()]
    done = subprocess.run(
        [sys.executable, "-c", f"for code in {each!r}:\n    exec(code, {{}})"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(model_folders, map(str.split, done.stdout.splitlines()), strict=True))


def test_an_exported_model_loads_in_a_new_process_as_the_page_says(architecture, loaded_as_the_page_says):
    """docs/models.md: weights by transformers alone; AutoProcessor as it is, or behind one line without torchvision."""
    processor, model = loaded_as_the_page_says[architecture]
    assert processor.endswith("Processor")
    assert model.endswith("ForConditionalGeneration")


def test_the_run_card_says_what_a_model_loads_with(loaded, architecture):
    said = describe_model(loaded)["loads_with"]
    assert ("torchvision" in said) == (architecture != "tiny-idefics3")


def test_any_text_survives_the_tokenizer(qwen3):
    for text in ("3+4=?", "Größe ≤ 5 µm — 日本語 🙂", "<think>a</think>\n\n  b"):
        assert qwen3.tokenizer.decode(qwen3.tokenizer(text)["input_ids"], clean_up_tokenization_spaces=False) == text


def test_origins_devices_and_names_that_do_not_exist_are_refused(tmp_path):
    with pytest.raises(ValidationError, match="exactly one"):
        ModelSettings()
    with pytest.raises(ValidationError, match="did you mean 'tiny-qwen3-vl'"):
        ModelSettings(build="tiny-qwen3-v")
    with pytest.raises(ConfigError, match="no such folder"):
        load_folder(str(tmp_path / "none"), ModelSettings(path="x"))
    with pytest.raises(ConfigError, match="is not a device"):
        choose_device("gpu")


def test_heads_that_cannot_share_their_keys_evenly_are_refused():
    with pytest.raises(ValueError, match="make 2 heads, which can't share 3 key_value_heads"):
        TinyShape(text_width=32, head_size=16, key_value_heads=3)


def test_the_rotary_base_and_the_context_are_those_asked_for_and_are_saved(tmp_path, architecture, model_folders):
    folder = model_folders[architecture]
    plain, longer = fresh(folder), fresh(folder, rope_base=1e6, context=512)
    assert longer.context == 512
    problem = ask(pixels(1), "How many?")
    rows = [Example(encode(one, problem)[0], ((20, 30, 40),)) for one in (plain, longer)]
    found = [TorchPolicy(m, PolicySettings()).logprobs([r], 1.0) for m, r in zip((plain, longer), rows, strict=True)]
    assert found[0] != found[1]
    save_model(longer, tmp_path / "saved")
    again = load_folder(str(tmp_path / "saved"), ModelSettings(path=str(tmp_path / "saved"), device="cpu"))
    assert again.context == 512
    assert again.config.get_text_config().rope_parameters["rope_theta"] == 1e6
    assert TorchPolicy(again, PolicySettings()).logprobs([rows[1]], 1.0) == found[1]


@pytest.mark.parametrize("name", ["flex", "flash_attention_2"])
def test_attention_that_needs_another_device_is_refused(model_folders, name):
    with pytest.raises(ConfigError, match="needs a CUDA device"):
        fresh(model_folders["tiny-qwen3-vl"], attention=name)


def test_a_family_whose_reading_of_images_is_not_known_is_refused():
    with pytest.raises(ConfigError, match="isn't known here"):
        family_of(SimpleNamespace(model_type="fuyu"))
