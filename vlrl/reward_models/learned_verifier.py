"""A reward model as the verifier of a run: opened when it is first asked, in batches, remembered by content.

    reward_model: {path: runs/reward_models/quickstart/chain_of_thought}

in a config gives problems with `verifier: reward_model` their judge. Where it shares a CUDA device with the policy its
weights wait in the memory of the host while nothing is judged; with `engine: vllm` it sleeps in a process of its own;
with `endpoint: {url: …, model: …}` a server asks it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch

from vlrl.data.images.image_budget import ImageBudget
from vlrl.model.load import LoadedModel, load_folder
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.forward import PackedForward
from vlrl.reward_models.judge_process import JudgeProcess
from vlrl.reward_models.judged_row import content_of
from vlrl.reward_models.judging_models import ChainOfThoughtModel, ClassicModel
from vlrl.reward_models.reward_model_card import RewardModelCard
from vlrl.reward_models.reward_model_settings import RewardModelSettings
from vlrl.reward_models.served_model import ServedModel
from vlrl.reward_models.value_head import load_head
from vlrl.verify.learned.asked_answer import tame
from vlrl.verify.learned.reward_model import AskedAnswer, JudgeAnswers, Judgement, use_reward_model

REMEMBERED = 100_000  # judgements


@dataclass(frozen=True)
class OpenedModel:
    """A reward model in memory; without `loaded` it lies in another process, or is served."""

    loaded: LoadedModel | None
    judges: JudgeAnswers


def open_reward_model(settings: RewardModelSettings, place: str = "reward_model") -> OpenedModel:
    """Load it. Raises ConfigError for a folder that can't be used, or a server that doesn't serve it."""
    card = settings.card(place)
    if settings.endpoint is not None:
        settings.endpoint.check(f"{place}.endpoint")
        return OpenedModel(None, ServedModel(settings.endpoint, card))
    if settings.apart:
        return OpenedModel(None, JudgeProcess(settings, place))
    loaded = load_folder(str(settings.weights), settings.model(), place=f"{place}.path")
    loaded.model.requires_grad_(False)
    return opened_on(loaded, card, settings)


def opened_on(loaded: LoadedModel, card: RewardModelCard, settings: RewardModelSettings) -> OpenedModel:
    """The reward model of a card over loaded weights. Raises ConfigError for a head that doesn't fit."""
    encoder = Encoder(loaded, ImageBudget.model_validate(card.image), "")
    if card.kind == "classic":
        forward = PackedForward(loaded, settings.micro_batch_tokens, vision_trains=False)
        head = load_head(settings.folder / card.weights, loaded)
        return OpenedModel(
            loaded,
            ClassicModel(loaded, encoder, forward, head, card, settings.threshold),
        )
    # graphs hold addresses of weights, which move when they sleep
    held = settings.engine.model_copy(update={"cuda_graphs": settings.engine.cuda_graphs and not settings.sleeps})
    engine = held.open(loaded)
    return OpenedModel(loaded, ChainOfThoughtModel(loaded, encoder, engine, card))


class LearnedVerifier:
    """Judgements of a reward model: asked once for each content, in batches.

    asked, remembered, unparsed  answers that the model was asked about, those that were known, and judgements without
                                 a verdict

    Raises ConfigError where it is made for a folder that can't be used, before any weight is read, or for a server that
    doesn't serve the model.
    """

    def __init__(self, settings: RewardModelSettings, opened: OpenedModel | None = None) -> None:
        self._settings, self._opened = settings, opened
        if opened is None:
            settings.card()
            if settings.apart or settings.endpoint is not None:  # nothing is loaded: refused now what can be
                self._opened = open_reward_model(settings)
        self._known: OrderedDict[str, Judgement] = OrderedDict()
        self.asked = self.remembered = self.unparsed = 0

    def __call__(self, asked: Sequence[AskedAnswer]) -> list[Judgement]:
        """A judgement for each, in order."""
        keys = [content_of(one.problem, one.answer) for one in asked]
        new = {key: one for key, one in zip(keys, asked, strict=True) if key not in self._known}
        self.asked, self.remembered = self.asked + len(new), self.remembered + len(asked) - len(new)
        fresh = dict(zip(new, self._judged(list(new.values())), strict=True)) if new else {}
        self.unparsed += sum(one.correct is None for one in fresh.values())
        found = [fresh[key] if key in fresh else self._known[key] for key in keys]
        self._known |= {key: one for key, one in fresh.items() if one.correct is not None}
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found

    def _judged(self, asked: Sequence[AskedAnswer]) -> list[Judgement]:
        found: list[Judgement] = []
        with self._awake() as judges:
            for start in range(0, len(asked), self._settings.batch):
                batch = asked[start : start + self._settings.batch]
                if not self._settings.swap:
                    found += judges(batch)
                    continue
                both = judges([*batch, *(swapped(one) for one in batch)])
                found += [agreed(*pair) for pair in zip(both[: len(batch)], both[len(batch) :], strict=True)]
        return found

    @contextmanager
    def _awake(self) -> Iterator[JudgeAnswers]:
        if self._opened is None:
            self._opened = open_reward_model(self._settings)
        loaded, judges = self._opened.loaded, self._opened.judges
        moves = loaded is not None and self._settings.sleeps and loaded.device.type == "cuda"
        if loaded is not None and moves:
            loaded.model.to(loaded.device)
        try:
            yield judges
        finally:
            if isinstance(judges, JudgeProcess):
                judges.sleep()
            elif loaded is not None and moves:
                loaded.model.to("cpu")
                torch.cuda.empty_cache()

    def close(self) -> None:
        """End the process of its own where it has one."""
        if self._opened is not None and isinstance(self._opened.judges, JudgeProcess):
            self._opened.judges.close()


def swapped(asked: AskedAnswer) -> AskedAnswer:
    """Answer and reference in each other's places: whether they mean the same doesn't depend on who said which."""
    return AskedAnswer(replace(asked.problem, answer=asked.answer), tame(asked.problem.answer))


def agreed(first: Judgement, second: Judgement) -> Judgement:
    """One judgement of both orders: right where both say so, without a verdict where one has none."""
    if first.correct is None or second.correct is None:
        return first if first.correct is None else second
    known = [one.probability for one in (first, second) if one.probability is not None]
    note = "" if first.correct == second.correct else "not when swapped"
    return Judgement(first.correct and second.correct, min(known) if known else None, note)


_configured: LearnedVerifier | None = None


def configure_reward_model(settings: RewardModelSettings | None) -> None:
    """The reward model that verdicts ask from here on; None: there is none. Weights are read at the first verdict, and
    a judge in a process of its own that was configured before ends.

    Raises ConfigError for a folder without one, a model that its engine can't take, or a server without it.
    """
    global _configured
    if _configured is not None:
        _configured.close()
    _configured = None
    use_reward_model(None)
    if settings is not None:
        _configured = LearnedVerifier(settings)
        use_reward_model(_configured, settings.max_answer_chars)
