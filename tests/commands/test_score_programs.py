"""`vlrl score` runs programs of responses for the benchmarks that are judged by tests."""

from __future__ import annotations

import json

import pytest
from sandbox_fixture import SMALL, require_sandbox

from vlrl.code_execution import executor
from vlrl.code_execution.sandbox_settings import SandboxSettings
from vlrl.commands.scoring.score import score_command

pytestmark = pytest.mark.sandbox


@pytest.fixture(autouse=True)
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
