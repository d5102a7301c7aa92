"""Our verdicts beside a harness's: what is a verdict, which verifier, which rows differ."""

from __future__ import annotations

import pytest

import vlrl.verify  # noqa: F401
from vlrl.evaluation.harness.run_tasks import HarnessResult
from vlrl.evaluation.harness.verdicts_beside import harness_table, verdicts_beside, verifier_of


def result(*samples: dict) -> HarnessResult:
    return HarnessResult("lm", "sums", {"exact_match": 0.5}, {}, len(samples), samples, "abc")


def row(target, response, **metrics) -> dict:
    return {"doc_id": 0, "target": target, "resps": [[response]], "arguments": [("3+4=?", {})], **metrics}


@pytest.mark.parametrize(
    ("gold", "name"), [("B", "choice"), ("(C)", "choice"), ("1,234.5", "number"), ("-7", "number"), ("red", "text")]
)
def test_the_verifier_follows_from_the_gold(gold, name):
    assert verifier_of(gold) == name


def test_rows_differ_where_both_have_a_verdict_and_not_the_same():
    rows = verdicts_beside(
        result(
            row("7", "The answer is 7.", exact_match=0.0),
            row("7", "7", exact_match=1.0),
            row("so #### 7", "<answer>8</answer>", exact_match=1.0),
            row("7", "7", exact_match=0.4),
        )
    )
    assert [(one.theirs, one.ours, one.differs) for one in rows] == [
        (False, True, True),
        (True, True, False),
        (True, False, True),
        (None, True, False),
    ]
    assert rows[2].gold == "7"
    assert "2 of 3; by our verifiers 2; 2 rows differ" in harness_table([result()], {"lm sums": rows})


def test_rows_of_log_likelihoods_are_nothing_to_read():
    assert verdicts_beside(result({"doc_id": 0, "target": "1", "resps": [[(-1.0, False)]], "acc": 1.0})) == []


def test_a_verifier_by_name_is_taken_and_a_fault_is_no_verdict():
    (only,) = verdicts_beside(result(row("not a number", "7", exact_match=1.0)), verifier="number")
    assert (only.ours, only.differs) == (None, False)
