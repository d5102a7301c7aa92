"""Signals: exit codes as the shell sees them, and a step that is finished before the run ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from vlrl import interrupts

COMMAND = """
import signal, sys, time
{before}
import vlrl.cli as cli
from vlrl import interrupts

def app(standalone_mode):
    try:
        {body}
    except KeyboardInterrupt:  # as typer has it
        return 130

cli.app = app
cli.main()
"""
AT_ONCE = "print('ready', flush=True); time.sleep(60)"
STEPS = """
        with interrupts.deferred():
            for step in range(1, 300):
                if step == 1: print('ready', flush=True)
                time.sleep(.1)
                print('step', step, flush=True)
                if interrupts.wanted():
                    raise interrupts.stop('saved')
"""


def start(body, before=""):
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND.format(body=body, before=before)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process, *signals, pause=0.6):
    assert process.stdout.readline() == "ready\n"
    for number in signals:
        process.send_signal(number)
        time.sleep(pause)
    out, error = process.communicate(timeout=60)
    return process.returncode, out, error


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGUSR1, 128 + signal.SIGUSR1)],
)
def test_a_signal_gives_the_exit_code_of_shells_and_one_line(number, code):
    found, _, error = ended(start(AT_ONCE), number)
    assert found == code
    assert error.strip() == "interrupted"


def test_a_step_is_finished_first(capfd):
    code, out, error = ended(start(STEPS), signal.SIGTERM)
    assert code == 143
    assert out.startswith("step 1\n")  # the one that was going on when the signal came
    assert "Ctrl-C stops at once" in error
    assert "Traceback" not in error


def test_a_second_ctrl_c_stops_at_once_and_one_that_comes_twice_is_one():
    long = STEPS.replace("time.sleep(.1)", "time.sleep(20)")
    began = time.monotonic()
    code, out, _ = ended(start(long), signal.SIGINT, signal.SIGINT)
    assert (code, out) == (130, "")
    assert time.monotonic() - began < 19
    code, out, _ = ended(start(STEPS), signal.SIGINT, signal.SIGINT, pause=0.01)  # `timeout` signals the group, too
    assert code == 130
    assert out.startswith("step 1\n")


def test_what_was_ignored_stays_ignored():
    body = "print('ready', flush=True); time.sleep(2); return 0"
    code, _, error = ended(start(body, "signal.signal(signal.SIGHUP, signal.SIG_IGN)"), signal.SIGHUP)
    assert (code, error) == (0, "")


def test_a_signal_that_comes_where_exceptions_are_dropped_is_not_lost():
    dropped = """
        class Slow:
            def __del__(self):
                print('ready', flush=True)
                time.sleep(1)
        Slow()
        time.sleep(30)
"""
    code, _, error = ended(start(dropped), signal.SIGTERM)
    assert code == 143
    assert error.strip() == "interrupted"


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(interrupts.Stopped), interrupts.listening():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
    assert interrupts.exit_code() == 143
    with interrupts.deferred():
        assert not interrupts.wanted()  # a later run of this process goes on
        interrupts.stop("another rank was asked")
        assert interrupts.wanted()
    with interrupts.deferred():
        assert not interrupts.wanted()
