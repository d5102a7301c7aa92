"""Hint Tuning: the fewest nodes of a worked trace that are enough are found, and are the fewest."""

from __future__ import annotations

import json

import pytest
from curation_cases import Counting, Letters, ask_text, asking, encode

from vlrl.config import build_settings
from vlrl.curation.answer_journal import Journal
from vlrl.curation.curation_run import curate
from vlrl.curation.curation_settings import CurateSettings
from vlrl.curation.model_answers import EngineAsk
from vlrl.curation.selection.hint_tuning import HintSettings, tune_hints, worked_of
from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.problem_files import read_demonstrations, write_problem_file
from vlrl.errors import ConfigError
from vlrl.rollout.engine_registry import EngineCapabilities, EngineSettings, engines
from vlrl.rollout.scripted_engine import ScriptedEngine
from vlrl.runlog.run_folder import RunFolder
from vlrl.types import Demonstration
from vlrl.verify.judge import judge

NODES = ("Tom has 12.", "He eats 5.", "12 - 5 is what is left.", "So 7 are left.")
TRACE = f"<think>{' '.join(NODES)}</think>\n<answer>7</answer>"


class Hinted(Counting):
    """Right exactly where the thinking that a response begins with has the nodes that the problem's text asks for: `2`
    wants two or more, `2 alone` two and no other number, `never` none."""

    def generate(self, requests):
        self.requests += requests
        found = []
        for request in requests:
            begin = "".join(map(chr, request.written(0)))
            need, *alone = request.encoded.problem.question.split()
            held = sum(node in begin for node in NODES)
            right = need != "never" and (held == int(need) if alone else held >= int(need))
            text = f"{begin}<answer>{7 if right else 8}</answer>"
            found += ScriptedEngine(lambda name, text=text: [text], Letters()).generate([request])
        return found


def hinting(folder, **options) -> tuple[EngineAsk, Hinted]:
    engine = Hinted(lambda problem: [])
    given = {
        "model_hash": "m",
        "seed": 0,
        "batch": 4,
        "tokenize": lambda text, place: [ord(c) for c in text],
        **options,
    }
    return EngineAsk(encode, engine, Journal(folder / "answers.jsonl"), **given), engine


def settings(tmp_path, problems, responses=(TRACE,), **more) -> HintSettings:
    file = tmp_path / "traces.jsonl"
    write_problem_file(file, [Demonstration(problem, one) for problem in problems for one in responses])
    return build_settings(HintSettings, {"traces": str(file), **more}, "hints")


@pytest.fixture
def problems():
    return [ask_text(need) for need in ("0", "1", "2", "3", "never", "2 alone", "3 alone")]


def test_the_fewest_nodes_that_are_enough_are_found_and_are_the_fewest(problems, tmp_path):
    ask, engine = hinting(tmp_path)
    made = tune_hints(problems, settings(tmp_path, problems), ask)
    assert [(one["case"], one["nodes"]) for one in made.provenance] == [
        ("no hint", 0), ("hint", 1), ("hint", 2), ("hint", 3), ("full trace", 4), ("hint", 2), ("hint", 3),
    ]  # fmt: skip
    asked: dict[str, list[int]] = {}
    for request in engine.requests:
        begin = "".join(map(chr, request.written(0)))
        asked.setdefault(request.encoded.problem.question, []).append(sum(node in begin for node in NODES))
    assert asked["3"] == asked["3 alone"] == [0, 1, 2, 3]  # every shorter hint was asked before, none behind it
    assert asked["0"] == [0]
    assert asked["never"] == [0, 1, 2, 3]


def test_each_case_opens_in_its_own_words_and_every_response_is_right(problems, tmp_path):
    ask, _ = hinting(tmp_path)
    made = tune_hints(problems[:5], settings(tmp_path, problems), ask)
    said = [one.response for one in made.demonstrations]
    assert said[0] == "<think>This needs no working out.</think>\n<answer>7</answer>"
    assert said[2] == f"<think>A few steps are enough. {NODES[0]} {NODES[1]}</think>\n<answer>7</answer>"
    assert said[4] == f"<think>This has to be worked out. {' '.join(NODES)}</think>\n<answer>7</answer>"
    assert all(judge(one.problem, one.response).correct for one in made.demonstrations)
    assert made.record()["hints_by_nodes"] == {"1": 1, "2": 1, "3": 1}


def test_without_hints_in_between_there_are_two_cases(problems, tmp_path):
    ask, _ = hinting(tmp_path)
    made = tune_hints(problems, settings(tmp_path, problems, most=0), ask)
    assert made.cases == {"no hint": 1, "full trace": 6}


def test_a_problem_without_a_right_trace_is_counted_and_not_asked(problems, tmp_path):
    ask, engine = hinting(tmp_path)
    wrong = settings(tmp_path, problems[:2], responses=[TRACE.replace("<answer>7", "<answer>6")])
    assert tune_hints(problems, wrong, ask).cases == {"no right trace": 7}
    assert engine.requests == []
    later = settings(tmp_path, problems[:2], responses=["<answer>6</answer>", TRACE])
    assert tune_hints(problems, later, ask).cases == {"no hint": 1, "hint": 1, "no right trace": 5}


def test_the_hint_is_forced_and_takes_nothing_of_what_the_model_may_write(problems, tmp_path):
    ask, engine = hinting(tmp_path)
    given = settings(tmp_path, problems, sampling={"max_tokens": 30})
    tune_hints(problems[1:2], given, ask)
    first, second = engine.requests
    assert [one.author for one in second.resume_from[0].segments] == ["forced"]
    assert [one.budget(0) - len(one.written(0)) for one in (first, second)] == [30, 30]


def test_an_answered_length_is_not_asked_again_and_other_questions_keep_their_names(problems, tmp_path):
    given = settings(tmp_path, problems)
    first = tune_hints(problems, given, hinting(tmp_path)[0])
    ask, engine = hinting(tmp_path)
    assert tune_hints(problems, given, ask) == first
    assert engine.requests == []
    tune_hints(problems[:1], settings(tmp_path, problems, openings={"none": "At once."}), ask)
    assert len(engine.requests) == 1  # it begins in other words


def test_a_trace_without_tags_is_taken_apart_as_well(tmp_path):
    problem = ask_text("2")
    worked = worked_of(problem, ["He eats 5 of 12.\nSo 7 are left.\n\nThe answer is 7."], settings(tmp_path, [problem]))
    assert worked.thoughts == ("He eats 5 of 12.", "He eats 5 of 12.\nSo 7 are left.")
    assert worked.end == "The answer is 7."


def test_a_curation_writes_them_with_a_recipe_and_off_it_writes_nothing(problems, tmp_path):
    (tmp_path / "run").mkdir()
    hints = settings(tmp_path, problems).model_dump(mode="json")
    given = {"name": "t", "data": "p.jsonl", "model": {"path": "unused"}, "hints": hints}
    ask, _ = hinting(tmp_path / "run")
    budget = ImageBudget(min_pixels=256, max_pixels=4096)
    run = RunFolder(tmp_path / "run", {})
    made = curate(problems, build_settings(CurateSettings, given, "t"), run, ask, budget)
    assert len(read_demonstrations(tmp_path / "run" / "hints.jsonl")) == len(made.hints.demonstrations) == 7
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["hints"]["cases"] == {"no hint": 1, "hint": 5, "full trace": 1}
    assert (tmp_path / "run" / "hints_recipe.yaml").is_file()
    (tmp_path / "off").mkdir()
    off, _ = asking(lambda problem: [TRACE], tmp_path / "off")
    plain = {"name": "t", "data": "p.jsonl", "model": {"path": "unused"}, "warmup": {"samples": 1}}
    curate(problems, build_settings(CurateSettings, plain, "t"), RunFolder(tmp_path / "off", {}), off, budget)
    assert not list((tmp_path / "off").glob("hints*"))
    assert "hints" not in json.loads((tmp_path / "off" / "results.json").read_text())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"begin": "<think>"}, "must hold {thought} once"),
        ({"openings": {"none": "Well.", "hint": "Well."}}, "two openings are the same"),
        ({"min_correct": 2}, "can't be reached"),
        ({"prompt": "no place"}, "question"),
    ],
)
def test_settings_that_cannot_hold_are_refused(more, said):
    with pytest.raises(ConfigError, match=said):
        build_settings(HintSettings, {"traces": "t.jsonl", **more}, "hints")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"hints\.traces.*no such file"):
        HintSettings(traces=str(tmp_path / "nowhere.jsonl")).check_traces()


def test_an_engine_that_cannot_go_on_behind_a_beginning_is_refused(temporarily):
    class Parrot(EngineSettings):
        @property
        def capabilities(self):
            return EngineCapabilities(partial_rollouts=False, library=None)

        def check(self, *given): ...
        def memory(self, load): ...
        def open(self, loaded): ...

    temporarily(engines, parrot=Parrot)
    given = {"name": "t", "data": "p.jsonl", "model": {"path": "unused"}, "engine": {"name": "parrot"}}
    with pytest.raises(ConfigError, match="engine 'parrot' does not go on behind a beginning"):
        build_settings(CurateSettings, {**given, "hints": {"traces": "t.jsonl"}}, "t")
    assert build_settings(CurateSettings, {**given, "warmup": {}}, "t").hints is None
