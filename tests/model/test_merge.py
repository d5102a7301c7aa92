"""Merging: the mean of two models' weights by name, shard by shard; what doesn't fit together is refused."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_models import build_spread, fresh

from vlrl.errors import ConfigError
from vlrl.model.merge import mean_of, merge_models


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two models of one architecture whose weights differ; the second is written in several shards."""
    folder = tmp_path_factory.mktemp("two")
    first = build_spread("tiny-qwen3-vl", folder / "first")
    loaded = fresh(first)
    with torch.no_grad():
        for parameter in loaded.model.parameters():
            parameter.mul_(0.5).add_(0.1)
    loaded.model.save_pretrained(folder / "second", max_shard_size="200KB")
    loaded.processor.save_pretrained(folder / "second")
    assert len(list((folder / "second").glob("*.safetensors"))) > 1
    return first, folder / "second", loaded


def weights(folder):
    return {name: value for file in folder.glob("*.safetensors") for name, value in load_file(file).items()}


def test_half_and_half_is_the_mean_of_every_weight_whichever_side_is_sharded(two, tmp_path):
    first, second, _ = two
    one, other = weights(first), weights(second)
    for number, (a, b) in enumerate([(first, second), (second, first)]):
        merged = weights(merge_models(a, b, 0.5, tmp_path / str(number)))
        assert merged.keys() == one.keys()
        for name, value in merged.items():
            assert torch.allclose(value, (one[name] + other[name]) / 2, atol=1e-7), name


def test_weights_1_and_0_are_the_models_themselves_and_a_model_merged_with_itself_is_itself(two, tmp_path):
    first, second, _ = two
    one, other = weights(first), weights(second)
    all_first = weights(merge_models(first, second, 1.0, tmp_path / "1"))
    all_second = weights(merge_models(first, second, 0.0, tmp_path / "0"))
    itself = weights(merge_models(first, first, 0.3, tmp_path / "same"))
    for name in one:
        assert torch.equal(all_first[name], one[name])
        assert torch.equal(all_second[name], other[name])
        assert torch.equal(itself[name], one[name])


def test_the_merged_folder_loads_and_its_tied_head_stays_tied(two, tmp_path):
    first, second, _ = two
    loaded = fresh(merge_models(first, second, 0.25, tmp_path / "merged"))
    assert loaded.model.lm_head.weight.data_ptr() == loaded.model.get_input_embeddings().weight.data_ptr()
    held = {**weights(first)}
    name = next(n for n in held if n.endswith("embed_tokens.weight"))
    expected = 0.25 * held[name] + 0.75 * weights(second)[name]
    assert torch.allclose(loaded.model.get_input_embeddings().weight, expected, atol=1e-7)


def test_low_precision_weights_are_averaged_in_float32():
    first, second = torch.tensor([1.0, 256.0]), torch.tensor([1.0078125, 258.0])
    found = mean_of(first.bfloat16(), second.bfloat16(), 0.5)
    assert found.dtype == torch.bfloat16
    assert found.tolist() == [first.lerp(second, 0.5).bfloat16()[0].item(), 256.0]  # 257 lies between: ties to even


def test_what_does_not_fit_is_refused_and_nothing_is_written(two, tmp_path):
    first, second, _ = two
    other_kind = build_spread("tiny-qwen2.5-vl", tmp_path / "other")
    with pytest.raises(ConfigError, match="one architecture"):
        merge_models(first, other_kind, 0.5, tmp_path / "out")
    narrower = shutil.copytree(first, tmp_path / "narrower")
    held = json.loads((narrower / "tokenizer.json").read_text())
    vocabulary = held["model"]["vocab"]
    one, other = list(vocabulary)[-2:]
    vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]
    (narrower / "tokenizer.json").write_text(json.dumps(held))
    with pytest.raises(ConfigError, match="different tokenizers"):
        merge_models(first, narrower, 0.5, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"outside \[0, 1\]"):
        merge_models(first, second, 1.5, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"no config\.json"):
        merge_models(first, tmp_path, 0.5, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match="is there already"):
        merge_models(first, second, 0.5, second)


def test_models_that_are_not_whole_are_refused_by_the_side_that_is_not(two, tmp_path):
    first, second, _ = two
    broken = shutil.copytree(second, tmp_path / "broken")
    next(iter(sorted(broken.glob("*.safetensors")))).unlink()
    for a, b in ((broken, first), (first, broken)):
        with pytest.raises(ConfigError, match="shards are missing") as told:
            merge_models(a, b, 0.5, tmp_path / "out")
        assert str(broken) in told.value.problem
    (tmp_path / "adapters").mkdir()
    (tmp_path / "adapters" / "adapter_config.json").write_text("{}")
    with pytest.raises(ConfigError, match="adapters of"):
        merge_models(first, tmp_path / "adapters", 0.5, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["adapters", "broken"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_and_nothing_stays(two, tmp_path, value):
    first, second, _ = two
    spoilt = shutil.copytree(first, tmp_path / "spoilt")
    held = load_file(spoilt / "model.safetensors")
    name = sorted(held)[-1]
    held[name].flatten()[-1] = value
    save_file(held, spoilt / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=f"{name}.*NaN or infinite"):
        merge_models(second, spoilt, 0.5, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["spoilt"]


def test_merged_files_have_the_modes_of_new_files(two, tmp_path):
    first, second, _ = two
    before = os.umask(0o027)
    try:
        merged = merge_models(first, second, 0.5, tmp_path / "out")
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o777 for file in merged.iterdir()} == {0o640}
