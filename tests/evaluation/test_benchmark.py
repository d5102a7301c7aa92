"""Benchmarks as objects: read in their own schema, asked through an engine, figures with hash, n and interval."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as Pillow

from vlrl.commands.benchmark_page import write_shown
from vlrl.commands.evaluate import evaluate_benchmarks
from vlrl.config import load_settings
from vlrl.data.benchmarks.benchmark_rows import read_benchmark
from vlrl.data.benchmarks.mathvista import mathvista_query
from vlrl.data.images.open_images import BadImageError, check_image
from vlrl.data.tables.records import read_records
from vlrl.errors import ConfigError, DataError
from vlrl.evaluation.benchmark import Benchmark, BenchmarkResult, BenchmarkSettings, load_benchmark, results_table
from vlrl.evaluation.protocol import EvaluationProtocol
from vlrl.evaluation.scores import pass_at_k, wilson_interval
from vlrl.training.monitoring.evaluation_settings import EvaluationSettings, names_benchmarks
from vlrl.types import Image, Problem, Rollout, Segment, Text, Verdict

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs" / "eval").glob("*.yaml"))


def png(seed: int = 0) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    Pillow.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


class Encoded:
    """What the fake encoder gives: enough for `collect`."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.content_hash = problem, problem.id


class Script:
    """An engine that answers from a list by question, with lengths of one token a word."""

    def __init__(self, answers: dict[str, list[str]], finish_reason: str = "stop") -> None:
        self.answers, self.finish_reason, self.calls = answers, finish_reason, 0

    def generate(self, requests):
        self.calls += 1
        found = []
        for request in requests:
            texts = next(v for k, v in self.answers.items() if k in request.encoded.problem.question)
            rollouts = tuple(
                Rollout((Segment((1,) * n, (0.0,) * n, 0),), text, self.finish_reason, request.encoded.content_hash)
                for text in (texts * request.num_rollouts)[: request.num_rollouts]
                for n in [len(text.split())]
            )
            found.append(rollouts)
        return found


def encode(problems):
    return [Encoded(problem) for problem in problems]


def numbers(protocol: EvaluationProtocol, count: int = 4) -> Benchmark:
    problems = tuple(Problem((Text(f"q{i}?"),), str(i), "number", "text", "d") for i in range(count))
    groups = tuple({"half": ("low" if i < count / 2 else "high",)} for i in range(count))
    return Benchmark("numbers", "problems", problems, groups, protocol.for_problems(problems))


def test_a_figure_comes_with_n_error_interval_lengths_and_the_protocols_hash():
    benchmark = numbers(EvaluationProtocol(benchmark="numbers"))
    script = Script({"q0": ["0"], "q1": ["1"], "q2": ["7 or 8"], "q3": ["3"]})
    record = benchmark.run(encode, script, batch=3).record()
    assert script.calls == 2
    assert (record["value"], record["n"], record["runs"]) == (0.75, 4, 1)
    assert record["standard_error"] == pytest.approx(0.25)  # deviations ¼ ¼ ¼ −¾: s = ½, SE = ½/√4
    assert record["interval"] == list(wilson_interval(0.75, 4))
    assert record["tokens"] == {"mean": 1.5, "p95": pytest.approx(2.7)}
    assert record["groups"]["half"]["low"] == {"accuracy": 1.0, "correct": 2, "total": 2}
    assert record["protocol_hash"] == benchmark.protocol.hash
    assert benchmark.protocol.hash in results_table([record])


def test_samples_become_a_value_as_the_protocol_says():
    script = Script({"q0": ["0", "5", "0.0", "6"], "q1": ["2", "1", "2", "2"], "q2": ["2"], "q3": ["9"]})
    for aggregation, k, expected in (
        ("mean", 1, (0.5 + 0.25 + 1 + 0) / 4),
        ("pass@k", 2, (pass_at_k(4, 2, 2) + pass_at_k(4, 1, 2) + 1 + 0) / 4),
        ("maj@n", 1, (1 + 0 + 1 + 0) / 4),
    ):
        protocol = EvaluationProtocol(benchmark="numbers", samples=4, aggregation=aggregation, k=k, temperature=1.0)
        record = numbers(protocol).run(encode, script).record()
        assert record["value"] == pytest.approx(expected)
        assert record["figure"] == protocol.label


def test_several_seeds_give_an_interval_over_runs():
    protocol = EvaluationProtocol(benchmark="numbers", seeds=(0, 1, 2), temperature=1.0)
    answers = iter([["0"], ["1"], ["0"]])

    class Luck(Script):
        def generate(self, requests):
            self.answers = {"q0": next(answers), "q1": ["1"]}
            return super().generate(requests)

    record = numbers(protocol, 2).run(encode, Luck({})).record()
    assert record["runs"] == 3
    assert record["value"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert record["interval"][0] < record["value"] < record["interval"][1]
    assert record["run_standard_error"] == pytest.approx(1 / 6)


def test_cut_off_responses_are_wrong_where_the_protocol_says_so():
    script = Script({f"q{i}": [str(i)] for i in range(4)}, finish_reason="length")
    for cut_offs, value in (("judged", 1.0), ("wrong", 0.0)):
        record = numbers(EvaluationProtocol(benchmark="numbers", cut_offs=cut_offs)).run(encode, script).record()
        assert (record["value"], record["cut_off_rate"]) == (value, 1.0)


def test_a_table_that_mixes_protocols_says_so():
    script = Script({f"q{i}": [str(i)] for i in range(4)})
    records = [
        numbers(EvaluationProtocol(benchmark="numbers", max_tokens=n)).run(encode, script).record() for n in (10, 20)
    ]
    assert "2 different protocols" in results_table(records)
    assert "different" not in results_table([records[0], records[0]])


def test_the_protocol_may_name_the_grader(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"id": "1", "question": "?", "answer": "#### 3"}) + "\n")
    named = {"benchmark": "gsm8k", "path": str(path)}
    assert load_benchmark(BenchmarkSettings(**named)).problems[0].verifier == "number"
    exact = BenchmarkSettings(**named, protocol=EvaluationProtocol(grader="exact"))
    assert load_benchmark(exact).problems[0].verifier == "exact"
    with pytest.raises(ConfigError, match="unknown verifier 'exakt'"):
        load_benchmark(BenchmarkSettings(**named, protocol=EvaluationProtocol(grader="exakt")))


def test_mmmu_images_stand_where_question_and_options_name_them(tmp_path):
    row = {
        "id": "validation_Art_Theory_1",
        "question": "Compare <image 2> with <image 1>.",
        "options": "['<image 3>', 'none']",
        "answer": "A",
        "question_type": "multiple-choice",
        **{f"image_{k}": {"bytes": png(k), "path": None} for k in (1, 2, 3, 4)},
        **{f"image_{k}": None for k in (5, 6, 7)},
    }
    (only,) = read_benchmark("mmmu", [("here", row)], tmp_path)
    expected = [Image.from_bytes(png(k)).digest for k in (4, 2, 1, 3)]  # the image that nothing names comes first
    assert [image.digest for image in only.problem.images] == expected
    assert only.groups == {
        "domain": ("Art and Design",),
        "subject": ("Art_Theory",),
        "question_type": ("multiple-choice",),
    }
    assert only.problem.metadata["choices"] == ["<image 3>", "none"]
    with pytest.raises(DataError, match="<image 9>"):
        read_benchmark("mmmu", [("here", row | {"question": "<image 9>"})], tmp_path)


def test_a_folder_of_subjects_gives_the_rows_of_one_split_in_order(tmp_path):
    row = {"question": "Which?", "options": "['a', 'b']", "answer": "B", "question_type": "multiple-choice"}
    for subject in ("Math", "Accounting"):
        (tmp_path / subject).mkdir()
        for split in ("dev", "validation"):
            table = pa.Table.from_pylist([row | {"id": f"{split}_{subject}_{n}"} for n in (1, 2)])
            pq.write_table(table, tmp_path / subject / f"{split}-00000-of-00001.parquet")
    records = read_records(str(tmp_path), "path", "validation", True)
    assert [r["id"] for _, r in records] == [f"validation_{s}_{n}" for s in ("Accounting", "Math") for n in (1, 2)]


def test_mmmu_open_answers_may_be_a_list_written_as_text(tmp_path):
    row = {"id": "x", "question": "?", "options": "[]", "answer": "['24/7', '3.429']", "question_type": "open"}
    (only,) = read_benchmark("mmmu", [("here", row)])
    assert (only.problem.answer, only.problem.metadata) == ("24/7", {"accepted": ["3.429"]})


def test_mathvision_figures_share_one_image(tmp_path):
    row = {
        "id": "7",
        "question": "<image1> and <image2>?",
        "options": [],
        "answer": "5",
        "decoded_image": {"bytes": png()},
    }
    (only,) = read_benchmark("mathvision", [("here", row)], tmp_path)
    assert [type(piece) for piece in only.problem.prompt] == [Image, Text, Text]
    assert only.problem.question == "<image> and ?"


def test_gsm8k_gold_is_the_number_after_the_mark():
    (only,) = read_benchmark("gsm8k", [("here", {"question": "?", "answer": "6 * 3 = 18\n#### 1,018"})])
    assert only.problem.answer == "1018"


def test_a_missing_image_file_is_named(tmp_path):
    row = {"pid": "1", "question": "?", "answer": "1", "question_type": "free_form", "answer_type": "integer"}
    with pytest.raises(DataError, match=r"line 3, image 1: the image 'images/1.jpg' is not there"):
        read_benchmark("mathvista", [("file, line 3", row | {"image": "images/1.jpg"})], tmp_path)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.stem)
def test_a_shipped_evaluation_config_loads_and_is_named_like_its_file(config):
    assert names_benchmarks(config)
    settings = load_settings(EvaluationSettings, config)
    assert settings.name == config.stem
    assert len({one.protocol.hash for one in settings.benchmarks}) == len(settings.benchmarks)


def test_there_is_a_config_for_every_benchmark():
    named = {b.name or b.benchmark for c in CONFIGS for b in load_settings(EvaluationSettings, c).benchmarks}
    assert named >= {"mathvista", "mmmu", "mmmu-pro", "mathvision", "gsm8k", "math-500", "aime", "own"}


def test_an_unknown_benchmark_is_refused_with_a_suggestion():
    with pytest.raises(ConfigError, match="did you mean 'mathvista'"):
        BenchmarkSettings(benchmark="mathvist", path="x")


def test_a_small_model_is_asked_from_the_command_line(tmp_path, capsys):
    rows = []
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(png(number))
        row = {"pid": str(number), "question": "How many?", "answer": "3", "image": f"{number}.png", "precision": None}
        rows.append(row | {"question_type": "free_form", "answer_type": "integer", "choices": None, "unit": None})
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shape = "{text_width: 32, text_layers: 2, head_size: 16, key_value_heads: 1, mlp_width: 48, vision_width: 32, "
    shape += "vision_layers: 2, vision_heads: 2, vocabulary: 300, context: 400}"
    (tmp_path / "small.yaml").write_text(f"""
name: small
run_folder: {tmp_path / "run"}
model: {{build: tiny-qwen3-vl, shape: {shape}}}
benchmarks:
  - {{benchmark: mathvista, path: {tmp_path / "rows.jsonl"}, limit: 2,
     protocol: {{max_tokens: 4, samples: 2, temperature: 1.0, min_pixels: 256, max_pixels: 4096}}}}
""")
    (result,) = evaluate_benchmarks(tmp_path / "small.yaml")
    assert (result["n"], result["figure"]) == (2, "mean of 2")
    assert result["protocol_hash"] in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "results.json").read_text())["benchmarks"][0]["value"] == result["value"]
    lines = (tmp_path / "run" / f"responses_mathvista_{result['protocol_hash']}.jsonl").read_text().splitlines()
    assert len(lines) == 4
    first = json.loads(lines[0])
    assert (first["gold"], "How many?" in first["question"], len(first["images"])) == ("3", True, 1)
    again = evaluate_benchmarks(tmp_path / "small.yaml")[0]
    assert (again["value"], again["tokens"]) == (result["value"], result["tokens"])
    page = (tmp_path / "run" / "report.html").read_text()
    assert all(text in page for text in ("<h2>Benchmarks</h2>", "mathvista by", result["protocol_hash"], "How many?"))
    shown = [json.loads(line) for line in (tmp_path / "run" / "rollouts.jsonl").read_text().splitlines()]
    assert [(one["phase"], len(one["rollouts"])) for one in shown] == [("mathvista", 2)] * 2, "twice is once"
    assert len(list((tmp_path / "run" / "images").iterdir())) == 2


@pytest.mark.parametrize("count", [1, 3, 4, 5, 17, 52, 53, 1000])
def test_a_page_shows_problems_from_evenly_spread_places_each_once(count):
    problems = tuple(Problem((Text(f"{i}?"),), "1", "number", "text", "d") for i in range(count))
    responses = ((Rollout((Segment((1,), (0.0,), 0),), "1", "stop"),),) * count
    benchmark = Benchmark("b", "own", problems, ({},) * count, EvaluationProtocol())
    result = BenchmarkResult(benchmark, (responses,), (((Verdict.right("1"),),) * count,))
    written: list[tuple[int, list[str]]] = []
    run = SimpleNamespace(
        truncate_after=lambda *_: None,
        rollouts=lambda _, step, groups, trained: written.append((step, [g.problem.question for g in groups])),
    )
    write_shown(run, result)  # type: ignore[arg-type]
    shown = [name for _, names in written for name in names]
    assert len(shown) == len(set(shown))
    assert min(count, 40) <= len(shown) <= 52
    assert shown[0] == "0?"
    assert shown[-1] == f"{count - 1}?"


def five_rows(folder: Path) -> Path:
    """Of MATH-Vision's schema: the second has no answer, the third a cut image, the fourth no image file."""
    for i in (1, 3, 5):
        Pillow.effect_noise((64, 64), i).save(folder / f"{i}.png")
    data = (folder / "3.png").read_bytes()
    (folder / "3.png").write_bytes(data[: len(data) // 2])
    rows = [{"id": str(i), "question": f"q{i}? <image1>", "image": f"{i}.png", "answer": str(i)} for i in range(1, 6)]
    rows[1] = {**rows[1], "image": "1.png", "answer": None}
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "rows.jsonl"


def test_rows_that_can_not_be_asked_end_the_evaluation_by_name_or_are_left_out_and_counted(tmp_path, caplog):
    given = {"benchmark": "mathvision", "path": str(five_rows(tmp_path)), "name": "five"}
    with pytest.raises(DataError, match=r"rows\.jsonl, line 2"):
        load_benchmark(BenchmarkSettings(**given))
    with pytest.raises(BadImageError, match=r"rows\.jsonl, line 4.*'4\.png' is not there"):
        load_benchmark(BenchmarkSettings(**given, on_bad_row="skip", on_bad_image="error"))
    found = load_benchmark(BenchmarkSettings(**given, on_bad_row="skip"))
    assert [problem.answer for problem in found.problems] == ["1", "3", "5"]

    def decodes(problem: Problem) -> None:
        for image in problem.images:
            check_image(image)

    with caplog.at_level("WARNING"):
        asked = found.usable(decodes)
    assert "benchmark 'five' leaves out a row" in caplog.text
    assert "rows.jsonl, line 3" in caplog.text
    assert [problem.answer for problem in asked.problems] == ["1", "5"]
    assert asked.protocol.hash != found.protocol.hash
    record = asked.run(encode, Script({"q": ["1"]})).record()
    assert (record["n"], sum(record["left_out"].values())) == (2, 3)
    assert "n=2 (3 left out)" in results_table([record])
    whole = load_benchmark(BenchmarkSettings(**given, on_bad_row="skip", on_bad_image="skip", limit=1))
    assert "left_out" not in whole.run(encode, Script({"q": ["1"]})).record()
    with pytest.raises(DataError, match="no row that can be asked"):
        asked.usable(lambda problem: check_image(Image.from_bytes(b"no image")))


def test_an_image_that_a_schema_does_not_name_is_not_lost(tmp_path):
    path = five_rows(tmp_path)
    row = json.loads(path.read_text().splitlines()[0])
    for more in ({"second": "5.png"}, {"meta": {"views": ["5.png"]}}):
        path.write_text(json.dumps({**row, **more}))
        with pytest.raises(DataError, match="would be lost"):
            load_benchmark(BenchmarkSettings(benchmark="mathvision", path=str(path)))
    many = {f"image_{k}": "1.png" for k in range(1, 12)}
    path.write_text(json.dumps({"question": "q?", "options": [], "question_type": "open", "answer": "3", **many}))
    found = load_benchmark(BenchmarkSettings(benchmark="mmmu", path=str(path)))
    assert len(found.problems[0].images) == 11


def test_a_benchmarks_json_keeps_its_digits_and_refuses_a_key_twice(tmp_path):
    (tmp_path / "rows.json").write_text('[{"problem": "?", "answer": 7.10}]')
    assert load_benchmark(BenchmarkSettings(benchmark="math", path=str(tmp_path / "rows.json"))).problems[0].answer == (
        "7.10"
    )
    (tmp_path / "rows.json").write_text('[{"problem": "?", "answer": 7, "answer": 8}]')
    with pytest.raises(DataError, match="stands twice"):
        load_benchmark(BenchmarkSettings(benchmark="math", path=str(tmp_path / "rows.json")))


@pytest.mark.real_data
def test_mathvista_prompts_equal_the_official_ones():
    import os

    records = read_records(str(Path(os.environ["VLRL_DATA"]) / "mathvista/testmini.jsonl"), "test")
    assert all(mathvista_query(row) == row["query"].strip() for _, row in records)


@pytest.mark.real_data
def test_mathvision_rows_come_with_their_images():
    import os

    folder = Path(os.environ["VLRL_DATA"]) / "mathvision"
    benchmark = load_benchmark(BenchmarkSettings(benchmark="mathvision", path=str(folder / "testmini.jsonl")))
    assert len(benchmark.problems) == 304
    assert all(problem.images for problem in benchmark.problems)
