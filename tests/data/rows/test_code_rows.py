"""Rows of programming problems in their data sets' layouts."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from pathlib import Path

import pytest

from vlrl.data.rows.row_to_problem import RowReader
from vlrl.data.source_settings import source_settings
from vlrl.errors import BadRowError, ConfigError
from vlrl.verify.code.code_tests import CallCase, StdoutCase, judging_of, read_tests

APPS = {
    "problem_id": 1,
    "question": "Double it.",
    "solutions": "[]",
    "input_output": json.dumps({"inputs": ["1\n", "2\n"], "outputs": ["2\n", "4\n"]}),
    "difficulty": "interview",
    "url": "http://x",
    "starter_code": "",
}
APPS_CALL = {
    **APPS,
    "input_output": json.dumps({"fn_name": "double", "inputs": [[1], [2]], "outputs": [[2], [4]]}),
    "starter_code": "class Solution:\n    def double(self, n):\n",
}
TACO = {
    **APPS,
    "time_limit": "2.0 seconds",
    "memory_limit": "256.0 megabytes",
    "tags": "[]",
    "input_output": json.dumps({"inputs": [["1", "2"]], "outputs": [["3"]]}),
}
CONTESTS = {
    "name": "a",
    "description": "Add.",
    "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
    "private_tests": {"input": ["2 2\n"], "output": ["4\n"]},
    "generated_tests": {"input": ["5 5\n"], "output": ["10\n"]},
    "time_limit": {"seconds": 1, "nanos": 500000000},
    "memory_limit_bytes": 256 << 20,
    "input_file": "",
    "output_file": "",
}


def packed(cases):
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(cases)))).decode()


LIVE = {
    "question_title": "a",
    "question_content": "Add.",
    "starter_code": "",
    "public_test_cases": json.dumps([{"input": "1 2", "output": "3", "testtype": "stdin"}]),
    "private_test_cases": packed([{"input": "2 2", "output": "4", "testtype": "stdin"}]),
    "metadata": "{}",
}
LIVE_CALL = {
    **LIVE,
    "public_test_cases": json.dumps([{"input": '[1, 2]\n"a"', "output": "[3]", "testtype": "functional"}]),
    "private_test_cases": "[]",
    "metadata": json.dumps({"func_name": "add"}),
}
HUMAN = {
    "task_id": "HumanEval/0",
    "prompt": "from typing import List\n\ndef helper(x): return x\n\ndef f(x: List[int]) -> int:\n    '''Sum.'''\n",
    "canonical_solution": "    return sum(x)\n",
    "test": "def check(candidate):\n    assert candidate([1]) == 1\n",
    "entry_point": "f",
}
MBPP = {
    "task_id": 2,
    "text": "Write a function.",
    "code": "def f(x): return x",
    "test_list": ["assert f(1) == 1", "assert f(2) == 2"],
    "test_setup_code": "import math",
    "challenge_test_list": ["assert f(3) == 3"],
}
MULTIPL = {
    "name": "HumanEval_0",
    "language": "cpp",
    "prompt": "#include<bits/stdc++.h>\n// Sum.\nlong f(std::vector<long> x) {\n",
    "tests": "}\nint main() {\n    auto candidate = f;\n    assert(candidate({1}) == 1);\n}\n",
    "stop_tokens": ["\n}"],
}


def read(layout, row, **settings):
    source = source_settings(
        {"name": "s", "kind": "file", "path": "hub/x", "layout": layout, "modality": "text", **settings}, 0
    )
    problem, _ = RowReader(source, Path()).problem(row, "file:1")
    return problem, read_tests(problem.answer), judging_of(problem.metadata)


def test_apps_and_taco():
    problem, tests, judging = read("apps", APPS)
    assert (problem.verifier, problem.modality) == ("code", "text")
    assert tests.stdout == (StdoutCase("1\n", ("2\n",)), StdoutCase("2\n", ("4\n",)))
    assert judging.whitespace == "tokens"
    assert problem.question.startswith("Double it.\n\nWrite a Python program that reads from standard input")
    problem, tests, _ = read("apps", APPS_CALL)
    assert tests.calls == (CallCase((1,), 2), CallCase((2,), 4))
    assert "class Solution" in problem.question
    assert "Write the function `double`" in problem.question
    _, tests, judging = read("taco", TACO)
    assert tests.stdout == (StdoutCase("1\n2", ("3",)),)
    assert (judging.time_seconds, judging.memory_mib) == (2.0, 256)


def test_code_contests():
    _, tests, judging = read("code_contests", CONTESTS)
    assert [case.stdin for case in tests.stdout] == ["1 2\n", "2 2\n", "5 5\n"]
    assert (judging.time_seconds, judging.memory_mib) == (1.5, 256)
    _, tests, _ = read("code_contests", CONTESTS, metadata={"max_cases": 2, "language": "cpp"})
    assert len(tests.stdout) == 2
    with pytest.raises(BadRowError, match="reads or writes a file"):
        read("code_contests", {**CONTESTS, "input_file": "a.txt"})


def test_live_code_bench():
    _, tests, _ = read("livecodebench", LIVE)
    assert tests.stdout == (StdoutCase("1 2", ("3",)), StdoutCase("2 2", ("4",)))
    _, tests, _ = read("livecodebench", LIVE_CALL)
    assert (tests.function, tests.calls) == ("add", (CallCase(([1, 2], "a"), [3]),))


def test_a_pickle_that_would_call_something_is_refused():
    class Evil:
        def __reduce__(self):
            return (print, ("called",))

    row = {**LIVE, "private_test_cases": base64.b64encode(zlib.compress(pickle.dumps(Evil()))).decode()}
    with pytest.raises(BadRowError, match="no plain data"):
        read("livecodebench", row)


def test_human_eval_mbpp_and_multipl_e():
    problem, tests, _ = read("humaneval", HUMAN)
    assert (tests.unit.entry, tests.unit.check) == ("f", True)
    assert tests.unit.prelude.startswith("from typing import List")
    assert "def helper" in tests.unit.prelude
    assert "def f" not in tests.unit.prelude
    assert "Write the function `f` in Python" in problem.question
    _, tests, _ = read("mbpp", MBPP)
    assert (tests.unit.entry, tests.unit.prelude) == ("f", "import math")
    assert "f(3) == 3" in tests.unit.tests
    problem, tests, judging = read("multipl-e", MULTIPL)
    assert (judging.language, tests.unit.prelude) == ("cpp", "#include<bits/stdc++.h>\n")
    assert "```cpp" in problem.question


@pytest.mark.parametrize(
    ("layout", "row", "said"),
    [
        ("apps", {**APPS, "input_output": ""}, "input_output: is missing"),
        ("apps", {**APPS, "input_output": "{"}, "is no JSON"),
        ("apps", {**APPS, "input_output": json.dumps({"inputs": ["1"], "outputs": []})}, "1 inputs and 0 outputs"),
        ("apps", {**APPS, "question": None}, "question: is missing"),
        ("code_contests", {"description": "x"}, "has no tests"),
        ("livecodebench", {**LIVE_CALL, "metadata": "{}"}, "names no func_name"),
        ("livecodebench", {**LIVE, "private_test_cases": "!!"}, "can't be unpacked"),
        ("humaneval", {**HUMAN, "test": ""}, "test: is missing"),
    ],
)
def test_a_row_that_lacks_something_is_refused_by_name(layout, row, said):
    with pytest.raises(BadRowError, match=said):
        read(layout, row)


def test_benchmarks_are_not_trained_on_unasked():
    for layout in ("humaneval", "livecodebench", "multipl-e"):
        source = source_settings(
            {"name": "s", "kind": "file", "path": "hub/x", "layout": layout, "modality": "text"}, 0
        )
        assert source.is_evaluation_set
    source = source_settings({"name": "s", "kind": "file", "path": "hub/x", "layout": "apps", "modality": "text"}, 0)
    assert not source.is_evaluation_set


def test_max_cases_of_no_meaning_is_refused():
    with pytest.raises(ConfigError, match="max_cases"):
        read("apps", APPS, metadata={"max_cases": 0})


@pytest.mark.parametrize("as_text", [True, False])
def test_rows_of_ones_own_name_the_verifier(as_text, tmp_path):
    gold = {"cases": [{"input": "1", "output": "2"}]}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"question": "Double it.", "answer": json.dumps(gold) if as_text else gold}) + "\n")
    source = source_settings(
        {"name": "s", "kind": "file", "path": str(path), "modality": "text", "verifier": "code"}, 0
    )
    problem, _ = RowReader(source, tmp_path).problem(json.loads(path.read_text()), "file:1")
    assert read_tests(problem.answer).stdout == (StdoutCase("1", ("2",)),)
    with pytest.raises(BadRowError, match="is no JSON"):
        RowReader(source, tmp_path).problem({"question": "Double it.", "answer": "print(2)"}, "file:1")
