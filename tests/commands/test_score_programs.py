"""`vlrl score` runs programs of responses for the benchmarks that are judged by tests."""

from __future__ import annotations

import json
import os
from typing import get_type_hints

import pytest
from sandbox_fixture import SMALL, require_sandbox

from vlrl.code_execution import executor
from vlrl.code_execution.languages import LANGUAGES
from vlrl.code_execution.sandbox_settings import SandboxSettings
from vlrl.commands.scoring.score import score_command
from vlrl.commands.scoring.score_cli import score
from vlrl.data.benchmarks.benchmark_definition import benchmarks
from vlrl.errors import ConfigError, DataError

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module", autouse=True)
def boxes():
    require_sandbox()
    executor.configure(SandboxSettings(boxes=1, limits=SMALL))
    yield
    executor.close()
    executor.configure(SandboxSettings())


def test_human_eval_is_scored_by_its_tests(tmp_path, capsys):
    rows = [
        {
            "task_id": f"HumanEval/{k}",
            "prompt": f"def f{k}(x: int) -> int:\n    '''x + {k}'''\n",
            "test": f"def check(candidate):\n    assert candidate(1) == {1 + k}\n",
            "entry_point": f"f{k}",
        }
        for k in range(3)
    ]
    programs = ["def f0(x): return x", "def f1(x): return x", "import os; os._exit(0)"]
    said = [
        {"task_id": row["task_id"], "response": f"```python\n{p}\n```"} for row, p in zip(rows, programs, strict=True)
    ]
    for name, lines in (("problems", rows), ("responses", said)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    scored = score_command("humaneval", str(tmp_path / "problems.jsonl"), str(tmp_path / "responses.jsonl"))
    assert (scored.overall.correct, scored.overall.total, scored.faults) == (1, 3, 0)
    assert "humaneval" in capsys.readouterr().out


# --- majority vote ---------------------------------------------------------------------------------------------------

RIGHT = ("n = int(input())\nprint(n * n)\n", "n = int(input())\nprint(sum(n for _ in range(n)))\n")
WRONG = ("print(int(input()) * 2)\n", "n = int(input())\nprint(n)\n")
NUMBER = "import random\nrandom.seed(int(input()))\nprint(random.randint(3, 50))\n"


def fenced(source):
    return f"```python\n{source}```"


def written(folder, **tables):
    paths = []
    for name, rows in tables.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        paths.append(str(folder / f"{name}.jsonl"))
    return paths


def squares(folder, responses, **inputs):
    row = {
        "id": "a",
        "question": "Print a square.",
        "input_output": json.dumps({"inputs": ["7\n"], "outputs": ["49\n"]}),
    }
    given = [{"id": "a", "response": text} for text in responses]
    return written(folder, problems=[row], responses=given, inputs=[{"id": "a", **inputs}])


@pytest.mark.parametrize(
    "inputs", [{"inputs": ["3\n", "5\n"]}, {"generators": NUMBER}, {"generators": [fenced(NUMBER)]}]
)
def test_the_program_that_agrees_with_most_is_scored(tmp_path, capsys, inputs):
    """Two wrong programs come first; two right ones alone print the same on all inputs."""
    said = [fenced(WRONG[0]), "no program", fenced(WRONG[1]), fenced(RIGHT[0]), fenced(RIGHT[1])]
    problems, responses, votes = squares(tmp_path, said, **inputs)
    scored = score_command("apps", problems, responses, majority=votes)
    assert (scored.overall.correct, scored.overall.total) == (1, 1)
    assert "majority of 5 responses to 1 problems, 4 with a program: 40.0% agree" in capsys.readouterr().out
    assert scored.record()["majority"]["undecided"] == 0
    with pytest.raises(DataError, match="occur more than once"):
        score_command("apps", problems, responses)


def test_the_majority_is_blind_to_expected_outputs(tmp_path):
    """Where most are wrong alike the vote is wrong, too."""
    problems, responses, votes = squares(
        tmp_path, map(fenced, (*RIGHT, WRONG[0], WRONG[0] + "#\n", WRONG[0] + "##\n")), inputs=["3\n"]
    )
    assert score_command("apps", problems, responses, majority=votes).overall.correct == 0


def test_functions_vote_by_what_they_return(tmp_path):
    row = {"task_id": "HumanEval/1", "prompt": "def f(x: int) -> int:\n", "entry_point": "f"}
    row["test"] = "def check(candidate):\n    assert candidate(4) == 5\n"
    programs = ["def f(x): return x", "def f(x): return x + 1", "def f(x): return 1 + x", "print(7)"]
    given = [{"task_id": "HumanEval/1", "response": fenced(p + "\n")} for p in programs]
    paths = written(
        tmp_path, problems=[row], responses=given, inputs=[{"task_id": "HumanEval/1", "inputs": [[1], [2]]}]
    )
    scored = score_command("humaneval", *paths[:2], majority=paths[2])
    assert (scored.overall.correct, scored.majority.agreeing) == (1, 0.5)


# what MultiPL-E gives, a call, two programs that agree with each other on it and by the tests, and one that doesn't
FOREIGN = {
    "cpp": (
        "#include <cassert>\n#include <iostream>\n#include <map>\n#include <vector>\n"
        "std::map<std::string, bool> f(std::vector<long> a) {",
        "}\nint main() {\n  auto candidate = f;\n  assert(candidate({1, 2}).size() == 1);\n}\n",
        "f(std::vector<long>({1, 2, 3}))",
        '  std::cout << "by the way";\n  return {{"a", a.size() > 1}};\n}\n',
        '  std::map<std::string, bool> m;\n  m["a"] = a.size() > 1;\n  return m;\n}\n',
        '  return {{"a", false}};\n}\n',
    ),
    "java": (
        "import java.util.*;\nclass Problem {\n    public static Set<Long> f(long a) {",
        "    }\n    public static void main(String[] args) {\n    assert(f(4L).size() == 2);\n    }\n\n}\n",
        "f(12L)",
        "        return new HashSet<>(Arrays.asList(a, 2 * a));\n    }\n}\n",
        "        return new LinkedHashSet<>(Arrays.asList(2 * a, a));\n    }\n}\n",
        "        return new HashSet<>(Arrays.asList(a, a + 1));\n    }\n}\n",
    ),
    "csharp": (
        "using System;\nusing System.Collections.Generic;\nusing System.Diagnostics;\n"
        "class Problem {\n    public static Dictionary<string, double> F(long a) {",
        "    }\n    public static void Main(string[] args) {\n    Debug.Assert(F(4L).Count == 2);\n    }\n\n}\n",
        "F(1L)",
        '        return new Dictionary<string, double>{{"a", 0.5}, {"b", a}};\n    }\n}\n',
        '        return new Dictionary<string, double>{{"b", a}, {"a", 0.5}};\n    }\n}\n',
        '        return new Dictionary<string, double>{{"a", 0.25}, {"b", a}};\n    }\n}\n',
    ),
    "javascript": (
        "function f(a){",
        "const assert = require('node:assert');\nassert.equal(f(2).size, 2);\n",
        "f('x}')",
        "  console.log(a);\n  return new Map([[1, a], [2, null]]);\n}\n",
        "  return new Map([[2, null], [1, a]]);\n}\n",
        "  return new Map([[2, undefined], [1, a]]);\n}\n",
    ),
    "typescript": (
        "function f(a: number): number[] {",
        "declare var require: any;\nconst assert = require('node:assert');\nassert.equal(f(2).length, 1);\n",
        "f(3)",
        "  return [a * a];\n}\n",
        "  return [a ** 2];\n}\n",
        "  return [a];\n}\n",
    ),
    "php": (
        "<?php\nfunction f($a) {",
        "if (count(f(2)) !== 1) { throw new Exception(); }\n",
        "f(array(1.0, 2))",
        "  return ['a' => $a[0] ?? 0];\n}\n",
        "  $b = $a[0] ?? 0;\n  return ['a' => $b];\n}\n",
        "  return ['a' => (int) ($a[0] ?? 0)];\n}\n",
    ),
    "bash": (
        "#!/bin/bash\nf() {",
        '[[ $(f "2") = "4" ]] || exit 1\n',
        'f "7 8"',
        "  for a in $1; do echo $((a * a)); done\n}\n",
        '  for a in $1; do printf "%s\\n" $((a ** 2)); done\n}\n',
        "  for a in $1; do echo $((a + 2)); done\n}\n",
    ),
}


@pytest.mark.parametrize(
    "language",
    [pytest.param(name, marks=pytest.mark.slow) if LANGUAGES[name].compiler else name for name in FOREIGN],
)
def test_programs_with_unit_tests_in_other_languages_vote_by_what_calls_give(tmp_path, language):
    """The wrong program comes first; white space, order in maps and sets and what is printed besides don't matter."""
    if (missing := LANGUAGES[language].missing()) and not os.environ.get("VLRL_REQUIRE_SUITES"):
        pytest.skip(f"{', '.join(missing)} is missing")
    prompt, tests, call, first, second, wrong = FOREIGN[language]
    row = {"name": "a", "language": language, "prompt": f"{prompt}\n", "tests": tests, "stop_tokens": []}
    texts = [f"```{language}\n{prompt}\n{body}```" for body in (wrong, first, second)]
    said = [{"name": "a", "language": language, "response": text} for text in texts]
    votes = [{"name": "a", "language": language, "inputs": [call]}]
    paths = written(tmp_path, problems=[row], responses=said, inputs=votes)
    scored = score_command("multipl-e", *paths[:2], majority=paths[2])
    assert (scored.majority.agreeing, scored.majority.undecided) == (pytest.approx(2 / 3), 0)
    assert scored.overall.correct == 1


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "has no inputs"),
        ({"inputs": [[1]]}, "write a list of texts for standard input"),
        ({"generators": ["1 / 0"]}, "none of them runs"),
        ({"id": "b", "inputs": ["1"]}, "1 problems have no inputs: a"),
    ],
)
def test_inputs_that_no_vote_can_use_are_refused(tmp_path, inputs, message):
    problems, responses, votes = squares(tmp_path, [fenced(RIGHT[0])], **inputs)
    with pytest.raises(DataError, match=message):
        score_command("apps", problems, responses, majority=votes)


def test_only_programs_are_voted_on(tmp_path):
    rows = [{"id": "a", "question": "2 + 2?", "answer": "#### 4", "response": "4"}]
    path = written(tmp_path, rows=rows)[0]
    with pytest.raises(ConfigError, match="isn't judged by running programs"):
        score_command("gsm8k", path, path, majority=path)


def test_help_lists_every_benchmark_that_is_scored():
    argument = get_type_hints(score, include_extras=True)["benchmark"].__metadata__[0]
    assert set(argument.help.removesuffix(", or a plugin's.").split(", ")) == {
        name for name in benchmarks if benchmarks.get(name).scored
    }
