"""Cards of saved models: what the hub reads of them, what they keep to themselves, and whose file README.md is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard
from tests_report_fakes import SKILL

from vlrl.report.model_cards.base_model import BaseModel, base_model, front_matter, is_hub_id
from vlrl.report.model_cards.card_files import is_ours, missing_cards, write_model_cards
from vlrl.report.model_cards.merge_card import merge_card
from vlrl.report.model_cards.public_text import settings_without_folders, without_folders
from vlrl.report.report import write_report
from vlrl.reward_models.reward_model_card import RewardModelCard
from vlrl.runlog import own_files


@pytest.fixture(scope="module")
def finished(fake_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with three models, from a hub model, on a hub data set and a file of its own."""
    run = Path(shutil.copytree(fake_run, tmp_path_factory.mktemp("cards") / "mine"))
    card = json.loads((run / "run_card.json").read_text())
    card["settings"] |= {"model": {"path": "Qwen/Qwen2.5-VL-3B-Instruct"}, "data": "/home/me/secret/rows.yaml"}
    card["settings"] |= {"stages": ["sft", "rl", "eval"], "system_prompt": "Think.\n/think and /no_think"}
    card["model"] = {"loads with": "/home/me/secret/processor"}
    card["data"] = {"recipe": "/home/me/secret/k15_mix.yaml"}
    card["weights"] = {"written": {"model": {"model.safetensors": "ab" * 32}}}
    (run / "run_card.json").write_text(json.dumps(card))
    sources = [
        {"name": "a", "kind": "file", "path": "hiyouga/geometry3k"},
        {"name": "b", "kind": "file", "path": "/home/me/secret/own.jsonl"},
        {"name": "c", "kind": "domain"},
    ]
    (run / "recipe.yaml").write_text(yaml.safe_dump({"sources": sources}))
    for name in ("model", "model_sft", "model_step_30"):
        (run / name).mkdir()
        (run / name / "config.json").write_text("{}")
    (run / "model" / "adapter").mkdir()
    return run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "mine"))


def card_of(run: Path, name: str = "model") -> ModelCard:
    write_model_cards(run)
    return ModelCard.load(run / name / "README.md")


def test_a_classic_reward_model_is_no_model_that_writes_and_its_salt_stays_here(run: Path):
    rows = {"train.jsonl": "cd" * 32}
    RewardModelCard("classic", "model", "Judge.\nBriefly.", "s4lt", provenance={"rows": rows}).write(run)
    held = json.loads((run / "run_card.json").read_text())
    held |= {"classic": {"best_validation_accuracy": 0.875}, "data": {"validation": 1200}}
    (run / "run_card.json").write_text(json.dumps(held))
    card = card_of(run)
    assert card.data.tags == ["vlrl", "vision-language", "reward-model"]
    assert card.data.pipeline_tag is card.data.eval_results is None
    for said in ("Accuracy 0.875 on 1,200 validation rows", "> Briefly.", "cd" * 32, "value_head.safetensors"):
        assert said in card.text
    assert "s4lt" not in card.content
    assert "/home/me" not in card.content
    assert "reward-model" not in ModelCard.load(run / "model_sft" / "README.md").data.tags


def test_the_hub_reads_each_accuracy_of_each_modality_by_itself(run: Path):
    card = card_of(run)
    found = {(one.dataset_config, one.metric_name): one for one in card.data.eval_results}
    assert len(found) == 2 * len(SKILL) == len(card.data.eval_results)
    for modality, (_, after) in SKILL.items():
        one = found[modality, "accuracy, sampled"]
        assert one.metric_value == pytest.approx(after)
        assert one.dataset_name == f"k15_mix, held-out problems, {modality}"
        assert (one.metric_type, one.dataset_type, one.dataset_split) == ("accuracy", "k15_mix", "test")
    assert card.data.base_model == "Qwen/Qwen2.5-VL-3B-Instruct"
    assert card.data.base_model_relation == "finetune"
    assert card.data.datasets == ["hiyouga/geometry3k"]
    assert card.data.pipeline_tag == "image-text-to-text"
    assert "reinforcement-learning" in card.data.tags
    assert card.data.license is None
    assert "No licence is stated" in card.text


def test_every_model_has_a_card_of_its_own_stage(run: Path):
    card_of(run)
    texts = {name: (run / name / "README.md").read_text() for name in ("model", "model_sft", "model_step_30")}
    assert "SFT, then RL." in texts["model"]
    assert "`adapter/` holds it alone" in texts["model"]
    assert "ab" * 32 in texts["model"]
    assert "| text | 400 | .550 (.501–.599) | .800" in texts["model"]
    assert ": SFT." in texts["model_sft"]
    assert "reinforcement-learning" not in texts["model_sft"]
    assert front_matter(run / "model_sft" / "README.md")["model-index"][0]["results"][0]["metrics"][0]["value"] == 0.55
    assert "as it was after step 30" in texts["model_step_30"]
    assert "validates with: text .7" in texts["model_step_30"]
    assert "model-index" not in texts["model_step_30"]


def test_no_folder_of_the_machine_is_told(run: Path):
    for name in ("model", "model_sft", "model_step_30"):
        text = card_of(run, name).content
        assert "secret" not in text
        assert str(run.parent) not in text
        assert "https://arxiv.org/abs/2501.12599" in text
    assert without_folders("vlrl run /data/me/x.yaml --out=~/runs/y (s. https://a.b/c)") == (
        "vlrl run x.yaml --out=y (s. https://a.b/c)"
    )
    assert settings_without_folders({"a": ["/x/y", "/think or /no_think", "b/c"], "n": 1}) == {
        "a": ["y", "/think or /no_think", "b/c"],
        "n": 1,
    }


def test_a_card_grows_with_its_run_and_one_of_a_user_stays(run: Path):
    results = (run / "results.json").read_bytes()
    (run / "results.json").unlink()
    early = card_of(run).content
    assert "model-index" not in early
    (run / "results.json").write_bytes(results)
    (run / "model_sft" / "README.md").write_text("mine")
    step = run / "model_step_30" / "README.md"
    step.write_text(step.read_text() + "and a line of mine\n")
    write_report(run)
    assert "model-index" in (run / "model" / "README.md").read_text()
    assert (run / "model_sft" / "README.md").read_text() == "mine"
    assert step.read_text().endswith("and a line of mine\n")
    assert [is_ours(run / name / "README.md") for name in ("model", "model_sft", "model_step_30")] == [
        True,
        False,
        False,
    ]


def test_a_card_that_says_the_same_is_not_written_again(run: Path):
    card_of(run)
    before = (run / "model" / "README.md").stat().st_mtime_ns
    card_of(run)
    assert (run / "model" / "README.md").stat().st_mtime_ns == before


def test_a_card_of_a_later_report_is_the_runs_and_not_set_aside(run: Path):
    results = (run / "results.json").read_bytes()
    (run / "results.json").unlink()
    with own_files.noting(run):
        write_model_cards(run)
    card = run / "model" / "README.md"
    card.unlink()
    assert missing_cards(run) == [card]
    (run / "results.json").write_bytes(results)
    write_report(run)  # a command of its own
    with own_files.noting(run, say=lambda line: None):
        assert own_files.keep_foreign(card) == []
        card.write_text("mine")
        assert own_files.keep_foreign(card) != []


@pytest.mark.parametrize("kind", ["cached", "folder", "ours"])
def test_base_and_licence_come_from_the_models_own_card(tmp_path: Path, kind: str):
    folder = tmp_path / ("hub/models--Qwen--Small/snapshots/abc" if kind == "cached" else "small")
    folder.mkdir(parents=True)
    named = "base_model: Qwen/Small\ntags: [vlrl]\n" if kind == "ours" else "base_model: Qwen/Older\n"
    (folder / "README.md").write_text(f"---\nlicense: other\nlicense_name: qwen\n{named}---\ntext")
    found = base_model({"settings": {"model": {"path": str(folder)}}})
    licence = {"license": "other", "license_name": "qwen"}
    assert found == BaseModel({"cached": "Qwen/Small", "folder": None, "ours": "Qwen/Small"}[kind], licence)


def test_what_no_file_states_is_left_out(tmp_path: Path):
    (tmp_path / "README.md").write_text("---\n: [broken\n---\n")
    assert base_model({"settings": {"model": {"path": str(tmp_path)}}}) == BaseModel()
    assert base_model({"settings": {"model": {"build": "tiny-qwen3-vl", "path": None}}}) == BaseModel()
    assert not is_hub_id(str(tmp_path))
    assert not is_hub_id("rows.jsonl")


def test_a_merged_model_names_both_and_a_licence_only_if_they_share_it(tmp_path: Path):
    for name, licence in (("a", "mit"), ("b", "mit"), ("c", "apache-2.0")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "README.md").write_text(
            f"---\nlicense: {licence}\nbase_model: x/{name}\ntags: [vlrl]\n---\n"
        )
    card = ModelCard(merge_card(tmp_path / "out", tmp_path / "a", tmp_path / "b", 0.25))
    assert card.data.base_model == ["x/a", "x/b"]
    assert (card.data.base_model_relation, card.data.license) == ("merge", "mit")
    assert "0.25 of" in card.text
    assert "0.75 of" in card.text
    assert "No licence" in merge_card(tmp_path / "out", tmp_path / "a", tmp_path / "c", 0.5)
