"""What policies share: an update's course, a rank's share of it, weights brought up to date before they are read."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from small_models import ask, encode, fresh, pixels

from vlrl.losses.kimi import KimiLoss
from vlrl.model.batch.example import Example
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy

RESPONSES = ((20, 31, 44), (25, 26))


class Noted(TorchPolicy):
    """Notes its course."""

    def __init__(self, loaded, budget):
        super().__init__(loaded, PolicySettings(micro_batch_tokens=budget))
        self.course = []

    @contextmanager
    def _updating(self, examples, rate):
        self.course.append(f"begin with {len(examples)}")
        with super()._updating(examples, rate):
            yield
        self.course.append("end")

    def _backward(self, micro_batch, last):
        self.course.append("last one backward" if last else "backward")
        super()._backward(micro_batch, last)

    def _step(self, rate):
        self.course.append(f"step {rate}")
        return super()._step(rate)

    def _bring_up_to_date(self):
        self.course.append("up to date")


@pytest.fixture
def policy(model_folders):
    return Noted(fresh(model_folders["tiny-qwen3-vl"]), budget=1)  # every response is a micro-batch


def examples(loaded):
    encoded = encode(loaded, ask("3+4=?"), ask(pixels(1), "How many?"))
    return [
        Example(one, RESPONSES, advantages, tuple((-4.0,) * len(r) for r in RESPONSES))
        for one, advantages in zip(encoded, ((0.5, -0.75), (0.25, 1.0)), strict=True)
    ]


def test_an_update_goes_backward_by_micro_batch_and_then_steps(policy):
    policy.update(examples(policy.loaded), KimiLoss(), 1.0, 0.5)
    micro_batches = ["backward", "backward", "backward", "last one backward"]
    assert policy.course == ["begin with 2", *micro_batches, "step 0.5", "end"]


def test_a_rank_learns_its_share_and_the_shares_losses_add_up(policy):
    given = examples(policy.loaded)
    losses = []
    for mine in ([0, 1], [0], [1]):
        policy.shares.of = lambda rows, mine=mine: [mine]
        losses.append(policy.update(given, KimiLoss(), 1.0, 0.0).loss)
    assert policy.course.count("begin with 2") == 3
    assert losses[0] == pytest.approx(losses[1] + losses[2], rel=1e-5)
    assert all(abs(loss) > 1e-3 for loss in losses)


def test_what_is_read_was_brought_up_to_date_before(policy, tmp_path):
    rows = list(examples(policy.loaded))
    for read in (
        lambda: policy.logprobs(rows, 1.0),
        lambda: policy.statistics(rows, 1.0, {"entropy"}),
        lambda: policy.hidden_states(rows, 2),
        lambda: policy.weights(),
        lambda: policy.save(tmp_path / "model"),
    ):
        policy.course.clear()
        read()
        assert policy.course == ["up to date"]
