"""Three hundred hostile calls: none ends the run or holds it over the deadline, and each is counted as what it is."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
from episode_cases import roomy
from small_models import BUDGET, ask, pixels

from vlrl.model.prompts.encode import Encoder
from vlrl.rollout.engine import Sampling
from vlrl.rollout.environments.calls.results import MOST_PIXELS
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.episodes.class_environment import ClassEnvironment
from vlrl.rollout.environments.episodes.episode_group import new_groups
from vlrl.rollout.environments.episodes.play import Play
from vlrl.rollout.environments.episodes.scripted_turns import ScriptedTurns
from vlrl.rollout.environments.tools.image_tools import NAMES, PROGRAMS

HOSTILE = '''
import os, signal, time

class Hostile:
    def reset(self): pass

    def act(self, how: str) -> str:
        """Act.

        Args:
            how: What to do.
        """
        if how == "hang": time.sleep(3600)
        if how == "spin":
            while True: pass
        if how == "raise": raise RuntimeError("no " * 10_000)
        if how == "huge": return "x" * 50_000_000
        if how == "eat": return str(len(bytearray(3 * 2**30)))
        if how == "leak":
            held = []
            while True: held.append(bytearray(2**24))
        if how == "die": os._exit(3)
        if how == "kill": os.kill(os.getpid(), signal.SIGKILL)
        if how == "stop": os.kill(os.getpid(), signal.SIGSTOP)
        if how == "close": os.closerange(0, 64)
        if how == "segfault": os.kill(os.getpid(), signal.SIGSEGV)
        if how == "bytes": return b"\\xff"
        if how == "deep":
            deep = []
            for _ in range(100_000): deep = [deep]
            return deep
        if how == "exit": raise SystemExit(2)
        if how == "print": os.write(1, b"x" * 10**6)
        return "fine"

    def get_reward(self) -> float:
        return 1.0
'''
TOLD = {"raise": "failed", "eat": "failed", "leak": "failed", "huge": "dropped", "print": "done", "fine": "done"}
FAULTS = ("die", "kill", "segfault", "bytes", "deep", "exit")
ENDLESS = ("hang", "spin"), ("stop", "close")  # one that spins takes a core up to the deadline: once
SECONDS = 5.0  # a loaded machine starts a process late


def written(name: str, body: str) -> str:
    return f'<tool_call>{{"name": {json.dumps(name)}, "arguments": {body}}}</tool_call>'


def boxes(rng: np.random.Generator, count: int) -> list[tuple[str, str]]:
    """(call, what it must be counted as), of zooms on an image of 32 × 32 pixels, in thousandths."""
    name = NAMES["zoom"]
    found = []
    for _ in range(count):
        left, top, right, bottom = sorted(rng.uniform(0, 500, 2)) + sorted(rng.uniform(500, 1000, 2))
        left, right, top, bottom = min(left, right), max(left, right), min(top, bottom), max(top, bottom)
        size = 10.0 ** rng.integers(4, 300)
        nan = rng.choice(["NaN", "Infinity", "-Infinity", "1e999"])
        deep = int(rng.integers(2, 200_000))
        found += [
            (written(name, f'{{"bbox_2d": [{nan}, {top}, {right}, {bottom}]}}'), "invalid"),
            (written(name, json.dumps({"bbox_2d": [right, top, left, bottom]})), "failed"),
            (written(name, json.dumps({"bbox_2d": [1000 + left, top, 1001 + right, bottom]})), "failed"),
            (written(name, json.dumps({"bbox_2d": [-size, -size, size, size]})), "done"),
            (written(name, f'{{"bbox_2d": [0, 0, {10**350 + int(left)}, 9]}}'), "failed"),
            (written(name, f'{{"bbox_2d": [0, 0, {"9" * 5000}, 9]}}'), "invalid"),
            (written(name, json.dumps({"bbox_2d": [left] * int(rng.integers(5, 90_000))})), "either"),
            (written(name, f'{{"bbox_2d": {"[" * deep}{"]" * deep}}}'), "invalid"),
            (written(name, json.dumps({"bbox_2d": {"left": left}})), "invalid"),
            (written(name, json.dumps({"bbox_2d": [left, top, right, str(bottom)]})), "invalid"),
            (written(name, json.dumps({"bbox_2d": [0, 0, 9, 9], "img_idx": int(rng.integers(999, 2**60))})), "failed"),
            (written(NAMES["rotate"], f'{{"angle": {size}}}'), "done"),
            (written(NAMES["draw_line"], json.dumps({"points": [size] * 7})), "failed"),
            (written(NAMES["draw_line"], json.dumps({"points": [-size, size, size, -size]})), "done"),
            (written(NAMES["draw_box"], json.dumps({"bbox_2d": [0, 0, 9, 9], "color": "x" * 9_000})), "failed"),
            (written("a" * int(rng.integers(1, 9_000)), "{}"), "invalid"),
            (f"<tool_call>{json.dumps([left])}", "invalid"),
        ]
    return found


def test_calls_that_ask_for_what_cannot_be_are_told_so_and_counted():
    environment = environments.build({"name": "tools", "tools": [one for one in NAMES if one not in PROGRAMS]})
    calls = boxes(np.random.default_rng(3), 16)
    assert len(calls) == 272
    for text, outcome in calls:
        problem = ask(pixels(1), "red?")
        world = environment.world(problem)
        world.begin(environment.row(problem))
        began = time.monotonic()
        reply = world.answer(text, 0)
        assert time.monotonic() - began < SECONDS, text[:200]
        assert reply.fault is None
        (call,) = reply.calls
        assert outcome in (call.outcome, "either"), (text[:200], call.outcome, reply.messages)
        (message,) = reply.messages
        assert (call.outcome == "done") == (not str(getattr(message[0], "text", "")).startswith("error: "))
        for image in (piece for piece in message if not hasattr(piece, "text")):
            assert 0 < len(image.read_bytes()) < MOST_PIXELS


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    path = tmp_path_factory.mktemp("hostile") / "hostile.py"
    path.write_text(HOSTILE)
    return ClassEnvironment(
        path=f"{path}:Hostile", tool_seconds=SECONDS, episode_memory_mib=256, describe_tools=False, workers=32
    )


def test_a_tool_that_hangs_eats_memory_or_ends_its_process_costs_its_episode_alone(hostile, loaded_models):
    """28 episodes at once, each of a call that must go well and one that is hostile."""
    model = roomy(loaded_models["tiny-qwen3-vl"])
    kinds = [kind for endless in ENDLESS for kind in (*TOLD, *FAULTS, *endless)]
    faults = {*FAULTS, *ENDLESS[0], *ENDLESS[1]}
    fine = written("act", '{"how": "fine"}')
    scripts = [[fine, written("act", json.dumps({"how": kind})), "3"] for kind in kinds]
    problems = [ask("red?", answer="3")] * len(kinds)
    hostile.warm_up(problems)
    opened: list[Any] = []
    open_world = hostile.opening()

    def opening(problem):
        opened.append(open_world(problem))
        return opened[-1]

    play = Play(new_groups(problems, 1, range(len(kinds))), hostile, opening, hostile.row)
    began = time.monotonic()
    groups = play.whole(Encoder(model, BUDGET), ScriptedTurns(model, scripts), Sampling(max_tokens=900))
    took = time.monotonic() - began
    verdicts: list[Any] = [one[0] for one in hostile.verdicts(groups)]
    for kind, group, verdict in zip(kinds, groups, verdicts, strict=True):
        rollout = group.rollouts[0]
        assert [c.outcome for c in rollout.episode.calls] == ["done", TOLD.get(kind, "failed")], kind
        assert (verdict.fault is not None) == (kind in faults), (kind, verdict)
        assert rollout.episode.turns == (2 if kind in faults else 3), kind
        if kind not in faults:
            assert verdict.score == 1.0
            assert len([s for s in rollout.segments if s.author == "observation"][1].text) < 500
    assert took < 10 * SECONDS, "two cores, 28 processes"
    assert len(opened) == len(kinds)
    assert all(world._worker.ended for world in opened), "no process stays behind"
