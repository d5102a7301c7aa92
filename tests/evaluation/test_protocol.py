"""The protocol's hash stands for everything a figure depends on."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from vlrl.evaluation.protocol import EvaluationProtocol, footnote, problems_digest
from vlrl.types import Problem, Text

OTHER = {
    "benchmark": "mmmu",
    "split": "val",
    "problems": "abc",
    "prompt": "Q: {question}",
    "system": "Be brief.",
    "chat_template": "abc",
    "temperature": 0.5,
    "top_p": 0.9,
    "max_tokens": 7,
    "stop": ("\n",),
    "samples": 2,
    "aggregation": "maj@n",
    "k": 2,
    "seeds": (1,),
    "grader": "exact",
    "mode": "official",
    "integer_rule": "int-float",
    "grader_version": 99,
    "min_pixels": 1,
    "max_pixels": 1000,
    "cut_offs": "wrong",
    "environment": "abc",
}


@pytest.mark.parametrize("name", sorted(EvaluationProtocol.model_fields))
def test_every_field_changes_the_hash(name):
    plain = EvaluationProtocol(benchmark="mathvista", samples=4, aggregation="pass@k", k=1)
    assert EvaluationProtocol.model_validate({**plain.model_dump(), name: OTHER[name]}).hash != plain.hash


def test_equal_protocols_have_equal_hashes():
    assert EvaluationProtocol(benchmark="a").hash == EvaluationProtocol(benchmark="a").hash


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prompt": "Answer:"}, "question"),
        ({"aggregation": "pass@k", "k": 3}, "at least 3 samples"),
        ({"k": 3}, "pass@k only"),
        ({"seeds": ()}, "at least 1"),
    ],
)
def test_a_protocol_that_contradicts_itself_is_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        EvaluationProtocol(benchmark="a", **settings)


def test_binding_problems_fixes_their_order():
    problems = [Problem((Text(str(i)),), "1", "exact", "text", "d") for i in range(2)]
    plain = EvaluationProtocol(benchmark="a")
    assert plain.for_problems(problems).hash != plain.for_problems(problems[::-1]).hash
    assert plain.for_problems(problems).problems == problems_digest(problems)


def test_a_table_of_two_protocols_says_so():
    assert footnote(["a", "a"]) == ""
    assert "2 different protocols (a, b)" in footnote(["a", "b", "a"])
