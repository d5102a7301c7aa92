"""Benchmarks that an environment plays: with tools and without, in the turns of evaluations, each by its protocol."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace

import pytest
from PIL import Image as Pillow
from small_models import BUDGET

from vlrl.commands.evaluate import evaluate_benchmarks, response_lines
from vlrl.config import build_settings
from vlrl.errors import ConfigError
from vlrl.evaluation.benchmark import BenchmarkSettings, load_benchmark
from vlrl.evaluation.protocol import EvaluationProtocol
from vlrl.rollout.engine_registry import EngineCapabilities
from vlrl.rollout.environments.environment import check_plays
from vlrl.rollout.environments.episodes.scripted_turns import ScriptedTurns
from vlrl.rollout.transformers.transformers_engine import TransformersEngineSettings
from vlrl.training.monitoring.evaluation_settings import with_model

QUESTION = "Which colour?\n(A) red\n(B) blue\nAnswer with the option's letter."
TOOLS = {"name": "tools", "tools": ["zoom"], "turns": 2, "evaluation_turns": 4, "tokens_per_turn": 200}
ZOOM = {"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [0, 0, 500, 500]}}
CALL = f"<tool_call>{json.dumps(ZOOM)}</tool_call>"
SHAPE = "{text_width: 32, text_layers: 2, head_size: 16, key_value_heads: 1, mlp_width: 48, vision_width: 32, "
SHAPE += "vision_layers: 2, vision_heads: 2, vocabulary: 300, context: 2000}"


@pytest.fixture
def files(tmp_path):
    """Two rows of each benchmark, in the columns of its own files."""
    file = io.BytesIO()
    Pillow.new("RGB", (64, 32), (0, 0, 255)).save(file, "PNG")
    (tmp_path / "one.png").write_bytes(file.getvalue())
    vstar = {"image": "one.png", "text": QUESTION, "label": "B", "category": "direct_attributes"}
    hr = {
        "question": "Which colour?",
        **dict(zip("ABCD", ("red", "blue", "white", "green"), strict=True)),
        "answer": "B",
    }
    hr |= {"category": "single", "cycle_category": 0, "image": base64.b64encode(file.getvalue()).decode()}
    for name, row in (("vstar", vstar), ("hr-bench", hr)):
        key = "text" if "text" in row else "question"
        rows = [json.dumps(row | {"question_id": n, "index": n, key: f"{n}: {row[key]}"}) for n in range(2)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows) + "\n")
    return tmp_path


def loaded_benchmark(files, name, environment="single_turn", **protocol):
    limits = {"min_pixels": BUDGET.min_pixels, "max_pixels": BUDGET.max_pixels, "max_tokens": 900, **protocol}
    given = {"benchmark": name, "path": str(files / f"{name}.jsonl"), "environment": environment, "protocol": limits}
    return load_benchmark(build_settings(BenchmarkSettings, given, "a test"))


class Scripted(ScriptedTurns):
    """Script n for the n-th problem that was asked."""

    def __init__(self, loaded, scripts):
        super().__init__(loaded, scripts)
        self._numbers = {}

    def _write(self, request, index):
        number = self._numbers.setdefault(request.encoded.problem_id, len(self._numbers))
        return super()._write(replace(request, seed=number), index)


@pytest.mark.parametrize("name", ["vstar", "hr-bench"])
def test_a_benchmark_with_tools_has_the_turns_of_evaluations_and_is_judged_by_the_last(files, loaded_models, name):
    model = replace(loaded_models["tiny-qwen3-vl"], context=3000)
    benchmark, encoder = with_model(loaded_benchmark(files, name, TOOLS), model)
    assert "image_zoom_in_tool" in model.tokenizer.decode(encoder(benchmark.problems)[0].token_ids)
    result = benchmark.run(encoder, Scripted(model, [[CALL, CALL, "B"], [CALL] * 9]))
    record = result.record()
    assert [row[0].correct for row in result.verdicts[0]] == [True, False]
    assert [row[0].episode.turns for row in result.rollouts[0]] == [3, 4], "twice as many as in training"
    assert record["episodes"]["episodes/over_limit_rate"] == 0.5
    assert record["episodes"]["accuracy/with_calls"] == 0.5
    played = [rollout for row in result.rollouts[0] for rollout in row]
    assert record["tokens"]["mean"] == sum(rollout.num_policy_tokens for rollout in played) / 2
    first = json.loads(response_lines(result).splitlines()[0])
    assert [part["author"] for part in first["episode"]["parts"]] == ["policy", "observation"] * 2 + ["policy"]

    alone, plain_encoder = with_model(loaded_benchmark(files, name), model)
    assert "image_zoom_in_tool" not in model.tokenizer.decode(plain_encoder(alone.problems)[0].token_ids)
    plain = alone.run(plain_encoder, Scripted(model, [[CALL, "B"], ["B"]]))
    assert [row[0].correct for row in plain.verdicts[0]] == [False, True], "nothing answers the call"
    assert "episodes" not in plain.record()


def test_the_environment_is_part_of_the_protocol_and_single_turns_keep_their_hash(files):
    assert EvaluationProtocol(benchmark="x", max_tokens=3).hash == "2c6903807ece", "as before there was an environment"
    hashes = [
        loaded_benchmark(files, "vstar", environment).protocol.hash
        for environment in (
            "single_turn",
            TOOLS,
            {**TOOLS, "evaluation_turns": 5},
            {**TOOLS, "workers": 3},  # what changes no result
        )
    ]
    assert len(set(hashes)) == 3
    assert hashes[1] == hashes[3]


def test_an_engine_that_reads_no_images_of_tools_is_refused_before_a_model_is_loaded(files, monkeypatch):
    monkeypatch.setattr(TransformersEngineSettings, "capabilities", EngineCapabilities())
    environment = loaded_benchmark(files, "vstar", TOOLS).environment
    with pytest.raises(
        ConfigError, match=r"benchmarks.1.environment: tools has several turns, and engine 'transformers'"
    ):
        check_plays(environment, TransformersEngineSettings(), "benchmarks.1.environment")


def test_vlrl_eval_asks_with_tools_and_without(files, capsys):
    tools = json.dumps(TOOLS)
    protocol = "protocol: {max_tokens: 40, temperature: 1.0, min_pixels: 1024, max_pixels: 1024}"
    (files / "both.yaml").write_text(
        f"name: both\nrun_folder: {files / 'run'}\nmodel: {{build: tiny-qwen3-vl, shape: {SHAPE}}}\nbenchmarks:\n"
        f"  - {{benchmark: vstar, path: {files / 'vstar.jsonl'}, {protocol}}}\n"
        f"  - {{benchmark: vstar, name: vstar with tools, path: {files / 'vstar.jsonl'},\n"
        f"     environment: {tools}, {protocol}}}\n"
    )
    plain, played = evaluate_benchmarks(files / "both.yaml")
    assert plain["protocol_hash"] != played["protocol_hash"]
    assert "episodes" not in plain
    assert played["episodes"]["episodes/turns"] >= 1
    assert played["protocol_hash"] in capsys.readouterr().out
