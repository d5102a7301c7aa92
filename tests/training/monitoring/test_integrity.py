"""Integrity checks of a run card, by hand from a few lines of metrics; and how the card shows them."""

from __future__ import annotations

import json

import pytest

from vlrl.report.run_card import integrity_table
from vlrl.runlog.card_digest import DIGEST, card_digest
from vlrl.runlog.log_lines import SCHEMA
from vlrl.training.monitoring.integrity import integrity_checks

STEP = {
    "step": 1,
    "updates": 2.0,
    "gradient/norm": 1.0,
    "logprob_gap/mean": 0.01,
    "logprob_gap/text": 0.01,
    "logprob_gap/real": 0.03,
    "logprob_gap/max": 0.5,
    "logprob_gap/compared_tokens": 30.0,
    "groups/zero_variance_rate": 0.5,
    "verdicts/fault_rate": 1 - 19 / 20,
    "probe/image_shift": 0.2,
}
SECOND = {**STEP, "step": 2, "logprob_gap/mean": 0.05, "logprob_gap/max": 0.2, "logprob_gap/compared_tokens": 10.0}
IDLE = {"step": 3, "updates": 0.0, "verdicts/fault_rate": 0.0, "groups/zero_variance_rate": 1.0}
BOUNDS = {"agreement": {"max_gap": 0.03, "probe_every": 1, "min_shift": 0.1}, "max_fault_rate": 0.05}
AUDITED = {
    "audit/checked": 50.0, "audit/disagreement_rate": 0.2, "audit/low": 0.11, "audit/high": 0.33, "audit/faults": 0.0
}  # fmt: skip


def checks(folder, lines, rl):
    file = folder / "metrics.jsonl"
    file.write_text("".join(json.dumps({"schema": SCHEMA, "phase": "rl", **line}) + "\n" for line in lines))
    return integrity_checks(file, rl)


def test_each_check_has_its_figures_its_bound_and_whether_it_holds(tmp_path):
    audit = {"verifier": {"number": "math", "choice": "text"}, "max_disagreement_rate": 0.1}
    found = checks(tmp_path, [STEP, SECOND, {**IDLE, **AUDITED}], {**BOUNDS, "audit": audit})
    assert found["steps without effect"]["found"] == {"steps": 3, "updates": 4, "without effect": 1}
    assert found["log-probability gap"]["found"] == {
        "tokens": 40,
        "mean": pytest.approx(0.02),
        "largest mean of a step and modality": 0.03,
        "largest of a token": 0.5,
    }
    assert found["groups of zero variance"]["found"]["mean share"] == pytest.approx(2 / 3)
    assert found["verdicts that are faults"]["found"]["mean share"] == pytest.approx(0.1 / 3)
    assert found["false positives"]["found"]["disagreement_rate"] == 0.2
    assert found["false positives"]["measured_by"] == "a second verifier, math, text"
    assert {name: check["passed"] for name, check in found.items()} == {
        "effective batch": None,
        "loss normalisers": None,
        "steps without effect": False,
        "log-probability gap": True,
        "images are seen": True,
        "groups of zero variance": None,
        "verdicts that are faults": True,
        "false positives": False,
    }


def test_a_bound_that_is_crossed_fails_its_check_and_none_is_passed_without_a_bound(tmp_path):
    tight = {"agreement": {"max_gap": 0.02, "probe_every": 1, "min_shift": 0.3}, "max_fault_rate": 0.01}
    found = checks(tmp_path, [STEP], tight)
    failed = {name for name, check in found.items() if check["passed"] is False}
    assert failed == {"log-probability gap", "images are seen", "verdicts that are faults"}
    free = checks(tmp_path, [STEP], {})
    assert [name for name, check in free.items() if check["passed"] is not None] == ["steps without effect"]


def test_a_check_that_no_one_made_says_why_and_has_no_figure(tmp_path):
    of_sft = checks(tmp_path, [{"phase": "sft", "step": 1}], BOUNDS)
    assert all((check["passed"], check["found"]) == (None, {}) for check in of_sft.values())
    assert all(check["measured_by"].startswith("no one") for check in of_sft.values())
    of_rl = checks(tmp_path, [{"step": 1, "updates": 1.0, "gradient/norm": 1.0}], {"agreement": {"probe_every": 5}})
    assert of_rl["false positives"]["measured_by"] == "no one: rl.audit names no second verifier"
    assert "no update compared" in of_rl["log-probability gap"]["measured_by"]
    assert "no step had problems with images" in of_rl["images are seen"]["measured_by"]


def test_the_card_has_a_row_a_check(tmp_path):
    found = checks(tmp_path, [STEP, IDLE], BOUNDS)
    table = "\n".join(integrity_table(found))
    assert "| steps without effect | did every step change a weight? | steps 2, updates 2, without effect 1 |" in table
    assert "| **no** | the trainer, in every step |" in table
    assert table.count("| not measured | no one") == 3  # two by tests of the code, and the audit
    assert len(table.splitlines()) == 2 + len(found)


def test_the_digest_is_of_all_fields_in_any_order_and_not_of_itself():
    card = {"seed": 1, "settings": {"lr": 1e-3, "names": ("a", "b")}}
    again = json.loads(json.dumps({"settings": {"names": ["a", "b"], "lr": 0.001}, "seed": 1, DIGEST: "of before"}))
    assert card_digest(card) == card_digest(again)
    assert card_digest(card) != card_digest({**card, "seed": 2})
