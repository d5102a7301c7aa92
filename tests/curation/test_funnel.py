"""The funnel: in = out + reasons + faults at every stage, whatever the stages say; caps; warm-up sets; balance."""

from __future__ import annotations

import pytest
from curation_cases import ask_text, asking
from hypothesis import given
from hypothesis import strategies as st

from vlrl.credit.rewards.declared_budget import Declaration, declaration_of, folds
from vlrl.curation.funnel import run_funnel
from vlrl.curation.selection.balance import Balance, balance_report, evenness
from vlrl.curation.selection.long_cot_warmup import WarmupSettings, sample_demonstrations
from vlrl.curation.selection.markers import count_markers
from vlrl.curation.stage import Context, Decision, Stage
from vlrl.errors import DataError
from vlrl.types import Verdict
from vlrl.verify.judge import verifiers


class Says(Stage):
    """Decides by a list: "" keeps, "!…" is a fault, anything else a reason."""

    label: str = "source_text"
    words: tuple[str, ...] = ()

    def decide(self, problems, context):
        found = []
        for problem in problems:
            word = self.words[int(problem.question) % len(self.words)]
            outcome = "kept" if not word else "fault" if word.startswith("!") else "dropped"
            found.append(Decision(problem, outcome, word))
        return found


@given(
    st.lists(st.integers(0, 30), max_size=40),
    st.lists(st.lists(st.sampled_from(["", "", "a", "b", "!c"]), min_size=1, max_size=5), max_size=4),
)
def test_nothing_is_lost_and_nothing_appears(numbers, chain):
    problems = [ask_text(str(n)) for n in numbers]
    funnel = run_funnel(problems, [Says(label=f"s{i}", words=tuple(w)) for i, w in enumerate(chain)], Context(0))
    entered = len(problems)
    for stage in funnel.stages:
        assert stage.entered == entered
        assert stage.entered == stage.out + sum(stage.dropped.values()) + sum(stage.faults.values())
        entered = stage.out
    assert len(funnel.kept) == entered
    gone = sum(sum(stage.dropped.values()) + sum(stage.faults.values()) for stage in funnel.stages)
    assert len(problems) == len(funnel.kept) + gone
    kept = [p.id for p in funnel.kept]
    assert kept == [name for name in dict.fromkeys(p.id for p in problems) if name in kept]  # in order, none twice


class Loses(Stage):
    """Forgets a problem."""

    label: str = "loses"

    def decide(self, problems, context):
        return [Decision(problem) for problem in problems[1:]]


def test_a_stage_that_loses_a_problem_is_an_error():
    with pytest.raises(RuntimeError, match="3 problems came in, 2 decisions came out"):
        run_funnel([ask_text(str(i)) for i in range(3)], [Loses()], Context(0))


def test_the_same_problem_again_is_counted_at_the_reading():
    funnel = run_funnel([ask_text("1"), ask_text("1"), ask_text("2")], [], Context(0))
    assert funnel.stages[0].dropped == {"the same problem again": 1}
    assert len(funnel.kept) == 2


def test_a_drop_without_a_reason_cannot_be_made():
    with pytest.raises(ValueError, match="reason"):
        Decision(ask_text("1"), "dropped")


# --- balance ---------------------------------------------------------------------------------------------------------


def skewed(many=90, few=10):
    one = [ask_text(f"{i}", domain="clock", tags=("easy",)) for i in range(many)]
    return one + [ask_text(f"{i}", domain="bars") for i in range(1000, 1000 + few)]


def test_a_cap_holds_and_no_more_than_needed_goes():
    decisions = Balance(caps={"domain:clock": 0.75}).decide(skewed(), Context(0))
    kept = [d.problem for d in decisions if d.outcome == "kept"]
    assert sum(p.domain == "clock" for p in kept) == 30  # 30 of 40 are three quarters; 31 of 41 would be more
    assert sum(p.domain == "bars" for p in kept) == 10
    assert {d.reason for d in decisions if d.outcome == "dropped"} == {"over the cap of domain:clock"}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=60), st.integers(0, 3))
def test_several_caps_hold_together(labels, seed):
    problems = [ask_text(str(i), domain=d, tags=("t",) if t else ()) for i, (d, t) in enumerate(labels)]
    caps = {"domain:a": 0.5, "tag:t": 0.4}
    try:
        decisions = Balance(caps=caps).decide(problems, Context(seed))
    except DataError:
        return
    kept = [d.problem for d in decisions if d.outcome == "kept"]
    assert sum(p.domain == "a" for p in kept) <= 0.5 * len(kept)
    assert sum("t" in p.tags for p in kept) <= 0.4 * len(kept)


def test_a_cap_that_leaves_nothing_is_an_error():
    with pytest.raises(DataError, match="none of them could stay"):
        Balance(caps={"domain:clock": 0.5}).decide(skewed(10, 0), Context(0))


def test_which_problems_go_is_drawn_from_the_seed():
    def gone(seed):
        return [d.outcome for d in Balance(caps={"tag:easy": 0.5}).decide(skewed(), Context(seed))]

    assert gone(0) == gone(0) != gone(1)


def test_the_report_flags_a_planted_skew_and_no_even_set():
    assert balance_report(skewed())["skewed"] == ["domain"]
    assert balance_report(skewed(50, 50))["skewed"] == []
    assert balance_report(skewed())["families"]["domain"]["largest_share"] == 0.9
    assert balance_report(skewed())["with_verifier_rate"] == 1.0
    assert evenness([1, 1, 1]) == pytest.approx(1.0)
    assert evenness([9, 1]) == pytest.approx(0.469, abs=1e-3)  # −.9 log₂ .9 − .1 log₂ .1


# --- warm-up ---------------------------------------------------------------------------------------------------------

RESPONSES = [
    "<think>first, plan. wait, check</think><answer>7</answer>",
    "<think>short</think><answer>7</answer>",
    "<answer>8</answer>",
    "<think>short</think>  <answer>7</answer>",
    "<think>short</think><answer>7</answer>",
]


def test_verified_responses_stay_shortest_first_none_twice(tmp_path):
    ask, engine = asking(lambda problem: RESPONSES, tmp_path, model_hash="abc", seed=3)
    made = sample_demonstrations([ask_text("3+4=?")], WarmupSettings(samples=5, keep=2), ask)
    said = [d.response for d in made.demonstrations]
    assert said == [RESPONSES[1], RESPONSES[3]]
    assert made.sampled == 5 == len(said) + sum(made.rejected.values()) + made.faults
    assert made.rejected == {"wrong": 1, "the same response again": 1, "more than `keep`": 1}
    assert all(d.problem.question == "3+4=?" for d in made.demonstrations)  # the plain problem
    assert "Plan the steps" in engine.requests[0].encoded.problem.question
    assert made.provenance[0]["model_hash"] == "abc"
    assert made.provenance[0]["seed"] == 3
    assert len(made.provenance[0]["template"]) == 12


def test_only_finished_and_long_enough_responses_stay(tmp_path):
    ask, _ = asking(lambda problem: RESPONSES[:2], tmp_path)
    settings = WarmupSettings(samples=2, keep=2, sampling={"max_tokens": 45}, min_tokens=40)
    made = sample_demonstrations([ask_text("3+4=?")], settings, ask)
    assert made.demonstrations == ()
    assert made.rejected["shorter than min_tokens"] == 1
    assert made.without == 1


def test_faults_are_counted_apart_from_wrong_responses(tmp_path, temporarily):
    def check(problem, response):
        if "8" in response:
            raise RuntimeError("out of order")
        return Verdict.right()

    temporarily(verifiers, breaks=check)
    ask, _ = asking(lambda problem: RESPONSES[:3], tmp_path, max_fault_rate=1.0)
    made = sample_demonstrations([ask_text("3+4=?", verifier="breaks")], WarmupSettings(samples=3, keep=9), ask)
    assert made.faults == 1
    assert "wrong" not in made.rejected
    assert len(made.demonstrations) == 2


def test_longest_first_and_a_limit_on_problems(tmp_path):
    ask, engine = asking(lambda problem: RESPONSES, tmp_path)
    settings = WarmupSettings(samples=5, order="longest", problems=1)
    made = sample_demonstrations([ask_text("3+4=?"), ask_text("2+5=?")], settings, ask)
    assert [d.response for d in made.demonstrations] == [RESPONSES[0]]
    assert len(engine.requests) == 1


def test_responses_may_declare_what_their_problem_takes_and_a_problem_without_success_is_given_up(tmp_path):
    answers = {"3+4=?": RESPONSES, "8+9=?": ("<answer>1</answer>", "<answer>2</answer>") * 2 + ("3",)}
    ask, _ = asking(lambda problem: answers[next(q for q in answers if q in problem.question)], tmp_path)
    problems = [ask_text("3+4=?"), ask_text("8+9=?")]
    plain = sample_demonstrations(problems, WarmupSettings(samples=5, keep=2), ask)
    made = sample_demonstrations(problems, WarmupSettings(samples=5, keep=2, declare=True), ask)
    *solved, given_up = [d.response for d in made.demonstrations]
    assert [said.split("\n", 1)[1] for said in solved] == [d.response for d in plain.demonstrations]
    found = [declaration_of(said) for said in solved]
    assert {one.solvability for one in found} == {0.8}
    assert found[0].tokens == len(RESPONSES[1]) + 1, "the shortest right one of three in ten, with its end"
    assert declaration_of(given_up) == Declaration(0.0, 0)
    assert folds(given_up)
    assert (made.folded, made.record()["folded"], plain.folded) == (1, 1, 0)
    assert made.sampled == len(solved) + sum(made.rejected.values())


def test_signs_of_the_four_processes_are_counted():
    said = "<think>First, we need to add. 3+4=7. Let me check: yes. Wait, no. Alternatively, count.</think>7"
    found = count_markers(said)
    assert (found["planning"], found["evaluation"], found["reflection"], found["exploration"]) == (2, 1, 1, 1)
    assert found["thinking_chars"] == len(said) - 1
    assert count_markers("7")["planning"] == 0
