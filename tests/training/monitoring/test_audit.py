"""The audit of rewarded responses: what it finds, within how many, with which interval, and what it stops."""

from __future__ import annotations

import pytest

import vlrl.verify  # noqa: F401  (files the verifiers)
from vlrl.errors import ConfigError, RunError
from vlrl.training.monitoring.audit import Audit, AuditSettings
from vlrl.types import Group, Problem, Rollout, ScoredGroup, Segment, Text, Verdict
from vlrl.verify.judge import judge


def group(number, responses, verifier="exact", verdicts=None):
    problem = Problem((Text(f"{number}?"),), "7", verifier, "text", "sums")
    rollouts = tuple(Rollout((Segment((1,), (0.0,), 0),), text, "stop") for text in responses)
    held = tuple(judge(problem, text) for text in responses) if verdicts is None else tuple(verdicts)
    return ScoredGroup.of(Group(problem, rollouts), held)


def leaky(number):
    """A verifier that rewards everything: half of it is wrong."""
    return group(number, ["7", "8"], verdicts=[Verdict.right("7"), Verdict.right("8")])


def test_a_planted_leak_is_found_within_200_rollouts():
    audit = Audit(AuditSettings(rate=0.2, verifier="number", max_disagreement_rate=0.05, on_excess="stop"), seed=0)
    for step in range(25):  # 200 rollouts
        audit.look([leaky(step * 4 + k) for k in range(4)], step)
        if audit.metrics().get("audit/low", 0.0) > 0.05:
            break
    with pytest.raises(RunError, match="a second verifier refuses"):
        audit.excess()
    assert "8 (" in audit.examples[0]


def test_an_honest_verifier_has_no_disagreement():
    audit = Audit(AuditSettings(rate=1.0, verifier="number", max_disagreement_rate=0.01, on_excess="stop"), seed=0)
    for step in range(100):
        metrics = audit.look([group(step, ["7", "8", "<answer>7</answer>", "x"])], step)
        assert audit.excess() is None
    assert metrics["audit/disagreement_rate"] == 0.0
    assert metrics["audit/checked"] == 200.0
    assert metrics["audit/low"] == 0.0
    assert 0.0 < metrics["audit/high"] < 0.02


def test_only_what_was_rewarded_is_judged_again():
    audit = Audit(AuditSettings(rate=1.0, verifier="number"), seed=0)
    verdicts = [Verdict.right("7"), Verdict.wrong("no"), Verdict.broken("no")]
    audit.look([group(0, ["7", "8", "8"], verdicts=verdicts)], 0)
    assert (audit.checked, audit.disagreed) == (1, 0)


def test_a_second_verifier_of_the_same_kind_judges_nothing():
    audit = Audit(AuditSettings(rate=1.0, verifier="number"), seed=0)
    audit.look([group(0, ["7"], verifier="number")], 0)
    assert audit.metrics() == {"audit/checked": 0.0, "audit/faults": 0.0}
    by_kind = Audit(AuditSettings(rate=1.0, verifier={"number": "math"}), seed=0)
    by_kind.look([group(0, ["7"], verifier="number"), group(1, ["7"], verifier="exact")], 0)
    assert by_kind.checked == 1


def test_a_fault_of_the_second_verifier_is_no_disagreement():
    audit = Audit(AuditSettings(rate=1.0, verifier="code"), seed=0)
    metrics = audit.look([leaky(0)], 0)
    assert metrics == {"audit/checked": 0.0, "audit/faults": 2.0}


def test_the_share_is_drawn_by_the_seed_and_counts_survive_a_checkpoint():
    counts = []
    for seed in (1, 1, 2):
        audit = Audit(AuditSettings(rate=0.3, verifier="number"), seed=seed)
        for step in range(20):
            audit.look([leaky(step)], step)
        counts.append((audit.checked, audit.disagreed))
    assert counts[0] == counts[1] != counts[2]
    assert 4 <= counts[0][0] <= 22
    resumed = Audit(AuditSettings(rate=0.3, verifier="number"), seed=2)
    resumed.load_state_dict(audit.state_dict())
    assert resumed.metrics() == audit.metrics()
    assert resumed.described()["disagreement"].endswith(")")


def test_a_warning_is_said_once():
    audit = Audit(AuditSettings(rate=1.0, verifier="number", max_disagreement_rate=0.05), seed=0)
    said = []
    for step in range(20):
        audit.look([leaky(step)], step)
        said.append(audit.excess())
    assert sum(text is not None for text in said) == 1
    assert "of" in next(text for text in said if text)


def test_an_unknown_verifier_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'number'"):
        AuditSettings(verifier="numbr")
