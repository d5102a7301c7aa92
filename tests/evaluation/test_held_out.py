"""Answers to held-out problems hold responses and verdicts, and none of what was encoded for them."""

from __future__ import annotations

from small_models import BUDGET, ask, pixels

from vlrl.evaluation.held_out import answer_all
from vlrl.model.prompts.encode import Encoder
from vlrl.rollout.engine import Sampling
from vlrl.rollout.environments.single_turn import SingleTurn
from vlrl.rollout.scripted_engine import ScriptedEngine


def test_encoded_prompts_are_let_go_with_their_pixels(qwen3):
    """A run's held-out set is asked in parts so that its pixels fit in memory: they must not stay with the answers."""
    problems = [ask(pixels(1), "How many?"), ask("3+4=?")]
    engine = ScriptedEngine(lambda problem: ("7",), qwen3.tokenizer)
    encode = Encoder(qwen3, BUDGET).encode
    answers = answer_all(SingleTurn(), encode, engine, problems, Sampling(max_tokens=8), 2, seed=0)
    assert [group.problem for group in answers.groups] == problems
    assert all(group.encoded is None for group in answers.groups)
    assert [[v.correct for v in row] for row in answers.verdicts] == [[True, True]] * 2
