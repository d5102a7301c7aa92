import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from vlrl.model.optimization.muon import COEFFICIENTS, ITERATIONS, Muon, orthogonalized
from vlrl.model.optimization.optimizer import Optimizer, OptimizerSettings

SHAPES = [(6, 4), (4, 6), (4, 6), (5, 5), (1, 7), (7, 1)]


def by_hand(update: torch.Tensor) -> torch.Tensor:
    """Newton–Schulz on one matrix in float64, written out."""
    a, b, c = COEFFICIENTS
    x = update.double()
    x = x / x.norm()
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def matrices(seed: int = 0) -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    made = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]
    for parameter in made:
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    return made


def test_stacked_matrices_step_as_each_would_alone_in_float64():
    ours = matrices()
    before = [p.detach().clone() for p in ours]
    Muon(ours, lr=0.1, momentum=0.9, weight_decay=0.5).step()
    for old, new in zip(before, ours, strict=True):
        # the first buffer is (1 − β)·g, and the step looks along g + β·(buffer − g) = (1 − β²)·g: the same direction
        expected = old.double() * (1 - 0.1 * 0.5) - 0.1 * 0.2 * max(old.shape) ** 0.5 * by_hand(new.grad)
        torch.testing.assert_close(new.double(), expected, atol=1e-5, rtol=1e-5)


def test_momentum_over_three_steps_is_that_of_torch_but_for_bfloat16():
    ours, theirs = matrices(1), matrices(1)
    mine = Muon(ours, lr=0.02, momentum=0.95, weight_decay=0.1)
    other = torch.optim.Muon(theirs, lr=0.02, momentum=0.95, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for step in range(3):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn(a.shape, generator=torch.Generator().manual_seed(step))
            b.grad = a.grad.clone()
        mine.step()
        other.step()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=2e-2, rtol=0.0)
        torch.testing.assert_close(mine.state[a]["momentum_buffer"], other.state[b]["momentum_buffer"])


def test_singular_values_end_near_one_whatever_they_were():
    left, _ = torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(2)))
    right, _ = torch.linalg.qr(torch.randn(24, 24, generator=torch.Generator().manual_seed(3)))
    spread = left @ torch.diag(torch.logspace(0, -1.5, 16)) @ right[:16]
    values = torch.linalg.svdvals(orthogonalized(spread[None])[0])
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_a_matrix_without_a_gradient_stays_and_a_vector_is_refused():
    idle = torch.nn.Parameter(torch.ones(3, 3))
    Muon([idle], lr=0.1, weight_decay=1.0).step()
    assert torch.equal(idle, torch.ones(3, 3))
    with pytest.raises(ValueError, match="matrices"):
        Muon([torch.nn.Parameter(torch.ones(3))], lr=0.1)


class NoRounding(TorchDispatchMode):
    """Fails on an operation with a tensor below float32."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for value in torch.utils._pytree.tree_leaves((args, kwargs, made)):
            if isinstance(value, torch.Tensor) and value.dtype in (torch.bfloat16, torch.float16):
                raise AssertionError(f"{func} works in {value.dtype}")
        return made


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_no_operation_of_a_step_on_a_cpu_rounds_below_float32(name):
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 4))
    optimizer = Optimizer(model.named_parameters(), OptimizerSettings(name=name, lr=1e-3))
    with NoRounding():
        model(torch.randn(3, 8)).sum().backward()
        optimizer.step(1.0)


def test_the_check_itself_sees_torchs_own_muon_round():
    matrix = torch.nn.Parameter(torch.randn(4, 4))
    matrix.grad = torch.randn(4, 4)
    with pytest.raises(AssertionError, match="bfloat16"), NoRounding():
        torch.optim.Muon([matrix], lr=0.1).step()
