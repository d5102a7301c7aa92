"""`vlrl score` and `vlrl verify`: joins by id, figures, and messages that name what is wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vlrl.cli import app, main
from vlrl.commands.scoring.score import score_command, verify_command
from vlrl.errors import ConfigError, DataError
from vlrl.verify.judge import verifiers

CHOICES = ["triangle", "square", "circle"]
MATHVISTA = [
    {"pid": "1", "question": "Which shape?", "question_type": "multi_choice", "answer_type": "text", "choices": CHOICES}
    | {"answer": "square", "precision": None, "unit": None, "metadata": {"skills": ["a", "b"], "task": "t1"}},
    {"pid": "2", "question": "How many?", "question_type": "free_form", "answer_type": "integer", "choices": None}
    | {"answer": "3", "precision": None, "unit": None, "metadata": {"skills": ["b"], "task": "t2"}},
]
RESPONSES = [
    {"pid": "2", "response": "There are 3 of them.", "extraction": "3.0"},
    {"pid": "1", "response": "", "extraction": ""},
]


def write(path: Path, rows) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture
def files(tmp_path):
    return write(tmp_path / "problems.jsonl", MATHVISTA), write(tmp_path / "responses.jsonl", RESPONSES)


def scored(capsys, *args, **options):
    score_command(*args, as_json=True, **options)
    return json.loads(capsys.readouterr().out)


def test_reward_mode_gives_nothing_to_silence(files, capsys):
    result = scored(capsys, "mathvista", *files)
    assert set(result) == {"accuracy", "correct", "total", "groups", "faults"}
    assert (result["accuracy"], result["correct"], result["total"], result["faults"]) == (0.5, 1, 2, 0)
    assert result["groups"]["skills"] == {
        "b": {"accuracy": 0.5, "correct": 1, "total": 2},
        "a": {"accuracy": 0.0, "correct": 0, "total": 1},
    }


def test_official_mode_gives_luck_and_selects_the_integer_rule(files, capsys):
    official = {"mode": "official", "use_extraction": True}
    # the empty extraction is nearest to "square", the shortest choice; "3.0" is no int()
    assert scored(capsys, "mathvista", *files, **official)["correct"] == 1
    assert scored(capsys, "mathvista", *files, **official, integer_rule="int-float")["correct"] == 2


def test_out_holds_one_line_a_row_under_the_responses_own_id(files, tmp_path, capsys):
    score_command("mathvista", *files, out=tmp_path / "deep" / "rows.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "deep" / "rows.jsonl").read_text().splitlines()]
    assert [set(line) for line in lines] == [{"id", "correct", "answer", "note"}] * 2
    assert [(line["id"], line["correct"]) for line in lines] == [("1", False), ("2", True)]
    assert "1/2 = 50.00%" in capsys.readouterr().out


def test_both_arguments_may_name_one_file(tmp_path, capsys):
    rows = [{"id": i, "question": "?", "answer": str(i), "response": f"#### {i}"} for i in range(3)]
    path = write(tmp_path / "both.jsonl", rows)
    assert scored(capsys, "gsm8k", path, path)["correct"] == 3


def test_rows_join_on_raw_id_where_only_that_is_shared(tmp_path, capsys):
    asked = [{"id": "mathvision_7", "raw_id": 7, "question": "?", "options": [], "answer": "5", "subject": "algebra"}]
    problems = write(tmp_path / "p.jsonl", asked)
    responses = write(tmp_path / "r.jsonl", [{"raw_id": "7", "response": "\\boxed{5}"}])
    out = tmp_path / "out.jsonl"
    assert scored(capsys, "mathvision", problems, responses, mode="official", out=out)["correct"] == 1
    assert json.loads(out.read_text())["id"] == "7"


def test_rows_join_on_the_model_too_where_both_files_have_it(tmp_path, capsys):
    rows = [
        {"id": "x", "model": model, "question": "?", "answer": "1", "response": f"#### {given}"}
        for model, given in (("small", 2), ("large", 1))
    ]
    path = write(tmp_path / "both.jsonl", rows)
    result = scored(capsys, "gsm8k", path, path, mode="official")
    assert {name: group["correct"] for name, group in result["groups"]["model"].items()} == {"large": 1, "small": 0}


def test_missing_rows_are_named_or_counted(files, tmp_path, capsys):
    short = write(tmp_path / "short.jsonl", RESPONSES[:1])
    with pytest.raises(DataError, match="1 of 2 rows are missing, pid: 1"):
        score_command("mathvista", files[0], short)
    result = scored(capsys, "mathvista", files[0], short, allow_missing=True)
    assert (result["correct"], result["total"]) == (1, 2)
    score_command("mathvista", files[0], short, allow_missing=True)
    shown = capsys.readouterr()
    assert "1 rows have no response" in shown.err
    assert "missing 1" in shown.out


@pytest.mark.parametrize(
    ("responses", "message"),
    [
        ([*RESPONSES, {"pid": "9", "response": ""}], "1 unknown pid: 9"),
        ([*RESPONSES, RESPONSES[0]], "1 ids occur more than once: 2"),
        ([{"number": "1", "response": ""}], "give both one of: pid, id, raw_id"),
        ([{"pid": "1", "response": ""}, {"response": ""}], "line 2: has no 'pid'"),
        ([{"pid": "1", "respons": ""}], "line 1: has no 'response'"),
        ([{"pid": "1", "response": 3}], "line 1, response: is int, not text"),
    ],
)
def test_a_responses_file_that_does_not_fit_is_refused(files, tmp_path, responses, message):
    with pytest.raises(DataError, match=message):
        score_command("mathvista", files[0], write(tmp_path / "bad.jsonl", responses))


@pytest.mark.parametrize(("name", "line"), [("bad.jsonl", 2), ("bad.json", 2)])
def test_malformed_json_names_file_and_line(files, tmp_path, name, line):
    (tmp_path / name).write_text('{"pid": "1", "response": "x"}\n{"pid": \n', encoding="utf-8")
    with pytest.raises(DataError, match=rf"{name}, line {line}"):
        score_command("mathvista", files[0], str(tmp_path / name))


def test_problems_may_be_one_object_of_rows_or_a_parquet_file(files, tmp_path, capsys):
    import datasets

    keyed = tmp_path / "testmini.json"
    keyed.write_text(json.dumps({row["pid"]: {k: v for k, v in row.items() if k != "pid"} for row in MATHVISTA}))
    assert scored(capsys, "mathvista", str(keyed), files[1])["correct"] == 1
    datasets.Dataset.from_list(MATHVISTA).to_parquet(tmp_path / "testmini.parquet")
    assert scored(capsys, "mathvista", str(tmp_path / "testmini.parquet"), files[1])["correct"] == 1


def test_dynamath_counts_the_worst_case_over_variants(tmp_path, capsys):
    lists = write(
        tmp_path / "lists.jsonl",
        [{"seed_question": 1, "correct": [True, True]}, {"seed_question": 2, "correct": [True, False]}],
    )
    result = scored(capsys, "dynamath", lists, lists)
    assert result["groups"]["seed_question"]["average"] == {"accuracy": 0.75, "correct": 3, "total": 4}
    assert result["groups"]["seed_question"]["worst_case"] == {"accuracy": 0.5, "correct": 1, "total": 2}
    rows = [
        {"id": f"q{seed}v{variant}", "seed_question": seed, "answer": "5", "answer_type": "float", "response": response}
        for seed, variant, response in ((1, 1, "5"), (1, 2, "5.0"), (2, 1, "5"), (2, 2, "6"))
    ]
    path = write(tmp_path / "rows.jsonl", rows)
    assert scored(capsys, "dynamath", path, path)["groups"]["seed_question"] == result["groups"]["seed_question"]


def test_verify_prints_one_line_a_pair(tmp_path, capsys):
    pairs = [
        {"id": "a", "gold": "0.5", "prediction": "1/2"},
        {"id": "b", "gold": "0.5", "prediction": "0.51", "options": {"tolerance": 0.01}},
        {"id": "c", "gold": "0.5", "prediction": "0.51"},
        {"id": "d", "gold": "some of it", "prediction": "0.5"},
    ]
    verify_command(write(tmp_path / "pairs.jsonl", pairs), "number", as_json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [set(line) for line in lines] == [{"id", "correct", "note", "fault"}] * 4
    assert [line["correct"] for line in lines] == [True, True, False, False]
    assert lines[3]["fault"]


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ({"id": "a", "gold": "1"}, "line 1: has no 'prediction'"),
        ({"id": "a", "gold": "1", "prediction": "1", "options": 3}, "options"),
    ],
)
def test_verify_names_the_line_of_a_bad_pair(tmp_path, pair, message):
    with pytest.raises(DataError, match=message):
        verify_command(write(tmp_path / "pairs.jsonl", [pair]), "number")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("mathvist", "p", "r"), "did you mean 'mathvista'"),
        (("mathvista", "no_such_file.json", "no_such_file.json"), "no such file"),
    ],
)
def test_unknown_names_are_refused_with_a_remedy(args, message):
    with pytest.raises(ConfigError, match=message):
        score_command(*args)
    with pytest.raises(ConfigError, match="unknown verifier 'numbr'"):
        verify_command("p", "numbr")


def test_the_commands_are_on_the_command_line(files, monkeypatch, capsys):
    shown = CliRunner().invoke(app, ["score", "mathvista", "--problems", files[0], "--responses", files[1], "--json"])
    assert shown.exit_code == 0
    assert json.loads(shown.stdout)["total"] == 2
    monkeypatch.setattr("sys.argv", ["vlrl", "score", "mathvista", "--problems", "none.json", "--responses", files[1]])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "no such file" in capsys.readouterr().err


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("benchmark", "problems", "responses", "options", "figures"),
    [
        (
            "mathvista",
            "mathvista/testmini.jsonl",
            "mathvista/outputs_bard.jsonl",
            {"use_extraction": True},
            (348, 1000),
        ),
        ("mmmu", "mmmu/outputs_llava1.5_13b_val.jsonl", None, {}, (330, 900)),
        ("mmmu-pro", "mmmu_pro/outputs_gpt-4o_standard10_direct.jsonl", None, {}, (694, 1730)),
        ("mathvision", "mathvision/gold_half.jsonl", "mathvision/outputs_gemini_pro_cot.jsonl", {}, (212, 1520)),
        ("gsm8k", "gsm8k/model_solutions.jsonl", None, {}, (1017, 2640)),
        ("tabmwp", "tabmwp/outputs_gpt3_2shot_cot_TQ-SA.jsonl", None, {}, (297, 500)),
        ("dynamath", "dynamath/verdicts_GPT4o.jsonl", None, {}, (3173, 5010)),
    ],
)
def test_official_figures_of_recorded_outputs(benchmark, problems, responses, options, figures, capsys):
    folder = Path(os.environ["VLRL_DATA"])
    given = str(folder / (responses or problems))
    result = scored(capsys, benchmark, str(folder / problems), given, mode="official", **options)
    assert (result["correct"], result["total"]) == figures


@pytest.mark.real_data
def test_mathvista_groupings_equal_the_published_ones(capsys):
    folder = Path(os.environ["VLRL_DATA"]) / "mathvista"
    files = str(folder / "testmini.jsonl"), str(folder / "outputs_bard.jsonl")
    groups = scored(capsys, "mathvista", *files, mode="official", use_extraction=True)["groups"]
    published = json.loads((folder / "official_scores_bard.json").read_text())
    # the score file was counted with the labels of the published outputs, which are older than those of the problems
    # file: there this grade is "daily life", and skills are other ones (problem 4 has one of its two)
    published["grade"]["not applicable"] = published["grade"].pop("daily life")
    for grouping in ("question_type", "answer_type", "language", "source", "category", "task", "context", "grade"):
        counts = {value: (row["correct"], row["total"]) for value, row in groups[grouping].items()}
        assert counts == {value: (row["correct"], row["total"]) for value, row in published[grouping].items()}
    more = {
        skill: (
            row["correct"] - published["skills"][skill]["correct"],
            row["total"] - published["skills"][skill]["total"],
        )
        for skill, row in groups["skills"].items()
    }
    assert more == {
        "geometry reasoning": (5, 17),
        "arithmetic reasoning": (-1, 14),
        "algebraic reasoning": (1, 10),
        "scientific reasoning": (2, 4),
        "numeric commonsense": (3, 3),
        "statistical reasoning": (1, -2),
        "logical reasoning": (0, 0),
    }


def test_groupings_follow_the_labels_of_the_published_outputs_where_these_are_the_problems_file(tmp_path, capsys):
    """Published outputs carry problems, labels and responses in one file; both arguments may name it."""
    row = {
        "question": "How many?",
        "answer": "3",
        "question_type": "free_form",
        "answer_type": "integer",
        "choices": None,
    }
    rows = [
        {**row, "pid": pid, "extraction": said, "response": said, "metadata": {"grade": "daily life", "skills": skills}}
        for pid, said, skills in (("4", "3", ["arithmetic reasoning"]), ("5", "2", ["arithmetic reasoning", "logic"]))
    ]
    path = tmp_path / "output.jsonl"
    path.write_text("".join(json.dumps(one | {"precision": None, "unit": None}) + "\n" for one in rows))
    groups = scored(capsys, "mathvista", str(path), str(path), mode="official", use_extraction=True)["groups"]
    assert groups["grade"] == {"daily life": {"accuracy": 0.5, "correct": 1, "total": 2}}
    assert {skill: (g["correct"], g["total"]) for skill, g in groups["skills"].items()} == {
        "arithmetic reasoning": (1, 2),
        "logic": (0, 1),
    }


@pytest.mark.real_data
def test_dynamath_figures_to_four_decimals(capsys):
    path = str(Path(os.environ["VLRL_DATA"]) / "dynamath/verdicts_GPT4o.jsonl")
    figures = scored(capsys, "dynamath", path, path)["groups"]["seed_question"]
    assert round(figures["average"]["accuracy"], 4) == 0.6333
    assert round(figures["worst_case"]["accuracy"], 4) == 0.3473


def test_pairs_are_judged_by_a_verifier_of_a_plugin(tmp_path, capsys, temporarily):
    temporarily(verifiers)
    plugin = tmp_path / "even.py"
    plugin.write_text(
        "from vlrl.types import Verdict\n"
        "from vlrl.verify.judge import verifier\n\n"
        "@verifier('even_number_of_characters')\n"
        "def even(problem, response):\n"
        "    return Verdict.right(response) if len(response) % 2 == 0 else Verdict.wrong('odd', response)\n"
    )
    pairs = [{"id": i, "gold": "x", "prediction": said} for i, said in enumerate(("ab", "abc"))]
    verify_command(write(tmp_path / "pairs.jsonl", pairs), "even_number_of_characters", plugins=[plugin])
    assert "even_number_of_characters: 1/2 correct, 0 faults" in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"none\.py: no such file"):
        verify_command(str(tmp_path / "pairs.jsonl"), "even_number_of_characters", plugins=[tmp_path / "none.py"])
