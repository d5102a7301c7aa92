"""A reward model at work: batches, memory by content, swaps, one retry, and prompts that can't be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_models import BUDGET, ask, fresh, pixels

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.errors import ConfigError
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.forward import PackedForward
from vlrl.reward_models.judging_models import ChainOfThoughtModel, ClassicModel
from vlrl.reward_models.learned_verifier import LearnedVerifier, OpenedModel, agreed, configure_reward_model, swapped
from vlrl.reward_models.reward_model_card import RewardModelCard
from vlrl.reward_models.reward_model_settings import RewardModelSettings
from vlrl.reward_models.value_head import head_of
from vlrl.rollout.engine import Request
from vlrl.types import Image, Rollout, Segment, Text
from vlrl.verify.judge import judge
from vlrl.verify.learned.reward_model import AskedAnswer, Judgement


def asked(answer: str, reference: str = "7", question: str = "3+4=?") -> AskedAnswer:
    return AskedAnswer(ask(question, answer=reference), answer)


class Same:
    """Right where answer and reference are one text, but `7` never is where it is the reference's place."""

    def __init__(self, one_way: bool = False) -> None:
        self.sizes: list[int] = []
        self.one_way = one_way

    def __call__(self, some: Sequence[AskedAnswer]) -> list[Judgement]:
        self.sizes.append(len(some))
        return [
            Judgement(one.answer == one.problem.answer or (self.one_way and one.problem.answer == "7")) for one in some
        ]


def verifier(judges, **settings) -> LearnedVerifier:
    opened = OpenedModel(SimpleNamespace(device=SimpleNamespace(type="cpu")), judges)  # type: ignore[arg-type]
    return LearnedVerifier(RewardModelSettings(path="unused", **settings), opened)


def test_each_content_is_asked_once_in_batches_of_the_settings():
    judges = Same()
    learned = verifier(judges, batch=2)
    first = learned([asked("7"), asked("8"), asked("7"), asked("9")])
    assert [one.correct for one in first] == [True, False, True, False]
    assert judges.sizes == [2, 1]
    learned([asked("7"), asked("7", reference="8")])
    assert judges.sizes == [2, 1, 1]
    assert (learned.asked, learned.remembered) == (4, 2)


def test_another_question_another_reference_and_another_image_are_other_contents():
    judges = Same()
    learned = verifier(judges)
    learned([asked("7"), asked("7", question="2+5=?"), asked("7", reference="7.0")])
    learned([AskedAnswer(ask(pixels(n), "3+4=?"), "7") for n in (1, 2)])
    assert judges.sizes == [3, 2]


def test_a_judgement_without_a_verdict_is_counted_and_asked_for_again_next_time():
    learned = verifier(lambda some: [Judgement(None, note="?") for _ in some])
    assert learned([asked("7")])[0].correct is None
    assert learned([asked("7")])[0].correct is None
    assert (learned.asked, learned.unparsed) == (2, 2)


def test_with_swap_right_is_what_both_orders_call_right():
    both, plain = verifier(Same(one_way=True), swap=True), verifier(Same(one_way=True))
    assert plain([asked("8")])[0].correct
    found = both([asked("8"), asked("7")])
    assert [one.correct for one in found] == [False, True]
    assert found[0].note == "not when swapped"
    turned = swapped(asked("8"))
    assert (turned.answer, turned.problem.answer) == ("7", "8")


def test_a_swapped_pair_has_the_lower_probability_and_no_verdict_where_one_has_none():
    assert agreed(Judgement(True, 0.9), Judgement(True, 0.6)) == Judgement(True, 0.6)
    assert agreed(Judgement(True), Judgement(None, note="hm")).correct is None
    assert agreed(Judgement(None, note="hm"), Judgement(True)).note == "hm"


class Replies:
    """An engine that replies by attempt; temperature 0 is the first."""

    def __init__(self, *by_attempt: str, finish: str = "stop") -> None:
        self.by_attempt, self.finish = by_attempt, finish
        self.seen: list[Request] = []

    def generate(self, requests: Sequence[Request]) -> list[tuple[Rollout, ...]]:
        self.seen += requests
        texts = [self.by_attempt[0 if one.sampling.temperature == 0 else 1] for one in requests]
        return [
            (Rollout((Segment((1,), (0.0,), 0),), text, self.finish, one.encoded.hash_again()),)  # type: ignore[arg-type]
            for one, text in zip(requests, texts, strict=True)
        ]


def reasons(loaded, engine) -> ChainOfThoughtModel:
    return ChainOfThoughtModel(
        loaded, Encoder(loaded, BUDGET), engine, RewardModelCard("chain_of_thought", "", "", "salt", max_tokens=8)
    )


def test_a_reply_with_a_verdict_is_asked_for_once_and_greedily(qwen3):
    engine = Replies('<think>same</think>{"correct": true}', "never")
    assert [one.correct for one in reasons(qwen3, engine)([asked("7"), asked("8")])] == [True, True]
    assert [one.sampling.temperature for one in engine.seen] == [0.0, 0.0]


def test_a_reply_without_a_verdict_is_asked_for_once_more_and_then_has_none(qwen3):
    engine = Replies("true", '{"correct": false}')
    assert reasons(qwen3, engine)([asked("7")])[0].correct is False
    assert [one.sampling.temperature for one in engine.seen] == [0.0, 0.7]
    engine = Replies("true", "I am sure")
    (found,) = reasons(qwen3, engine)([asked("7")])
    assert (found.correct, found.note) == (None, "'I am sure'")
    assert len(engine.seen) == 2


def test_a_reply_that_was_cut_off_has_no_verdict_even_where_it_reads_like_one(qwen3):
    (found,) = reasons(qwen3, Replies('{"correct": true}', '{"correct": true}', finish="length"))([asked("7")])
    assert found.correct is None
    assert found.note.endswith("cut off")


def test_the_same_question_has_the_same_seed_in_any_batch(qwen3):
    seeds = []
    for batch in ([asked("7"), asked("8")], [asked("8")]):
        engine = Replies("?", "?")
        reasons(qwen3, engine)(batch)
        seeds.append({one.encoded.problem_id: one.seed for one in engine.seen})
    assert seeds[1].items() <= seeds[0].items()


def test_what_can_not_be_read_has_no_verdict_and_the_rest_of_its_batch_has_one(qwen3, tmp_path: Path):
    engine = Replies('{"correct": true}', "?")
    gone = AskedAnswer(replace(ask("3+4=?"), prompt=(Image("d", path=str(tmp_path / "x.png")), Text("?"))), "7")
    long = asked("red " * 200)
    found = reasons(qwen3, engine)([gone, asked("7"), long])
    assert [one.correct for one in found] == [None, True, None]
    assert "tokens" in found[2].note
    assert len(engine.seen) == 1


def test_a_classic_model_is_right_from_its_threshold_on(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    forward = PackedForward(loaded, 10_000, vision_trains=False)
    for threshold, correct in ((0.5, True), (0.6, False)):
        model = ClassicModel(
            loaded, Encoder(loaded, BUDGET), forward, head_of(loaded), RewardModelCard("classic", "", "", ""), threshold
        )
        assert model([asked("7")]) == [Judgement(correct, 0.5, "p = 0.500")]  # a head at zero


def card_folder(folder: Path, kind: str = "classic") -> Path:
    RewardModelCard(kind, "model", "", "").write(folder)  # type: ignore[arg-type]
    return folder


def test_a_folder_that_holds_no_reward_model_is_refused_before_a_weight_is_read(tmp_path: Path):
    with pytest.raises(ConfigError, match="no such folder"):
        configure_reward_model(RewardModelSettings(path=str(tmp_path / "none")))
    with pytest.raises(ConfigError, match=r"holds no reward_model\.json"):
        configure_reward_model(RewardModelSettings(path=str(tmp_path)))
    card_folder(tmp_path)
    with pytest.raises(ConfigError, match=r"has no config\.json"):
        configure_reward_model(RewardModelSettings(path=str(tmp_path)))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match="has no value_head"):
        configure_reward_model(RewardModelSettings(path=str(tmp_path)))
    with pytest.raises(ConfigError, match="holds a classic one"):
        configure_reward_model(RewardModelSettings(path=str(tmp_path), kind="chain_of_thought"))
    (tmp_path / "reward_model.json").write_text('{"schema": 1}')
    with pytest.raises(ConfigError, match="can't be read"):
        configure_reward_model(RewardModelSettings(path=str(tmp_path)))


def test_an_untrained_model_folder_judges_where_the_settings_say_that_it_reasons(model_folders):
    folder = model_folders["tiny-qwen3-vl"]
    configure_reward_model(RewardModelSettings(path=str(folder), kind="chain_of_thought", max_tokens=4, device="cpu"))
    try:
        verdict = judge(replace(ask("3+4=?"), verifier="reward_model"), "<answer>7</answer>")
    finally:
        configure_reward_model(None)
    assert "unparsed" in str(verdict.fault)  # its instruction is longer than this model's context
