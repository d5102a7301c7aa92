"""Examples: parts of them, and what can be read but not learned from."""

from __future__ import annotations

from dataclasses import fields, replace
from types import SimpleNamespace

import pytest
import torch

from vlrl.model.batch.example import Example, Observations
from vlrl.model.training.example_tensors import loss_inputs_of

RESPONSES = ((5, 6, 7), (8,), (9, 10))
READ = Example(SimpleNamespace(num_tokens=4), RESPONSES)


def full():
    """Every field is given; those of responses differ from response to response."""
    numbers = tuple(tuple(float(token) for token in response) for response in RESPONSES)
    given = dict.fromkeys(("old_logprobs", "sampler_logprobs", "token_weights", "token_advantages"), numbers)
    return replace(
        READ,
        advantages=(1.0, 0.0, -1.0),
        ref_logprobs=numbers,
        pull_scales=(1.0, 2.0, 0.5),
        routing=tuple(SimpleNamespace(response=response) for response in RESPONSES),
        teacher_token_ids=RESPONSES,
        observations=(*(Observations((True,) * len(r), (0,) * len(r), ()) for r in RESPONSES[:2]), None),
        origins=((("text", 3),), (("stale", 1),), (("text", 2),)),
        **given,
    )


def test_its_length_is_that_of_the_prompt_and_of_all_responses():
    assert (READ.num_response_tokens, READ.num_tokens) == (6, 10)


def test_a_part_has_the_same_responses_in_every_field():
    taken = full().take([2, 0])
    assert taken.responses == ((9, 10), (5, 6, 7))
    assert taken.advantages == (-1.0, 1.0)
    assert taken.origins == ((("text", 2),), (("text", 3),))
    for field in fields(Example):
        if field.name not in ("encoded", "responses", "advantages", "origins"):
            assert getattr(taken, field.name) == tuple(getattr(full(), field.name)[j] for j in (2, 0)), field.name


def test_all_responses_in_order_are_the_example_itself():
    one = full()
    assert one.take([0, 1, 2]) is one
    assert one.take([2, 1, 0]).responses == RESPONSES[::-1]


def test_what_is_only_read_stays_so_in_part():
    assert READ.take([1]) == Example(READ.encoded, ((8,),))


def test_an_update_from_an_example_without_advantages_is_refused():
    response, logprobs = torch.tensor([0, 0, 0, 1, 2, 2]), torch.zeros(6)
    given = replace(READ, advantages=(1.0, 0.0, -1.0))
    assert loss_inputs_of([given], response, logprobs, [given]).advantages.tolist() == [1.0, 0.0, -1.0]
    with pytest.raises(ValueError, match="without advantages"):
        loss_inputs_of([given, READ], response, logprobs, [given, READ])
