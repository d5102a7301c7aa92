"""Asking a model about many problems: in batches, every batch on disk before the next, seeds by problem alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import torch

from vlrl.curation.answer_journal import Journal, Name
from vlrl.curation.stage import Answered, Question
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.encode import Encode
from vlrl.rollout.collector import collect
from vlrl.rollout.engine import RolloutEngine, Sampling
from vlrl.seeding import derive_seed
from vlrl.types import content_digest
from vlrl.verify.judge import judge_all, stop_on_faults

Told = Callable[[str, int, int, dict[str, float]], None]  # stage, done, of, figures


def model_hash(loaded: LoadedModel) -> str:
    """A digest of all weights by name, and of the chat template: what a pass rate was measured with."""
    parts: list[bytes | str] = [loaded.chat_template]
    for name, tensor in sorted(loaded.model.state_dict().items()):
        raw = tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
        parts += [name, f"{tensor.dtype} {tuple(tensor.shape)}", content_digest(raw.tobytes())]
    return content_digest(*parts)


class EngineAsk:
    """`Ask` over a rollout engine.

    engine          any RolloutEngine
    model_hash      of the model behind the engine
    conditions      what else an answer depends on (system prompt, image budget); part of the journal's key
    tokenize        (text, place) → token ids, for questions whose responses begin with a text
    batch           problems that are encoded and asked at a time
    max_fault_rate  share of faulted verdicts in one stage that stops the run, as in RL

    The seed of a problem's responses comes from `seed`, the stage and the problem, never from its place in a batch, so
    an interrupted run and a whole one give the same answers.
    """

    def __init__(
        self,
        encode: Encode,
        engine: RolloutEngine,
        journal: Journal,
        model_hash: str,
        seed: int,
        conditions: dict[str, Any] | None = None,
        batch: int = 32,
        max_fault_rate: float = 0.05,
        told: Told | None = None,
        tokenize: Callable[[str, str], Sequence[int]] | None = None,
    ) -> None:
        self._encode, self._engine, self._journal = encode, engine, journal
        self.model_hash, self.seed = model_hash, seed
        self._conditions = dict(conditions or {})
        self._tokenize = tokenize
        self._batch, self._max_fault_rate, self._told = batch, max_fault_rate, told
        self.asked = 0  # problems that the engine was asked in this session
        self.reused = 0  # problems whose answers were on disk

    def close(self) -> None:
        """End what the engine started."""
        self._engine.close()

    def __call__(self, stage: str, questions: Sequence[Question], sampling: Sampling, n: int) -> list[Answered]:
        """n responses to every question, in order.

        Raises EngineError if the engine read another content than the encoder made, VerifierFaultError if more verdicts
        than `max_fault_rate` are faults.
        """
        names = [self._name(stage, question, sampling, n) for question in questions]
        missing = {name: q for name, q in zip(names, questions, strict=True) if self._journal.get(name) is None}
        self.reused += len(set(names)) - len(missing)
        total, waiting = len(set(names)), list(missing.items())
        for start in range(0, len(waiting), self._batch):
            batch = waiting[start : start + self._batch]
            answers = self._ask(stage, [question for _, question in batch], sampling, n)
            self._journal.add([(name, answer) for (name, _), answer in zip(batch, answers, strict=True)])
            self.asked += len(batch)
            if self._told:
                done = total - len(waiting) + start + len(batch)
                judged = sum(answer.judged for answer in answers)
                figures = {"accuracy/mean": sum(answer.correct for answer in answers) / judged} if judged else {}
                self._told(stage, done, total, figures)
        found = [self._journal.get(name) for name in names]
        answered = [answer for answer in found if answer is not None]
        assert len(answered) == len(questions), "every question was asked or held"
        self._check_faults(stage, answered)
        return answered

    def _name(self, stage: str, question: Question, sampling: Sampling, n: int) -> Name:
        depends_on = {
            "model": self.model_hash,
            "seed": self.seed,
            "sampling": sampling.model_dump(mode="json"),
            "n": n,
            "asked": question.asked.id,
            "conditions": self._conditions,
            **({"begin": question.begin} if question.begin else {}),
        }
        return stage, content_digest(json.dumps(depends_on, sort_keys=True))[:16], question.problem.id

    def _ask(self, stage: str, questions: Sequence[Question], sampling: Sampling, n: int) -> list[Answered]:
        seeds = [derive_seed(self.seed, "curation", stage, question.problem.id) for question in questions]
        asked = [question.asked for question in questions]
        begins = [self._begin(question) for question in questions]
        groups = collect(self._encode, self._engine, asked, sampling, n, seeds, begins if any(begins) else None)
        pairs = list(zip(questions, groups, strict=True))
        by_verifier = iter(
            judge_all([(q.problem, [r.text for r in group.rollouts]) for q, group in pairs if q.judged_by is None])
        )
        verdicts = [
            next(by_verifier) if q.judged_by is None else tuple(q.judged_by(r.text) for r in group.rollouts)
            for q, group in pairs
        ]
        return [
            Answered(group.rollouts, group_verdicts) for group, group_verdicts in zip(groups, verdicts, strict=True)
        ]

    def _begin(self, question: Question) -> tuple[int, ...]:
        if not question.begin:
            return ()
        assert self._tokenize is not None, "who asks for a beginning gives a tokenizer"
        return tuple(self._tokenize(question.begin, f"problem {question.problem.id}, the hint"))

    def _check_faults(self, stage: str, answered: Sequence[Answered]) -> None:
        remedy = "mend the verifier or the problems, or raise max_fault_rate"
        stop_on_faults(
            [v for answer in answered for v in answer.verdicts], self._max_fault_rate, f"stage {stage!r}", remedy
        )
