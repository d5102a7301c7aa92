"""The two kinds of reward model at work: many answers in, a judgement on each out, in order.

Both read the same prompts. What can't be read (longer than the context, an image that is gone) is a judgement without
a verdict, which becomes a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from vlrl.errors import DataError
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.encode import Encoded, Encoder
from vlrl.model.training.forward import PackedForward
from vlrl.reward_models.judged_row import as_judged
from vlrl.reward_models.reward_model_card import RewardModelCard
from vlrl.reward_models.value_head import ValueHead, logits_of
from vlrl.rollout.collector import collect
from vlrl.rollout.engine import Generates, Sampling
from vlrl.seeding import derive_seed
from vlrl.types import Problem
from vlrl.verify.learned.chat_endpoint import Reply
from vlrl.verify.learned.judgement import read_judgement
from vlrl.verify.learned.reward_model import AskedAnswer, Judgement

RETRY_TEMPERATURE = 0.7  # ours: a greedy reply without a verdict would be the same again
SHOWN = 120  # characters of a reply without a verdict


@dataclass(frozen=True)
class ClassicModel:
    """A value head on a model: right where its probability reaches the threshold."""

    loaded: LoadedModel
    encoder: Encoder
    forward: PackedForward
    head: ValueHead
    card: RewardModelCard
    threshold: float = 0.5

    def __call__(self, asked: Sequence[AskedAnswer]) -> list[Judgement]:
        """Judgements with probabilities."""
        problems = [as_judged(one, self.card.instruction, self.card.salt) for one in asked]
        read = read_prompts(self.encoder, problems, self.loaded.context - 1)
        prompts = [one for one in read if isinstance(one, Encoded)]
        logits = logits_of(self.loaded, self.forward, self.head, prompts) if prompts else torch.empty(0)
        values = iter(torch.sigmoid(logits).tolist())
        return [Judgement(None, note=one) if isinstance(one, str) else self._judgement(next(values)) for one in read]

    def _judgement(self, probability: float) -> Judgement:
        return Judgement(probability >= self.threshold, probability, f"p = {probability:.3f}")


@dataclass(frozen=True)
class ChainOfThoughtModel:
    """A model that reasons and ends in a JSON judgement; a reply without one is asked for once more, at a temperature.

    Raises EngineError as the engine does.
    """

    loaded: LoadedModel
    encoder: Encoder
    engine: Generates
    card: RewardModelCard
    seed: int = 0

    def __call__(self, asked: Sequence[AskedAnswer]) -> list[Judgement]:
        """Judgements as `judgements_of` reads them."""
        problems = [as_judged(one, self.card.instruction, self.card.salt) for one in asked]
        room = self.loaded.context - self.card.max_tokens
        prompts = read_prompts(self.encoder, problems, room)

        def replies(places: Sequence[int], temperature: float, attempt: int) -> list[Reply]:
            encoded = [one for i in places if isinstance(one := prompts[i], Encoded)]
            chosen = [problems[i] for i in places]
            sampling = Sampling(temperature=temperature, max_tokens=self.card.max_tokens)
            seeds = [derive_seed(self.seed, "reward model", problem.id, attempt) for problem in chosen]
            groups = collect(lambda _: encoded, self.engine, chosen, sampling, 1, seeds)
            return [Reply(one.rollouts[0].text, one.rollouts[0].finish_reason == "stop") for one in groups]

        return judgements_of([Judgement(None, note=one) if isinstance(one, str) else None for one in prompts], replies)


def judgements_of(
    known: Sequence[Judgement | None], replies: Callable[[Sequence[int], float, int], Sequence[Reply | Judgement]]
) -> list[Judgement]:
    """A judgement for each place, those that are None by a model's replies: greedy first, and where a reply has no
    verdict once more at a temperature. Where both have none, `correct` is None and the note is the end of the second.

    replies  (places, temperature, attempt 0 or 1) → a reply for each place, or the judgement where none comes
    """
    found = list(known)
    for attempt, temperature in enumerate((0.0, RETRY_TEMPERATURE)):
        places = [i for i, one in enumerate(found) if one is None]
        for i, reply in zip(places, replies(places, temperature, attempt) if places else (), strict=True):
            if isinstance(reply, Judgement):
                found[i] = reply
            elif (said := read_judgement(reply.text) if reply.ended else None) is not None:
                found[i] = Judgement(said)
            elif attempt:
                end = " ".join(reply.text.split())[-SHOWN:]
                found[i] = Judgement(None, note=repr(end) + ("" if reply.ended else ", cut off"))
    return [one for one in found if one is not None]


def read_prompts(encoder: Encoder, problems: Sequence[Problem], room: int) -> list[Encoded | str]:
    """Encoded prompts of at most `room` tokens, in order; in place of one that can't be read, the reason."""
    try:
        encoded: list[Encoded | str] = list(encoder.encode(problems))
    except (DataError, OSError):
        encoded = [_read_one(encoder, problem) for problem in problems]
    return [
        f"its prompt takes {one.num_tokens} tokens, there is room for {room}"
        if isinstance(one, Encoded) and one.num_tokens > room
        else one
        for one in encoded
    ]


def _read_one(encoder: Encoder, problem: Problem) -> Encoded | str:
    try:
        return encoder.encode([problem])[0]
    except (DataError, OSError) as error:
        return f"can't be read: {error}"
