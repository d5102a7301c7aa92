"""The load of a request: its prompt once, and of its responses what they hold and may add."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vlrl.model.cost import Load
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.request_load import load_of_request
from vlrl.types import Rollout, Segment


@dataclass(frozen=True)
class Image:
    num_patches: int


@dataclass(frozen=True)
class Prompt:
    num_tokens: int
    images: tuple[Image, ...] = ()


def test_the_load_of_a_request_is_its_prompt_once_and_every_budget():
    image = Image(num_patches=16)
    one = Request(Prompt(100, (image, image)), 3, Sampling(max_tokens=7), 0)
    assert load_of_request(one) == Load(100, (7, 7, 7), (16, 16))
    assert load_of_request(replace(one, max_tokens=(1, 2, 4))) == Load(100, (1, 2, 4), (16, 16))


def test_of_begun_responses_only_those_that_go_on_are_read_again():
    resume_from = tuple(
        Rollout((Segment((1,) * n, (-1.0,) * n, 0),), "", finish_reason)
        for n, finish_reason in ((5, "stop"), (2, "unfinished"))
    )
    one = Request(Prompt(100), 2, Sampling(max_tokens=7), 0, None, resume_from)
    assert load_of_request(one) == Load(100, (7,))
    assert load_of_request(replace(one, new_tokens=3)) == Load(100, (2 + 3,))
    assert load_of_request(replace(one, resume_from=resume_from[:1], num_rollouts=1)) == Load(0, ())
