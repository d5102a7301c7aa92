"""Groups on their way: a scored group without credit, and parts of it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from vlrl.types import Group, Problem, Rollout, ScoredGroup, Segment, Text, Verdict

PROBLEM = Problem((Text("3+4=?"),), "7", "number", "text", "tests")
VERDICTS = (Verdict.right("7"), Verdict.broken("the verifier crashed"), Verdict(0.25, False))


def group(lengths=(3, 2, 1)):
    rollouts = [Rollout((Segment((5,) * n, (-1.0,) * n, 0),), "x", "stop") for n in lengths]
    return Group(PROBLEM, tuple(rollouts), encoded="the prompt")


def full():
    """Every field that has one value a response has another value for each."""
    return replace(
        ScoredGroup.of(group(), VERDICTS, {"logprobs": ((1.0, 1.0, 1.0), (2.0, 2.0), (3.0,))}, contrast_rate=0.5),
        rewards=(1.5, 0.0, 0.5),
        advantages=(0.5, 0.0, -0.5),
        reward_parts={"score": (1.0, 0.0, 0.25), "length": (0.5, 0.0, 0.25)},
        token_advantages=((0.1, 0.1, 0.1), (0.2, 0.2), (0.3,)),
        token_weights=((1.0, 1.0, 1.0), (0.0, 0.0), (0.5,)),
    )


def test_without_credit_the_rewards_are_the_scores_and_nothing_is_learned():
    scored = ScoredGroup.of(group(), VERDICTS)
    assert (scored.problem, scored.rollouts, scored.encoded) == (PROBLEM, group().rollouts, "the prompt")
    assert scored.rewards == scored.reward_parts["score"] == (1.0, 0.0, 0.25)
    assert scored.reward_weights == {"score": 1.0}
    assert scored.advantages == (0.0, 0.0, 0.0)
    assert not scored.informative


def test_a_part_of_a_group_has_the_same_responses_in_all_that_it_holds():
    taken = full().take([2, 0])
    assert taken.lengths == (1, 3)
    assert taken.verdicts == (VERDICTS[2], VERDICTS[0])
    assert (taken.rewards, taken.advantages) == ((0.5, 1.5), (-0.5, 0.5))
    assert taken.reward_parts == {"score": (0.25, 1.0), "length": (0.25, 0.5)}
    assert taken.token_advantages == ((0.3,), (0.1, 0.1, 0.1))
    assert taken.token_weights == ((0.5,), (1.0, 1.0, 1.0))
    assert taken.statistics == {"logprobs": ((3.0,), (1.0, 1.0, 1.0))}
    assert (taken.problem, taken.encoded, taken.contrast_rate) == (PROBLEM, "the prompt", 0.5)


def test_a_response_that_could_not_be_judged_is_not_usable_and_in_no_pass_rate():
    assert full().judged == (True, False, True)
    assert full().usable() == full().take([0, 2])
    assert full().pass_rate == 0.5
    assert full().mixed
    assert ScoredGroup.of(group((1,)), [Verdict.broken("no")]).pass_rate == 0.0


@pytest.mark.parametrize(
    ("more", "informative"),
    [
        ({"advantages": (0.5, 0.0, 0.0)}, True),
        ({"token_advantages": ((0.0, 0.1, 0.0), (0.0, 0.0), (0.0,))}, True),
        ({"token_advantages": ((0.0, 0.0, 0.0), (0.0, 0.0), (0.0,))}, False),
        ({"statistics": {"teacher_token": ((1.0, 2.0, 3.0), (4.0, 5.0), (6.0,))}}, True),
    ],
)
def test_there_is_something_to_learn_from_an_advantage_of_a_response_or_a_token_or_from_a_teacher(more, informative):
    assert replace(ScoredGroup.of(group(), VERDICTS), **more).informative is informative


def test_a_teachers_tokens_are_ids():
    scored = replace(full(), statistics={"teacher_token": ((1.0, 2.0, 3.0), (4.0, 5.0), (6.0,))})
    assert scored.teacher_token_ids == ((1, 2, 3), (4, 5), (6,))


def test_nothing_of_a_group_is_changed():
    with pytest.raises(FrozenInstanceError):
        full().rewards = (0.0, 0.0, 0.0)
