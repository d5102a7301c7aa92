"""Every benchmark script runs through on small sizes, checks what it claims, and prints its table."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from forked_commands import ForkedCommands
from sandbox_fixture import require_sandbox
from scripts_as_modules import script

BENCH = Path(__file__).parents[1] / "scripts" / "bench"


@pytest.fixture
def run_script(forked: ForkedCommands) -> Callable[..., str]:
    """`run_script("rollout.py", "--smoke")` is what the script prints; the test fails with its errors if it does."""

    def run(name: str, *arguments: str) -> str:
        done = forked(BENCH / name, *arguments, env={**os.environ, "OMP_NUM_THREADS": "1"})
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return run


def rows(printed: str) -> list[list[str]]:
    """Cells of the table's rows, head and rule left out."""
    lines = [line for line in printed.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


@pytest.mark.slow
def test_the_rollout_benchmark_checks_both_sides_and_compares_them(run_script: Callable[..., str]) -> None:
    found = rows(run_script("rollout.py", "--smoke"))
    assert [row[0] for row in found] == ["image problems", "text and image problems, half and half"]
    for row in found:
        assert all(re.match(r"\d+\.\d\d×", cell) for cell in row[3:5])
        assert float(row[7]) < 1e-5, "largest difference of a log-probability"
        assert row[8].endswith("equal")


@pytest.mark.slow
def test_the_shared_prefix_benchmark_finds_equal_gradients(run_script: Callable[..., str]) -> None:
    found = rows(run_script("shared_prefix.py", "--smoke"))
    assert len(found) == 2
    for row in found:
        assert float(row[-1]) < 1e-5, "relative error of the gradient"


@pytest.mark.slow
def test_the_benchmark_of_episodes_finds_equal_gradients_and_the_engines_logprobs(
    run_script: Callable[..., str],
) -> None:
    found = rows(run_script("episodes.py", "--smoke"))
    assert [row[0] for row in found] == ["rollout", "training"]
    assert all(float(figure) < 1e-5 for row in found for figure in row[-1].split(", "))


@pytest.mark.slow
def test_the_packed_sft_benchmark_finds_equal_gradients_and_saves_the_padding(run_script: Callable[..., str]) -> None:
    found = rows(run_script("packed_sft.py", "--smoke"))
    assert [row[0] for row in found] == ["the quickstart's", "long and short"]
    for row in found:
        assert all(re.match(r"\d+\.\d\d×", cell) for cell in row[4:6])
        assert float(row[6]) < 1e-5, "relative error of the gradient"
    usual, mixed = (float(row[1].rstrip("%")) for row in found)
    assert 0 < usual < mixed, "share of padding"


@pytest.mark.slow
@pytest.mark.vllm
def test_the_engines_benchmark_finds_equal_tokens_and_compares_both(library, run_script: Callable[..., str]) -> None:
    library("vllm")
    found = rows(run_script("engines.py", "--smoke"))
    assert [row[0] for row in found] == ["image problems", "text and image problems, half and half"]
    for row in found:
        assert all(re.match(r"\d+\.\d\d×", cell) for cell in row[3:5])
        assert float(row[5]) < 1e-4, "largest difference of a log-probability"
        assert row[6].endswith("equal")


@pytest.mark.slow
def test_a_whole_step_against_trl_has_equal_response_lengths_where_they_are_forced(
    library, run_script: Callable[..., str]
) -> None:
    library("trl")
    found = rows(run_script("step_against_trl.py", "--smoke", "--only", "image-heavy"))
    assert [row[0] for row in found] == ["image-heavy, equal work"]
    assert found[0][-1] == "8.0, 8.0", "response tokens of TRL and of vlrl"


@pytest.mark.slow
def test_the_partial_rollouts_benchmark_writes_every_token_once_and_keeps_its_slots_busy(
    run_script: Callable[..., str],
) -> None:
    (row,) = rows(run_script("partial_rollouts.py", "--smoke"))
    waiting, partial = map(float, row[5].split(", "))
    assert partial >= 0.95 > waiting
    assert row[7].endswith("each once; 0 of 48 responses parted")


@pytest.mark.slow
def test_the_gpu_benchmark_runs_every_step_on_the_cpu_and_says_what_its_figures_need(
    run_script: Callable[..., str], forked: ForkedCommands
) -> None:
    found = {row[0]: row for row in rows(run_script("gpu.py", "--smoke"))}
    assert {"vlrl", "generate", "without packing (separate rows)", "trained tower, without packing"} <= set(found)
    assert len(found) == 4 + 8 + 1  # the second table's head
    assert all(" s (" in row[1] for name, row in found.items() if not name.startswith("update"))
    if not torch.cuda.is_available():
        done = forked(BENCH / "gpu.py")
        assert done.returncode == 1
        assert "needs a CUDA device" in done.stderr


def test_the_forced_lengths_have_a_mean_of_64_and_a_longest_of_160() -> None:
    module = script("scripts/bench/image_heavy.py")
    flat = [length for lengths in module.LENGTHS for length in lengths]
    assert (len(flat), sum(flat) / len(flat), max(flat)) == (module.PROBLEMS * module.K, 64, 160)


@pytest.mark.ray
@pytest.mark.slow
def test_the_ray_benchmark_checks_that_the_pool_writes_the_same_tokens_and_compares(
    run_script: Callable[..., str],
) -> None:
    found = rows(run_script("ray_pool.py", "--smoke"))
    assert len(found) == 1
    assert re.match(r"\d+\.\d\d×", found[0][3])
    assert found[0][4].endswith(" MB")


@pytest.mark.slow
def test_disturbed_runs_end_as_the_undisturbed_one(tmp_path: Path, run_script: Callable[..., str]) -> None:
    """Kills, signals, a full disk and torn files; the full numbers stand in docs/going_on.md."""
    printed = run_script(
        "kills.py", "--cases", "over-sampling", "--kills", "1", "--stops", "1", "--no-room", "1", "--full-disks", "1",
        "--torn", "1", "--work", str(tmp_path),
    )  # fmt: skip
    found = rows(printed)
    assert {row[0] for row in found} >= {"kills", "stops", "no room", "torn files"}
    assert not [row for row in found if "FAILED" in row]


@pytest.mark.slow
def test_the_repeatability_benchmark_judges_every_kind_of_program_twice(run_script: Callable[..., str]) -> None:
    require_sandbox()
    found = json.loads(run_script("sandbox_repeats.py", "--programs", "40", "--beside", "1", "--json"))
    assert sum(found["languages"].values()) == sum(found["verdicts"].values()) == 40
    assert found["differ"] == []
    assert {"accepted", "wrong_answer"} <= found["verdicts"].keys()
    assert "sandbox_fault" not in found["verdicts"]
