"""A run card states tokens by kind and digests of weights; `vlrl card check` holds them against the files."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner
from untrained_world import DOMAIN, SHAPE, write

from vlrl.cli import app
from vlrl.runlog.card_digest import DIGEST, card_digest
from vlrl.runlog.log_lines import SCHEMA
from vlrl.training.lifecycle.run_accounts import token_account
from vlrl.training.run import start_run


def test_tokens_by_hand(tmp_path):
    lines = [
        {"phase": "sft", "step": 1, "tokens/response": 30.0},
        {"phase": "sft", "step": 2, "tokens/response": 12.0},
        {
            "phase": "rl",
            "step": 1,
            "tokens/text": 5.0,
            "tokens/image": 4.0,
            "tokens/written": 20.0,
            "tokens/trained": 8.0,
            "tokens/unused_fault": 3.0,
            "tokens/unused_no_advantage": 5.0,
        },
        {"phase": "rl", "step": 2, "tokens/text": 6.0, "tokens/written": 10.0, "tokens/trained": 10.0},
        {"phase": "eval", "step": 2, "accuracy/mean": 0.5},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps({"schema": SCHEMA, **line}) + "\n" for line in lines))
    assert token_account(tmp_path / "metrics.jsonl") == {
        "sft": {"trained on": 42},
        "rl": {
            "prompt, text": 11,
            "prompt, images": 4,
            "generated": 30,
            "trained on": 18,
            "generated and not trained on": 12,
            "unused: groups without an advantage": 5,
            "unused: could not be judged, or left out": 3,
            "unused: responses that still wait": 4,
        },
    }
    old = [{key: value for key, value in line.items() if "unused" not in key} for line in lines]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps({"schema": SCHEMA, **line}) + "\n" for line in old))
    assert not any("unused" in name for name in token_account(tmp_path / "metrics.jsonl")["rl"])


def forgeries(card):
    """(card with one thing changed, what is said of it); the digest is made to fit, but for the first."""
    edited = {**card, "machine": {"cores": 64}}
    yield edited, "edited after the run"
    for name in ("integrity", "tokens", "weights", "settings", "data_overlap"):
        yield sealed({key: held for key, held in card.items() if key != name}), f"has no section `{name}`"
    yield sealed({**card, "seed": 12345}), "the card's seed is 12345"
    idle = {
        **card["integrity"]["steps without effect"],
        "passed": not card["integrity"]["steps without effect"]["passed"],
    }
    yield sealed({**card, "integrity": {**card["integrity"], "steps without effect": idle}}), "integrity checks other"

    overlap, test = card["data_overlap"], card["data_overlap"]["sets"]["test"]
    yield sealed({**card, "data_overlap": {**overlap, "near": {"test": {"problems": 1}}}}), "another overlap"
    fewer = {**overlap["sets"], "test": {**test, "problems": test["problems"] + 1}}
    yield sealed({**card, "data_overlap": {**overlap, "sets": fewer}}), "test has 2 problems, and the card states 3"
    without = {name: held for name, held in overlap["sets"].items() if name != "test"}
    yield sealed({**card, "data_overlap": {**overlap, "sets": without}}), "states no overlap with test"


def sealed(card):
    return {**card, DIGEST: card_digest(card)}


@pytest.mark.slow
def test_a_card_holds_until_a_file_that_it_states_is_another(tmp_path):
    (tmp_path / "domain.py").write_text(DOMAIN.replace("even_length", "even_length_on_a_card"))
    sources = [{"name": "even", "kind": "domain", "domain": "even_length_on_a_card"}]
    recipe = write(tmp_path, "recipe.yaml", {"plugins": ["domain.py"], "sources": sources})
    folder = tmp_path / "run"
    config = {
        "name": "card",
        "data": recipe,
        "run_folder": str(folder),
        "threads": 1,
        "stages": ["sft", "rl"],
        "model": {"build": "tiny-qwen3-vl", "shape": SHAPE},
        "sft": {"demonstrations": 8, "steps": 1, "batch": 4, "validate_every": 1},
        "rl": {"steps": 1, "problems_per_step": 4, "rollouts_per_problem": 4, "sampling": {"max_tokens": 8}},
        "eval": {"problems": 2, "curve_problems": 2, "sampling": {"max_tokens": 8}},
    }
    start_run(write(tmp_path, "run.yaml", config), [])
    card = json.loads((folder / "run_card.json").read_text())
    assert set(card["weights"]["written"]) == {"model", "model_sft"}
    assert card["tokens"]["rl"]["generated"] >= card["tokens"]["rl"]["trained on"] > 0
    checked = CliRunner().invoke(app, ["card", "check", str(folder)])
    assert (checked.exit_code, "as stated" in checked.output) == (0, True), checked.output
    rl = card["tokens"]["rl"]
    assert sum(n for name, n in rl.items() if name.startswith("unused")) == rl["generated and not trained on"]
    (folder / "model" / "more.safetensors").write_bytes(b"")
    unstated = CliRunner().invoke(app, ["card", "check", str(folder)])
    assert (unstated.exit_code, "more.safetensors isn't among" in unstated.output.replace("\n", " ")) == (1, True)
    (folder / "model" / "more.safetensors").unlink()
    written = (folder / "run_card.md").read_text()
    assert "## Integrity checks" in written
    assert "| test | 2 | 0 | – | – |" in written
    assert card["data_overlap"]["problems"] == {"sft": 8, "rl": 4}
    assert card["integrity"]["steps without effect"]["found"]["steps"] == 1
    for forged, words in forgeries(card):
        (folder / "run_card.json").write_text(json.dumps(forged))
        checked = CliRunner().invoke(app, ["card", "check", str(folder)])
        assert (checked.exit_code, words in checked.output.replace("\n", " ")) == (1, True), checked.output
    (folder / "run_card.json").write_text(json.dumps(card))
    weights = folder / "model_sft" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    checked = CliRunner().invoke(app, ["card", "check", str(folder)])
    assert checked.exit_code == 1
    assert "model_sft/model.safetensors has other contents" in checked.output.replace("\n", "")
