"""A judge in a process of its own: the same judgements as in the trainer's, and what becomes of the process."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from small_models import BUDGET, VLLM_SHAPE, ask, build_spread, fresh, pixels

from vlrl.errors import ConfigError, EngineFailedError
from vlrl.model.prompts.encode import Encoded, Encoder
from vlrl.reward_models import judge_process
from vlrl.reward_models.judge_process import JudgeProcess
from vlrl.reward_models.judged_row import as_judged
from vlrl.reward_models.learned_verifier import configure_reward_model
from vlrl.reward_models.reward_model_card import RewardModelCard
from vlrl.reward_models.reward_model_settings import RewardModelSettings
from vlrl.rollout.vllm.vllm_settings import VllmEngineSettings
from vlrl.verify.learned.judgement import judgement_text
from vlrl.verify.learned.reward_model import AskedAnswer

ENGINE = VllmEngineSettings(max_num_seqs=8, max_num_batched_tokens=512, cache_gib=0.03)
QUESTIONS = (("3+4=?",), (pixels(0), "How many cards?"))


def asked(answer: str, question: tuple = QUESTIONS[0]) -> AskedAnswer:
    return AskedAnswer(ask(*question, answer="7"), answer)


ROWS = [asked(answer, question) for answer in ("7", "8") for question in QUESTIONS]


def settings(folder: Path, **more) -> RewardModelSettings:
    return RewardModelSettings(path=str(folder), device="cpu", **{"engine": ENGINE, **more})


@pytest.fixture(scope="module")
def sevens(tmp_path_factory) -> Path:
    """A very small reward model that has learned by heart that 7 is right and 8 is wrong."""
    folder = tmp_path_factory.mktemp("sevens")
    loaded = fresh(build_spread("tiny-qwen3-vl", folder / "model", factor=1.0, shape=VLLM_SHAPE))
    encoder = Encoder(loaded, BUDGET, "")
    prompts = encoder.encode([as_judged(row, "", "salt") for row in ROWS])
    texts = [judgement_text(row.answer == "7") for row in ROWS]
    replies = [[*loaded.tokenizer(text)["input_ids"], loaded.stop_ids[0]] for text in texts]
    learner = torch.optim.AdamW(loaded.model.parameters(), 4e-3)
    for _ in range(30):
        loss = sum(reply_loss(loaded.model, *pair) for pair in zip(prompts, replies, strict=True))
        learner.zero_grad()
        loss.backward()
        learner.step()
    loaded.model.save_pretrained(folder / "model")
    RewardModelCard("chain_of_thought", "model", "", "salt", BUDGET, max_tokens=24).write(folder)
    return folder


def reply_loss(model, prompt: Encoded, reply: list[int]) -> torch.Tensor:
    types = torch.tensor([[*prompt.token_types, *(0 for _ in reply)]])
    images = {}
    if prompt.images:
        values = torch.cat([one.patches for one in prompt.images])
        images = {"pixel_values": values, "image_grid_thw": torch.tensor([one.grid for one in prompt.images])}
    ids = torch.tensor([[*prompt.token_ids, *reply]])
    logits = model(input_ids=ids, mm_token_type_ids=types, **images).logits[0, -len(reply) - 1 : -1]
    return torch.nn.functional.cross_entropy(logits, ids[0, -len(reply) :])


ASKS = """
import os, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from test_judge_process import ROWS, settings
from vlrl.reward_models.learned_verifier import LearnedVerifier, OpenedModel, open_reward_model
from vlrl.rollout.transformers.transformers_settings import TransformersEngineSettings

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    inside = open_reward_model(settings(folder, engine=TransformersEngineSettings())).judges
    judge = open_reward_model(settings(folder)).judges
    judge.sleep()
    assert judge.started == 0, "what hasn't started needn't sleep"
    assert LearnedVerifier(settings(folder), OpenedModel(None, judge))(ROWS) == inside(ROWS)
    assert judge(ROWS[::-1]) == inside(ROWS[::-1])
    first = judge._running.process
    os.kill(first.pid, 9)
    assert judge(ROWS) == inside(ROWS)
    assert judge.started == 2
    print([one.correct for one in inside(ROWS)], first.pid, judge._running.process.pid, flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.vllm
@pytest.mark.slow
def test_a_rank_s_judge_says_what_the_trainer_s_process_would_is_replaced_and_ends_with_its_killed_asker(
    sevens: Path, tmp_path: Path, library
):
    library("vllm")
    (tmp_path / "asks.py").write_text(ASKS)
    here = os.path.dirname(__file__)
    path = os.pathsep.join([*sys.path, os.path.dirname(here)])
    ranks = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    done = subprocess.run(
        [sys.executable, tmp_path / "asks.py", sevens, here],
        env={**os.environ, **ranks, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == -9, done.stderr
    said, *pids = done.stdout.strip().splitlines()[-1].rsplit(" ", 2)
    assert said == "[True, True, False, False]"
    for _ in range(100):
        commands = [Path(f"/proc/{pid}/cmdline") for pid in pids]
        if not any(one.exists() and one.read_bytes() for one in commands):
            break
        time.sleep(0.1)
    else:
        pytest.fail(f"one of {pids} is still there")


def test_a_judge_that_can_not_live_ends_with_one_error(sevens: Path, monkeypatch):
    forks(monkeypatch, ends_at_once)
    judge = JudgeProcess(settings(sevens))
    with pytest.raises(EngineFailedError, match=r"reward_model\.engine: the judge's process ended with exit code 3"):
        judge(ROWS)
    assert judge.started == 2


def test_after_an_interruption_the_next_question_gets_its_own_answer(sevens: Path, monkeypatch):
    forks(monkeypatch, says_what_it_was_asked)
    judge = JudgeProcess(settings(sevens))
    try:
        assert judge(ROWS[:1]) == tuple(ROWS[:1])
        pipe = judge._running.pipe
        interrupted = SimpleNamespace(send=pipe.send, recv=interrupt, close=pipe.close)
        judge._running = replace(judge._running, pipe=interrupted)
        with pytest.raises(KeyboardInterrupt):
            judge(ROWS[:2])
        assert judge(ROWS[2:]) == tuple(ROWS[2:])
        assert judge.started == 2
    finally:
        judge.close(0.0)  # the fork holds this end of the pipe, too


def forks(monkeypatch, serve: Callable[..., None]) -> None:
    """Let a forked process `serve` in place of vLLM, without the seconds that a new one spends on imports."""
    monkeypatch.setattr(judge_process, "check_judge", lambda settings, place: None)
    monkeypatch.setattr(judge_process, "_serve", serve)
    forking = SimpleNamespace(get_context=lambda kind: multiprocessing.get_context("fork"))
    monkeypatch.setattr(judge_process, "multiprocessing", forking)


def interrupt() -> None:
    raise KeyboardInterrupt


def says_what_it_was_asked(pipe, *_: object) -> None:
    with suppress(EOFError):
        while True:
            pipe.send(pipe.recv())


def test_on_cuda_a_judge_gives_its_memory_back_and_sees_the_device_of_its_rank_alone(tmp_path: Path, monkeypatch):
    def slept(device: str, **more) -> str:
        return settings(tmp_path, **more).engine_on(device).sleep

    assert slept("cuda") == "release"
    assert slept("cuda", sleeps=False) == slept("cpu") == "stay"
    assert slept("cuda", engine=ENGINE.model_copy(update={"sleep": "restart"})) == "restart"
    for before, index, after in (("", 3, "3"), ("4,6", 1, "6"), ("4,6", None, "4")):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", before)
        judge_process._see_only(torch.device("cuda", index))
        assert os.environ["CUDA_VISIBLE_DEVICES"] == after


def ends_at_once(*_: object) -> None:
    os._exit(3)


@pytest.mark.vllm
def test_what_vllm_can_not_take_is_refused_before_a_weight_is_read(sevens: Path, tmp_path: Path, library):
    library("vllm")
    small = ENGINE.model_copy(update={"cache_gib": 1e-6})
    with pytest.raises(ConfigError, match=r"reward_model\.engine\.cache_gib: .*GiB"):
        configure_reward_model(settings(sevens, engine=small))
    with pytest.raises(ConfigError, match=r"reward_model\.engine\.sleep: 'release' needs CUDA"):
        configure_reward_model(settings(sevens, engine=ENGINE.model_copy(update={"sleep": "release"})))
    (tmp_path / "model").mkdir()
    for name in ("config.json", "value_head.safetensors"):
        (tmp_path / "model" / name).write_text("{}")
    RewardModelCard("classic", "model", "", "").write(tmp_path)
    with pytest.raises(ConfigError, match=r"reward_model\.engine: a classic reward model writes nothing"):
        configure_reward_model(settings(tmp_path))


def test_engines_that_do_not_judge_are_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"reward_model\.engine: 'ray' doesn't judge"):
        settings(tmp_path, engine="ray")
    with pytest.raises(ConfigError, match="each rank has a judge of its own"):
        settings(tmp_path, engine={"name": "vllm", "tensor_parallel_size": 2})
