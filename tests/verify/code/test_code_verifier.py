"""The verifier `code`: styles, languages, verdicts, faults, and that it repeats."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest
from sandbox_fixture import SMALL, require_sandbox, small_pool

import vlrl.verify  # noqa: F401  (files the verifiers)
from vlrl.code_execution import executor
from vlrl.code_execution.outcome import Execution
from vlrl.code_execution.sandbox_settings import SandboxSettings
from vlrl.errors import DataError
from vlrl.types import Problem, Text
from vlrl.verify.code.code_tests import gold_of, judging_of, read_tests
from vlrl.verify.code.run_tests import run_tests
from vlrl.verify.code.verdict_attacks import ATTACKS
from vlrl.verify.judge import judge, judge_all

pytestmark = pytest.mark.sandbox

SUMS = {"cases": [{"input": "1 2\n", "output": "3\n"}, {"input": "5 5", "output": "10"}]}
CALLS = {
    "function": "add",
    "cases": [{"arguments": [1, 2], "result": 3}, {"arguments": [[1], [2]], "result": [1, 2]}],
}
CHECK = {
    "tests": "def check(candidate):\n    assert candidate(1) == 2\n    assert math.isclose(candidate(0.5), helper(0.5))\n",
    "prelude": "import math\ndef helper(x):\n    return x + 1\n",
    "entry": "next_one",
    "check": True,
}
STACK = {
    "tests": (
        "import unittest\nclass T(unittest.TestCase):\n    def test_push(self):\n        s = Stack(); s.push(3); s.push('x')\n"
        "        self.assertEqual(len(s), 2)\n        self.assertEqual(list(s), [3, 'x'])\n        self.assertEqual(s.pop(), 'x')\n"
        "        s.pop()\n        with self.assertRaises(IndexError): s.pop()\n"
    )
}
RIGHT_STACK = (
    "class Stack:\n    def __init__(self): self.x = []\n    def push(self, v): self.x.append(v)\n    def pop(self): return self.x.pop()\n"
    "    def __len__(self): return len(self.x)\n    def __iter__(self): return iter(self.x)\n"
)
IN_PLACE = {"tests": "x = [3, 1]\nassert order(x) is None\nassert x == [1, 3]\nassert twice(lambda v: v + 1, 3) == 5\n"}


@pytest.fixture(scope="module", autouse=True)
def boxes():
    require_sandbox()
    executor.configure(SandboxSettings(boxes=2, limits=SMALL))
    yield
    executor.close()
    executor.configure(SandboxSettings())


def problem(gold, **metadata):
    return Problem((Text("?"),), json.dumps(gold), "code", "text", "programs", metadata=metadata)


def verdict(gold, source, **metadata):
    return judge(problem(gold, **metadata), f"So:\n```{metadata.get('language', 'python')}\n{source}\n```\n")


@pytest.mark.parametrize(
    ("gold", "source"),
    [
        (SUMS, "print(sum(map(int, input().split())))"),
        (CALLS, "def add(a, b):\n    print('noise')\n    return a + b"),
        (CALLS, "class Solution:\n    def add(self, a: int, b: int) -> int: return a + b"),
        (CHECK, "def next_one(x): return x + 1"),
        (CHECK, "import math\ndef helper(x): return 0\ndef next_one(x): return x + 1"),
        (STACK, RIGHT_STACK),
        (IN_PLACE, "def order(x): x.sort()\ndef twice(f, v): return f(f(v))"),
        ({"tests": ["assert f(2) == Counter('aab')", "from fractions import Fraction", "assert g() == Fraction(1, 2)"], "prelude": "from collections import Counter"},
         "from fractions import Fraction\nfrom collections import Counter\ndef f(n): return Counter('aba')\ndef g(): return Fraction(2, 4)"),
    ],
)  # fmt: skip
def test_a_right_program_is_right(gold, source):
    found = verdict(gold, source)
    assert (found.score, found.correct, found.fault) == (1.0, True, None), found


@pytest.mark.parametrize(
    ("gold", "source", "note"),
    [
        (SUMS, "print(3)", "wrong answer in case 2 of 2: printed '3'"),
        (SUMS, "a, b = input().split()\nprint(int(a) + int(b), end='\\n\\n \\n')\nprint()", ""),
        (SUMS, "a, b = input().split()\nprint(' ', int(a) + int(b))", "presentation in case 1 of 2"),
        (SUMS, "while True: pass", "time limit in case 1 of 2: more than 2 s of processor time"),
        (SUMS, "x = bytearray(10 ** 10)", "memory limit in case 1 of 2: MemoryError"),
        (SUMS, "1 / 0", "runtime error in case 1 of 2: ZeroDivisionError"),
        (SUMS, "print(", "compile error in case 1 of 2: SyntaxError"),
        (CALLS, "def add(a, b): return 3", "wrong answer in case 2 of 2: returned 3"),
        (CALLS, "def sub(a, b): return 3", "the program has no function 'add'"),
        (CALLS, "def add(a, b:", "compile error in case 1 of 2: SyntaxError"),
        (CHECK, "def next_one(x): return 2", "wrong answer: assert math.isclose"),
        (CHECK, "def other(x): return 2", "the program has no 'next_one'"),
        (CHECK, "def next_one(x:", "compile error: SyntaxError"),
        (CHECK, "def next_one(x): raise KeyError(x)", "KeyError"),
        (STACK, RIGHT_STACK.replace("pop()", "pop(0)"), "wrong answer: test_push"),
        (IN_PLACE, "def order(x): return sorted(x)\ndef twice(f, v): return f(f(v))", "assert order(x) is None"),
    ],
)  # fmt: skip
def test_a_wrong_program_is_wrong_and_says_where(gold, source, note):
    found = verdict(gold, source)
    assert found.fault is None
    assert note in found.note
    assert found.correct is (note == "")


def test_a_share_counts_all_cases():
    gold = {"cases": [{"input": str(n), "output": str(n if n < 3 else 0)} for n in range(5)]}
    found = verdict(gold, "print(input())", grading="share")
    assert (found.score, found.correct) == (0.6, False)
    assert found.parts == {"cases_passed": 0.6}
    assert "case 4 of 5" in found.note
    assert verdict(gold, "print(input())").score == 0.0


def test_the_first_failure_ends_it(monkeypatch):
    runs = []
    held = executor.executor()
    original = type(held).run
    monkeypatch.setattr(type(held), "run", lambda *a: runs.append(1) or original(*a))
    gold = {"cases": [{"input": "", "output": str(n)} for n in range(5)]}
    verdict(gold, "print(0)")
    assert len(runs) == 2
    verdict(gold, "print(0)", grading="share")
    assert len(runs) == 7


def test_several_outputs_of_which_one_is_right():
    gold = {"cases": [{"input": "", "output": ["1", "2"]}]}
    assert [verdict(gold, f"print({n})").correct for n in (1, 2, 3)] == [True, True, False]


def test_numbers_may_be_near_where_the_row_says_so():
    gold = {"cases": [{"input": "", "output": "0.3333333"}]}
    assert not verdict(gold, "print(1 / 3)").correct
    assert verdict(gold, "print(1 / 3)", float_tolerance=1e-6).correct


def test_a_rows_own_limits_are_taken():
    gold = {"cases": [{"input": "", "output": "x"}]}
    slow = "import time\nwhile time.process_time() < 0.7: pass\nprint('x')"
    assert verdict(gold, slow).correct
    assert "more than 0.3 s" in verdict(gold, slow, time_limit=0.3).note
    large = "x = bytearray(100 << 20)\nprint('x')"
    assert verdict(gold, large).correct
    assert "memory limit" in verdict(gold, large, memory_limit=50).note


TESTS_BEHIND = {
    "javascript": (
        {"tests": "const assert = require('assert');\nfunction test() { assert.deepEqual(f(1), 2); }\ntest();\n"},
        "function f(a) {{ return a + {0}; }}",
    ),
    "cpp": (
        {"tests": "}\nint main() {\n    auto candidate = f;\n    assert(candidate(1) == 2);\n}\n", "prelude": "#include<assert.h>\n"},
        "int f(int a) {{\n    return a + {0};\n}}",
    ),
    "java": (
        {"tests": "    }\n    public static void main(String[] args) {\n    assert(f(1) == 2);\n    }\n\n}\n", "prelude": "import java.util.*;\n"},
        "class Problem {{\n    public static long f(long a) {{\n        return a + {0};\n    }}\n}}",
    ),
    "bash": (
        {"tests": "}\n\ncandidate() {\n    f \"$@\"\n}\n\nset -e\nrun_test() {\n    [[ $(candidate \"1\") = \"2\" ]]\n}\n\nrun_test\n"},
        "f() {{\n    echo $(($1 + {0}))\n}}",
    ),
    "php": (
        {"tests": "}\n\nfunction candidate(...$args) {\n    return f(...$args);\n}\n\nfunction test(): void {\n"
                  "    if (candidate(1) !== 2) { throw new Exception(\"Test failed!\"); }\n}\n\ntest();\n", "prelude": "<?php\n"},
        "<?php\nfunction f($a) {{\n    return $a + {0};\n}}",
    ),
    "typescript": (
        {"tests": "declare var require: any;\nconst assert = require('node:assert');\nfunction test() { assert.deepEqual(f(1), 2); }\ntest();\n"},
        "function f(a: number): number {{ return a + {0}; }}",
    ),
    "csharp": (
        {"tests": "    }\n    public static void Main(string[] args) {\n    if (F(1L) != 2L) throw new Exception();\n    }\n\n}\n", "prelude": "using System;\n"},
        "class Problem {{\n    public static long F(long a) {{\n        return a + {0};\n    }}\n}}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", TESTS_BEHIND)
def test_tests_behind_the_program_as_multipl_e_writes_them(language):
    missing = executor.executor().missing()
    if language in missing:
        pytest.skip(f"{language} is missing: {missing[language]}")
    gold, source = TESTS_BEHIND[language]
    right, wrong = (verdict(gold, source.format(step), language=language) for step in (1, 2))
    assert right.correct, right
    assert (wrong.correct, wrong.fault) == (False, None), wrong


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_program_that_wants_to_be_judged_right_is_judged_wrong(attack):
    held = executor.executor()
    if attack.judging.language in held.missing():
        pytest.skip(held.missing()[attack.judging.language])
    report = run_tests(held, attack.source, attack.tests, attack.judging)
    assert report.result not in ("accepted", "sandbox_fault"), report


def test_a_sandbox_that_fails_is_a_fault_and_never_a_zero(monkeypatch):
    held = executor.executor()
    monkeypatch.setattr(type(held), "run", lambda *_: Execution.fault("the box is gone"))
    found = verdict(SUMS, "print(3)")
    assert found.fault == "code: the sandbox: the box is gone" or found.fault == "the sandbox: the box is gone"


def test_a_host_without_isolation_is_a_fault_that_says_what_to_install(monkeypatch):
    executor.close()
    monkeypatch.setattr("vlrl.code_execution.bubblewrap.refusal", lambda: ("bubblewrap is missing", "install it"))
    found = verdict(SUMS, "print(3)")
    assert "bubblewrap is missing" in found.fault


@pytest.mark.parametrize(
    "gold",
    ["3", "[]", "{}", '{"cases": []}', '{"cases": [{"input": 3, "output": "x"}]}', '{"cases": [{"input": ""}]}',
     '{"function": "a b", "cases": [{"arguments": [], "result": 1}]}', '{"function": "f", "cases": [{"result": 1}]}',
     '{"tests": ""}', '{"tests": 3}', "print(1)"],
)  # fmt: skip
def test_a_gold_that_holds_no_tests_is_refused(gold):
    with pytest.raises(DataError, match="write"):
        read_tests(gold)


@pytest.mark.parametrize("gold", [SUMS, CALLS, CHECK, STACK, {"cases": [{"input": "", "output": ["1", "2"]}]}])
def test_tests_and_gold_are_the_same_thing(gold):
    tests = read_tests(json.dumps(gold))
    assert read_tests(gold_of(tests)) == tests
    assert json.loads(gold_of(tests)) == gold


@pytest.mark.parametrize(
    "metadata",
    [
        {"grading": "some"},
        {"whitespace": "x"},
        {"time_limit": 0},
        {"memory_limit": "1"},
        {"float_tolerance": True},
        {"files": 3},
    ],
)
def test_metadata_of_no_meaning_is_refused(metadata):
    with pytest.raises(DataError):
        judging_of(metadata)


COMPILED = {
    "cpp": "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }",
    "java": "import java.util.*; class A { public static void main(String[] x) { Scanner s = new Scanner(System.in);"
    " System.out.println(s.nextInt() + s.nextInt()); } }",
    "typescript": "declare function require(n: string): any;\nconst [a, b]: number[] = require('fs').readFileSync(0, 'utf8').split(' ').map(Number);\nconsole.log(a + b);",
    "csharp": "using System; class A { static void Main() { var x = Console.ReadLine().Split(' '); Console.WriteLine(int.Parse(x[0]) + int.Parse(x[1])); } }",
}


def mixed_programs(count):
    """Programs of all languages that are here, right, wrong, slow, broken and failing, with their tests."""
    stream = random.Random(3)
    missing = executor.executor().missing()
    kinds = [
        ("python", "print(int(input()) * {k})"),
        ("python", "print(int(input()) * {k})\n1 / 0"),
        ("python", "import time\nn = input()\ntime.sleep(0.02)\nprint(n)"),
        ("python", "import random\nprint(random.random())"),
        ("python", "x = [0] * {k}\nprint(int(input()) * len(x))"),
        ("python", "def f(:"),
        ("python", "import os\nos._exit({k})"),
        ("bash", "read a; echo $((a * {k}))"),
        ("bash", "exit {k}"),
        ("javascript", "console.log(Number(require('fs').readFileSync(0, 'utf8')) * {k});"),
        ("php", "<?php echo intval(fgets(STDIN)) * {k}, PHP_EOL;"),
    ]
    kinds = [kind for kind in kinds if kind[0] not in missing]
    for _ in range(count):
        language, source = stream.choice(kinds)
        k = stream.randint(1, 5)
        n = stream.randint(1, 9)
        gold = {"cases": [{"input": f"{n}\n", "output": f"{n * stream.choice([k, k, 1])}\n"}]}
        yield problem(gold, language=language), f"```{language}\n{source.format(k=k)}\n```"


@pytest.mark.slow
def test_verdicts_repeat_under_load():
    asked = [(one, [response]) for one, response in mixed_programs(120)]
    missing = executor.executor().missing()
    asked += [
        (problem(SUMS, language=language), [f"```{language}\n{source.replace('+', sign)}\n```"])
        for language, source in COMPILED.items()
        for sign in ("+", "-", "+ ;")
        if language not in missing
    ]
    first = judge_all(asked)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        second = judge_all(asked)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert [v.fault for (v,) in first] == [None] * len(asked)
    assert [(v.correct, v.answer) for (v,) in first] == [(v.correct, v.answer) for (v,) in second]
    assert {v.answer for (v,) in first} >= {"accepted", "wrong answer", "runtime error", "compile error"}


def test_a_pool_of_its_own_judges_as_the_runs():
    pool = small_pool()
    try:
        report = run_tests(pool, "print(3)", read_tests(json.dumps(SUMS)), judging_of({}))
        assert (report.result, report.failed, report.passed) == ("wrong_answer", 2, 1)
    finally:
        pool.close()
