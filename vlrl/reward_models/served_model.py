"""A reward model that reasons, behind a server with OpenAI's interface: same prompts, same reading of replies."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from vlrl.reward_models.judged_row import as_judged
from vlrl.reward_models.judging_models import judgements_of
from vlrl.reward_models.reward_model_card import RewardModelCard
from vlrl.seeding import derive_seed
from vlrl.types import Problem
from vlrl.verify.learned.chat_endpoint import EndpointSettings, NoReplyError, Reply
from vlrl.verify.learned.reward_model import AskedAnswer, Judgement

PLACE = "reward_model.endpoint"


@dataclass(frozen=True)
class ServedModel:
    """Judgements by a served model, `endpoint.concurrency` questions at a time. Images go as they are on disk.

    A question without a usable reply has no verdict, which becomes a fault. Where the first `concurrency` questions of
    a batch all go unanswered the rest of it isn't asked.
    """

    endpoint: EndpointSettings
    card: RewardModelCard
    seed: int = 0

    def __call__(self, asked: Sequence[AskedAnswer]) -> list[Judgement]:
        """Judgements as `judgements_of` reads them."""
        problems = [as_judged(one, self.card.instruction, self.card.salt) for one in asked]
        line = _Line(self.endpoint.concurrency)

        def replies(places: Sequence[int], temperature: float, attempt: int) -> list[Reply | Judgement]:
            pool = ThreadPoolExecutor(self.endpoint.concurrency)
            try:
                return list(pool.map(lambda i: self._reply(line, problems[i], temperature, attempt), places))
            finally:
                pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C doesn't wait for questions behind it

        return judgements_of([None] * len(problems), replies)

    def _reply(self, line: _Line, problem: Problem, temperature: float, attempt: int) -> Reply | Judgement:
        if line.dead:
            return Judgement(None, note=f"not asked: none of the {self.endpoint.concurrency} before it had a reply")
        seed = derive_seed(self.seed, "reward model", problem.id, attempt) % 2**31
        try:
            reply = self.endpoint.ask(problem.prompt, self.card.max_tokens, temperature, seed, PLACE)
        except (NoReplyError, OSError) as error:  # OSError: of an image
            line.note(answered=False)
            return Judgement(None, note=f"no reply: {error}")
        line.note(answered=True)
        return reply


class _Line:
    """Whether a server has answered anything yet."""

    def __init__(self, patience: int) -> None:
        self._patience, self._failed, self._answered = patience, 0, False
        self._lock = threading.Lock()

    def note(self, answered: bool) -> None:
        """One question's end."""
        with self._lock:
            self._answered |= answered
            self._failed += not answered

    @property
    def dead(self) -> bool:
        """Whether that number of questions failed, and none was answered."""
        with self._lock:
            return not self._answered and self._failed >= self._patience
