"""How long an episode may be and what its tools may take: what every environment of several turns can say."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from vlrl.config import PACE, Settings
from vlrl.data.images.image_budget import ImageBudget
from vlrl.errors import ConfigError
from vlrl.registry import component_field
from vlrl.rollout.boundaries.boundary import boundary_hooks
from vlrl.rollout.environments.calls.call_formats import call_formats, hermes
from vlrl.rollout.environments.environment import Environment

END_SECONDS = 5.0  # for a process to be ended and its end to be told


class ToolImages(Settings):
    """Images that tools return: their size in pixels, and how many may be shown."""

    min_pixels: int | None = Field(default=None, ge=1, description="pixels at least; default: the recipe's")
    max_pixels: int | None = Field(default=None, ge=1, description="pixels at most; default: the recipe's")
    per_turn: int = Field(default=1, ge=0, description="images that the results of one turn may show")
    per_episode: int = Field(default=12, ge=0, description="images that the results of an episode may show")

    @model_validator(mode="after")
    def _both_or_none(self) -> ToolImages:
        if (self.min_pixels is None) != (self.max_pixels is None):
            raise ValueError("min_pixels and max_pixels belong together: give both or neither")
        return self

    @property
    def budget(self) -> ImageBudget | None:
        """None: that of prompts."""
        if self.min_pixels is None or self.max_pixels is None:
            return None
        return ImageBudget(min_pixels=self.min_pixels, max_pixels=self.max_pixels)


class EpisodeSettings(Environment):
    """Limits of an episode. `sampling.max_tokens` is that of a whole episode, observations included.

    over_limit  what an episode earns that a limit ended before it was over: no part in baseline and update
                (`no_gradient`), or a score of 0 (`zero`)
    """

    turns: int = Field(default=6, ge=1, description="turns of the policy in training")
    evaluation_turns: int | None = Field(
        default=None, ge=1, description="turns in evaluations; default: as in training"
    )
    tokens_per_turn: int = Field(default=1024, ge=1, description="tokens that the policy may write in one turn")
    calls_per_turn: int = Field(default=4, ge=1, description="calls of one turn that are made; others are refused")
    image: ToolImages = ToolImages()
    over_limit: Literal["no_gradient", "zero"] = "no_gradient"
    next_turn: Literal["together", "as_answered"] = Field(
        default="together",
        description="when turns begin: all once every tool has answered, or each once its own has: log-probabilities "
        "may then differ in their last digits from run to run",
    )
    call_format: component_field(call_formats, default="hermes") = hermes  # type: ignore[valid-type]
    describe_tools: bool = Field(default=True, description="whether prompts describe the tools")
    result_characters: int = Field(default=20_000, ge=1, description="of one result; a longer one is dropped whole")
    tool_seconds: float = Field(
        default=10.0, gt=0.0, description="that the calls of one turn may take", json_schema_extra=PACE
    )
    episode_memory_mib: int | None = Field(
        default=None,
        ge=16,
        description="that tools of one episode may take beside their libraries, in a process of its own; "
        "null: threads of the run's process, without a limit",
    )
    workers: int = Field(
        default=16, ge=1, le=256, description="episodes whose tools run at a time", json_schema_extra=PACE
    )
    duplicate_iou: float = Field(
        default=0.5, ge=0.0, le=1.0, description="overlap of boxes from which a call counts as a repetition"
    )
    on_boundary: tuple[component_field(boundary_hooks), ...] = Field(  # type: ignore[valid-type]
        default=(),
        description="hooks that may stop, shorten, lead on or repeat what the policy writes; none: nobody looks",
    )
    reward_range: tuple[float, float] = Field(
        default=(0.0, 1.0), description="lowest and highest reward of the environment; the highest counts as correct"
    )

    @property
    def patience_seconds(self) -> float:
        """How long an answer is waited for: a process has its own deadline, and is ended behind it."""
        return self.tool_seconds + (0.0 if self.episode_memory_mib is None else END_SECONDS)

    @property
    def turns_apart(self) -> bool:
        """Each as soon as the one before it was answered."""
        return self.next_turn == "as_answered"

    @model_validator(mode="after")
    def _a_range(self) -> EpisodeSettings:
        low, high = self.reward_range
        if not low < high:
            raise ValueError(f"reward_range is [{low:g}, {high:g}]: give the lowest reward, then a higher one")
        return self

    @model_validator(mode="after")
    def _no_hooks_between(self) -> EpisodeSettings:
        if self.turns_apart and self.on_boundary:
            raise ConfigError(
                "environment.next_turn",
                "as_answered: hooks are asked between turns that all wait",
                "next_turn: together",
            )
        return self
