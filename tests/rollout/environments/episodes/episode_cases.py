"""Episodes with images behind the prompt, written by the engine of a small model with random weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from small_models import BUDGET, as_image, ask, pixels

from vlrl.model.load import LoadedModel
from vlrl.model.prompts.encode import Encoder
from vlrl.model.prompts.observation_text import Observation
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine, TransformersEngineSettings
from vlrl.types import Group, Image, Rollout, Text

COUNTS = (0, 1, 2, 4)  # images that the tools of each episode return, one a turn
PROMPTS = ((pixels(1), "red?"), ("3+4=?",), (pixels(2, 48, 16), "left", pixels(3), "right?"))
TURN = 5  # tokens


def roomy(loaded: LoadedModel) -> LoadedModel:
    """The same model with room for an episode."""
    return replace(loaded, context=1000)


def said(place: str, image: Image | None, ended: bool = False) -> Observation:
    """A result of a tool: an image between two texts, or a text alone."""
    pieces = (Text("red"), image, Text("<|im_end|> 3")) if image is not None else (Text("no 4"),)
    return Observation((pieces,), place, ended)


def episodes(loaded: LoadedModel, temperature: float = 1.0, **settings: Any) -> list[Group]:
    """len(COUNTS) episodes of each prompt, of four observations and five turns; the n-th image of an episode is image n
    of its problem's others, too.
    """
    loaded = roomy(loaded)
    encoder, problems = Encoder(loaded, BUDGET), [ask(*pieces) for pieces in PROMPTS]
    engine = TransformersEngine(loaded, TransformersEngineSettings(**settings))
    encoded = encoder(problems)
    sampling = Sampling(temperature=temperature, max_tokens=400)
    rollouts: list[tuple[Rollout, ...] | None] = [None] * len(problems)
    for turn in range(5):
        requests = [
            Request(one, len(COUNTS), sampling, seed, resume_from=rollouts[seed], new_tokens=TURN)
            for seed, one in enumerate(encoded)
        ]
        written = engine.generate(requests)
        if turn == 4:
            return [Group(*parts) for parts in zip(problems, written, encoded, strict=True)]
        for p, responses in enumerate(written):
            observations = [
                said(f"{p} {j}", as_image(pixels(10 + turn, 32, 16 * (1 + turn % 2))) if turn < count else None)
                for j, count in enumerate(COUNTS)
            ]
            rollouts[p] = tuple(
                replace(one, segments=(*one.segments, segment), finish_reason="unfinished")
                for one, segment in zip(responses, encoder.observe(observations), strict=True)
            )
    raise AssertionError("unreachable")
