"""A reward model behind a server with OpenAI's interface, asked over real HTTP."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from chat_server import Server, chat_server, completion  # noqa: F401  a fixture
from small_models import ask, pixels

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.config import build_settings
from vlrl.errors import ConfigError
from vlrl.reward_models.learned_verifier import LearnedVerifier, configure_reward_model
from vlrl.reward_models.reward_model_card import RewardModelCard
from vlrl.reward_models.reward_model_settings import RewardModelSettings
from vlrl.types import Problem
from vlrl.verify.judge import judge_all
from vlrl.verify.learned.reward_model import AskedAnswer


def text_of(body: dict[str, Any]) -> str:
    content = body["messages"][0]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def same(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Right where what stands between the marks is the reference."""
    reference, marked = text_of(body).split("\nReference: ")[1].split("\n")
    right = marked.split(" ", 1)[1].rsplit(" ", 1)[0] == reference
    return 200, completion("<think>I compare.</think>" + json.dumps({"correct": right}))


@pytest.fixture
def server(chat_server: Server) -> Server:  # noqa: F811
    chat_server.reply = same
    return chat_server


def settings(server: Server, endpoint: dict[str, Any] | None = None, **values: Any) -> RewardModelSettings:
    served = {"url": server.url, "model": "judge", "retries": 0, "timeout_seconds": 5, **(endpoint or {})}
    return build_settings(RewardModelSettings, {"endpoint": served, **values}, "reward_model")


def asked(answer: str, reference: str = "7") -> AskedAnswer:
    return AskedAnswer(ask("3+4=?", answer=reference), answer)


def test_judgements_are_those_of_the_server_in_order_each_content_once(server):
    learned = LearnedVerifier(settings(server))
    answers = [str(n % 9) for n in range(40)]
    assert [one.correct for one in learned([asked(a) for a in answers])] == [a == "7" for a in answers]
    assert len(server.asked) == 9
    assert {body["temperature"] for body in server.asked} == {0}
    learned.close()


def test_as_the_verifier_of_a_run_with_both_orders(server):
    configure_reward_model(settings(server, swap=True))
    try:
        problem = Problem(ask("3+4=?").prompt, "7", "reward_model", "text", "test")
        (verdicts,) = judge_all([(problem, ["<answer>7</answer>", "<answer>8</answer>", ""])])
    finally:
        configure_reward_model(None)
    assert [one.score for one in verdicts] == [1.0, 0.0, 0.0]
    assert len(server.asked) == 4


def test_images_go_where_they_stand(server):
    problem = ask(pixels(1), "What is it?", answer="7")
    LearnedVerifier(settings(server))([AskedAnswer(problem, "7")])
    kinds = [part["type"] for part in server.asked[0]["messages"][0]["content"]]
    assert kinds == ["text", "image_url", "text"]
    assert server.asked[0]["messages"][0]["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")


def test_a_reply_without_a_verdict_is_asked_for_once_more_at_a_temperature(server):
    server.reply = lambda body: same(body) if body["temperature"] else (200, completion("Certainly!"))
    assert LearnedVerifier(settings(server))([asked("7")])[0].correct is True
    server.reply = lambda body: (200, completion('{"correct": true}', "length"))
    cut = LearnedVerifier(settings(server))([asked("7")])[0]
    assert cut.correct is None
    assert "cut off" in cut.note


def test_a_question_that_fails_is_a_fault_and_the_others_are_judged(server):
    def reply(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return (400, {"error": "too long"}) if " 5 " in text_of(body) else same(body)

    server.reply = reply
    found = LearnedVerifier(settings(server))([asked(a) for a in "7658"])
    assert [one.correct for one in found] == [True, False, None, False]
    assert "HTTP 400" in found[2].note
    assert "too long" in found[2].note


def test_a_server_that_answers_nothing_isn_t_asked_to_the_end(server):
    server.reply = lambda body: (500, {})
    found = LearnedVerifier(settings(server, {"concurrency": 2}))([asked(str(n)) for n in range(30)])
    assert all(one.correct is None for one in found)
    assert len(server.asked) <= 4
    assert found[-1].note.startswith("not asked")


def test_questions_are_open_side_by_side(server):
    together = threading.Barrier(4, timeout=10)

    def reply(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        together.wait()
        return same(body)

    server.reply = reply
    assert all(
        one.correct is not None
        for one in LearnedVerifier(settings(server, {"concurrency": 4}))([asked(a) for a in "1234"])
    )


def test_a_server_without_the_model_a_refused_key_and_nobody_are_refused_at_the_start(server):
    def refused(**endpoint: Any) -> ConfigError:
        with pytest.raises(ConfigError) as error:
            configure_reward_model(settings(server, endpoint))
        return error.value

    assert refused(model="jugde").place == "reward_model.endpoint.model"
    assert "judge" in refused(model="jugde").remedy
    assert refused(url="http://127.0.0.1:9/v1").place == "reward_model.endpoint.url"
    assert "web address" in refused(url="localhost:8000").problem
    server.models = (401, {"error": "no key"})
    assert refused().place == "reward_model.endpoint.api_key_variable"
    server.models = (200, "<html>")
    assert refused().place == "reward_model.endpoint.url"
    server.models = (404, {})  # a server without a list is taken at its word
    configure_reward_model(settings(server))
    configure_reward_model(None)


def test_a_trained_model_s_folder_says_how_the_served_one_reads(server, tmp_path: Path):
    RewardModelCard("chain_of_thought", "gone", "Compare. ", "salt", max_tokens=33).write(tmp_path)
    LearnedVerifier(settings(server, path=str(tmp_path)))([asked("7")])
    assert text_of(server.asked[0]).startswith("Compare. Question: ")
    assert server.asked[0]["max_tokens"] == 33
    RewardModelCard("classic", "gone", "Compare. ", "salt").write(tmp_path)
    with pytest.raises(ConfigError, match="holds a classic one"):
        LearnedVerifier(settings(server, path=str(tmp_path)))


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({}, "reward_model"),
        ({"endpoint": {"url": "http://x", "model": "y"}, "engine": "vllm"}, "reward_model.engine"),
        ({"endpoint": {"url": "http://x", "model": "y"}, "dtype": "bfloat16"}, "reward_model.dtype"),
        ({"endpoint": {"url": "http://x", "model": "y"}, "kind": "classic"}, "reward_model.kind"),
    ],
)
def test_settings_that_contradict_one_another_are_refused_by_name(values, place):
    with pytest.raises(ConfigError) as error:
        build_settings(RewardModelSettings, values, "reward_model")
    assert error.value.place == place
