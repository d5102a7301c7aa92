"""Values of tokens as the loss sees them, over examples of which some carry them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from vlrl.model.batch.example import Example
from vlrl.model.training.example_tensors import loss_inputs_of, of_all

NO_PROMPT: Any = None


def test_a_group_without_weights_counts_every_token_beside_one_whose_episodes_have_observations():
    called = Example(NO_PROMPT, ((1, 2, 3), (4,)), (1.0, 0.0), token_weights=((1.0, 0.0, 1.0), (1.0,)))
    answered = Example(NO_PROMPT, ((5, 6),), (0.5,))
    logprobs, response = torch.zeros(6), torch.tensor([0, 0, 0, 1, 2, 2])
    inputs = loss_inputs_of([called, answered], response, logprobs, [called, answered])
    assert inputs.weights.tolist() == [1.0, 0.0, 1.0, 1.0, 1.0, 1.0]
    assert inputs.update_tokens == 5
    assert loss_inputs_of([answered], response[4:] - 2, logprobs[:2], [answered]).weights.tolist() == [1.0, 1.0]
    mixed = [Example(NO_PROMPT, ((1,),), (1.0,), old_logprobs=((0.0,),)), Example(NO_PROMPT, ((1,),), (1.0,))]
    with pytest.raises(ValueError, match="old_logprobs"):
        of_all(mixed, "old_logprobs", logprobs)
