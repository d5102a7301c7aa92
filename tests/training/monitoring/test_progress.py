"""The progress display in a terminal and out of one."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from vlrl.training.monitoring.progress import Progress, tokens_per_second


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def plain() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=False, width=200), out


def test_out_of_a_terminal_lines_are_plain_and_rare():
    console, out = plain()
    clock = Clock()
    with Progress({"rl": 100}, console, clock) as progress:
        progress.start("rl", 100)
        for step in range(1, 101):
            clock.now += 0.5
            progress.step("rl", step, {"accuracy/mean": 0.5, "tokens/rollout_per_second": 18_240.0})
    lines = out.getvalue().splitlines()
    assert len(lines) == 6  # steps 1, 21, 41, 61, 81 and the last: ten seconds are twenty steps
    assert lines[0] == "rl 1/100 · 0:50 left · 18.2k tokens/s · accuracy 0.500"
    assert lines[-1].startswith("rl 100/100 · 0:00 left")
    assert "\x1b" not in out.getvalue()


def test_time_left_counts_only_steps_of_this_session():
    console, out = plain()
    clock = Clock()
    with Progress({"rl": 100}, console, clock) as progress:
        progress.start("rl", 100)
        clock.now += 2.0
        progress.step("rl", 61, {})
    assert out.getvalue().strip() == "rl 61/100 · 1:18 left"  # 39 steps of two seconds


def accuracies_shown(given: dict[int, float]) -> list[str]:
    console, out = plain()
    clock = Clock()
    with Progress({"rl": 1000}, console, clock) as progress:
        for step, accuracy in given.items():
            clock.now += 60
            progress.step("rl", step, {"accuracy/mean": accuracy})
    return [line.rsplit("accuracy ", 1)[1] for line in out.getvalue().splitlines()]


def test_accuracy_so_far_is_the_mean_of_the_last_ten_steps():
    assert accuracies_shown({step: float(step > 6) for step in range(1, 17)})[-2:] == ["0.900", "1.000"]


def test_accuracy_that_is_measured_now_and_then_is_shown_as_it_last_was():
    assert accuracies_shown({1: 0.25, 50: 0.75, 51: math.nan, 70: math.nan}) == ["0.250", "0.750", "0.750", "0.750"]


def test_a_phase_without_accuracy_shows_its_loss():
    console, out = plain()
    with Progress({"sft": 1}, console, Clock()) as progress:
        progress.step("sft", 1, {"loss/total": 1.25})
    assert "loss 1.250" in out.getvalue()


def test_in_a_terminal_a_bar_shows_phase_step_and_figures():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=160, _environ={"TERM": "xterm-256color"})
    with Progress({"sft": 4, "rl": 10}, console, Clock()) as progress:
        progress.start("rl", 10)
        progress.step("rl", 7, {"accuracy/mean": 0.625, "tokens/rollout_per_second": 950.0})
        progress.say("saved [step_000007]")
    shown = out.getvalue()
    assert "\x1b[" in shown
    assert "7/10" in shown
    assert "0/4" in shown
    assert "950 tokens/s · accuracy 0.625" in shown
    assert "saved [step_000007]" in shown  # brackets are text, not markup


def test_an_error_inside_leaves_the_terminal_as_it_was():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, _environ={"TERM": "xterm"})
    with pytest.raises(RuntimeError, match="boom"), Progress({"rl": 2}, console):
        raise RuntimeError("boom")
    assert out.getvalue().rstrip().endswith("\x1b[?25h")  # the cursor is shown again


def test_tokens_per_second_is_read_or_computed():
    assert tokens_per_second({"tokens/rollout_per_second": 12.0, "tokens/response": 5, "time/step_seconds": 1}) == 12.0
    assert tokens_per_second({"tokens/response": 30, "tokens/text": 10, "time/step_seconds": 2.0}) == 15.0
    assert tokens_per_second({"tokens/response": 30}) is None
