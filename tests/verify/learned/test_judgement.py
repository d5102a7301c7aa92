"""A judge's JSON verdict is read strictly: a reply that says anything else has none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.types import Problem, Text
from vlrl.verify.gold_check import gold_problem
from vlrl.verify.judge import judge
from vlrl.verify.learned.judgement import judgement_text, read_judgement

SOUND = [
    ('{"correct": true}', True),
    ('{"correct":false}', False),
    ('  {"correct": true}  \n\n', True),
    ('{ "correct" : false }', False),
    ('<think>1,234 = 1234; same</think>{"correct": true}', True),
    ('<think>{"correct": false} would be wrong</think>\n{"correct": true}', True),
    ('Both are 5.\nSo they agree.\n{"correct": true}', True),
    ('thought without an opening tag {"correct": false}</think>{"correct": true}', True),
    ('It is correct.\n{"correct": true}', True),
]
HOSTILE = [
    '```json\n{"correct": true}\n```\nor not',
    '```python\n{"correct": true}\n```',
    '```json\n{"correct": false}\n{"correct": true}\n```',
    '{"correct": true}\n```',
    '```json\n{"correct": true}\n```\n```json\n{"correct": false}\n```',
    "",
    " \n ",
    "true",
    "correct",
    '"correct": true',
    '{"correct": True}',
    '{"correct": "true"}',
    '{"correct": 1}',
    '{"correct": 0}',
    '{"correct": null}',
    '{"correct": [true]}',
    '{"correct": {"correct": true}}',
    '{"correct": true',
    '"correct": true}',
    "{correct: true}",
    "{'correct': true}",
    '{"Correct": true}',
    '{"CORRECT": true}',
    '{"correct ": true}',
    '{"verdict": true}',
    '{"correct": true, "correct": false}',
    '{"correct": false, "correct": true}',
    '{"correct": true, "sure": 0.9}',
    "{}",
    '[{"correct": true}]',
    '["correct", true]',
    '[["correct", true]]',
    '{"correct": true}.',
    '{"correct": true} // done',
    '{"correct": true} {"correct": true}',
    '{"correct": true}{"correct": false}',
    'The verdict is {"correct": true}',
    '{"correct": true}\nThank you.',
    '{"correct": false}\n{"correct": true}',
    '{"correct": true}\n\n{"correct": true}',
    '```json\n{"correct": true}\n```',
    '`{"correct": true}`',
    '{"correct":\ntrue}',
    '<think>{"correct": true}</think>',
    '<think>never closed {"correct": true}',
    '“correct”: false\n{"correct": true}',
    'correct = false\n{"correct": true}',
    '{"correct": NaN}',
    '{"correct": true}\x00',
    '{"correct": tru\u0435}',
    "{" * 5000 + '"correct": true' + "}" * 5000,
]


@pytest.mark.parametrize(("reply", "verdict"), SOUND)
def test_a_verdict_on_the_last_line_is_read(reply, verdict):
    assert read_judgement(reply) is verdict


def test_there_are_forty_hostile_replies():
    assert len(HOSTILE) >= 40


@pytest.mark.parametrize("reply", HOSTILE, ids=range(len(HOSTILE)))
def test_a_reply_that_says_anything_else_has_no_verdict(reply):
    assert read_judgement(reply) is None


@given(st.text(max_size=40), st.booleans(), st.text(max_size=10))
def test_whatever_stands_around_it_no_text_turns_a_verdict_over(before, verdict, behind):
    said = read_judgement(before + judgement_text(verdict) + behind)
    assert said in (verdict, None)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=4))
def test_only_true_and_false_are_verdicts(value):
    said = read_judgement(json.dumps({"correct": value}))
    assert said is (value if isinstance(value, bool) else None)


def labelled(answer: str) -> Problem:
    return Problem((Text("Question: …"),), answer, "judgement", "text", "numbers")


def test_a_policy_is_right_where_it_says_the_label_and_a_reply_without_a_verdict_is_wrong():
    problem = labelled('{"correct": false}')
    assert judge(problem, '<think>differ</think>{"correct": false}').correct
    wrong, silent = judge(problem, '{"correct": true}'), judge(problem, "I can't say")
    assert (wrong.score, wrong.fault) == (0.0, None)
    assert (silent.score, silent.fault, silent.note) == (0.0, None, "no judgement")


def test_a_gold_that_is_no_judgement_is_found_when_the_data_is_loaded():
    assert gold_problem(labelled('{"correct": true}')) is None
    assert "no judgement" in str(gold_problem(labelled("yes")))
    assert judge(labelled("yes"), '{"correct": true}').fault is not None
