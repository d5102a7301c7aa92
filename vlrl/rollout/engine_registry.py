"""What an engine declares of itself: `engine: vllm` or `engine: {name: vllm, …}` in a config makes these settings.

An engine is a class of settings, derived from `EngineSettings` and registered under its name, and the `RolloutEngine`
that its `open` returns. Everything that the rest of the program has to know of it stands in the settings: what they can
take (`check`), what it can do (`capabilities`) and what it holds in memory (`memory`). The engines of this
package are filed when somebody first looks one up: the registry below names their modules (`homes`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from vlrl.config import Settings
from vlrl.errors import ConfigError
from vlrl.installation.extras import require_library
from vlrl.registry import Registry, component_field
from vlrl.rollout.engine import Generates, RolloutEngine

if TYPE_CHECKING:  # an actor's process reads this file at its start; torch and transformers would take it seconds
    import torch

    from vlrl.model.cost import CostModel
    from vlrl.model.load import LoadedModel

Parts = dict[str, int]
METHODS = tuple(name for one in (Generates, RolloutEngine) for name in vars(one) if not name.startswith("_"))


@dataclass(frozen=True)
class EngineCapabilities:
    """What an engine can do and what it needs. The defaults are those of an engine in the trainer's process that can
    do everything which a request may ask, but for images behind the prompt.

    partial_rollouts   goes on with responses of an earlier call (`Request.resume_from`, `new_tokens`)
    observed_images    reads images in the responses that it goes on with (observations of an environment)
    exact_resume       sampled responses, too, are the same however they are cut into calls; else only greedy ones are
    next_turns         goes on with a response within a call, as soon as it is longer (`GeneratesTurns`)
    early_exit         may return before the last responses have ended, where a request allows it (`early_exit_below`)
    serves_all_ranks   has processes of its own: the first rank opens it for all, and it saves the model once meanwhile
    in_step            starts, ends and replaces a failed engine on all ranks together, so that each call reaches every
                       rank's, one without requests too
    ranks_per_engine   neighbouring ranks that are one engine together and get the same requests
    records_routing    says which experts of a mixture the tokens went to (`Request.record_routing`)
    library, remedy    the module that must be installed, None: no other; and how to get it
    """

    partial_rollouts: bool = True
    observed_images: bool = False
    exact_resume: bool = True
    next_turns: bool = False
    early_exit: bool = True
    serves_all_ranks: bool = False
    in_step: bool = False
    ranks_per_engine: int = 1
    records_routing: bool = False
    library: str | None = None
    remedy: str = ""


@dataclass(frozen=True)
class EngineLoad:
    """What a phase of a run asks of its engine at most, for `EngineSettings.memory`. Sizes are in bytes.

    device, device_bytes  where the policy lies, and all that this device has
    cost                  of the model
    dtype                 of its weights
    weights               of the whole model, once
    language              numbers of parameters in the language model
    merged                adapted layers with their adapters added in, as an engine with weights of its own takes them
    ranks                 that share the problems
    problems, responses   of one call, and responses to each problem
    prompt, longest       tokens of the longest prompt, and of a response at most
    begun                 tokens that a response may have when the call begins
    """

    device: torch.device
    device_bytes: int
    cost: CostModel
    dtype: torch.dtype
    weights: int
    language: int
    merged: int
    ranks: int
    problems: int
    responses: int
    prompt: int
    longest: int
    begun: int = 0

    def wave(self, max_num_seqs: int, max_num_batched_tokens: int) -> Parts:
        """What this many responses at once take: keys and values, the largest pass that reads, and logits.

        Prompts, and responses that are begun, are read in passes of `max_num_batched_tokens`; the longest stands alone.
        """
        from vlrl.model.memory import RolloutLoad, cache_bytes, logit_bytes

        prompts = min(
            -(-self.problems // self.ranks),
            max(1, max_num_seqs // self.responses),
            max(1, max_num_batched_tokens // self.prompt),
        )
        load = RolloutLoad(prompts, prompts * self.responses, self.prompt, self.longest)
        begun = prompts * (self.prompt + self.responses * self.begun)
        read = max(self.prompt + self.begun, min(max_num_batched_tokens, begun))
        return {
            "keys and values": cache_bytes(self.cost, load),
            "reading": self.cost.reading_bytes(read) + self.cost.cache_bytes(read),
            "logits": logit_bytes(int(self.cost.config.get_text_config().vocab_size), load.rows),
        }


@dataclass(frozen=True)
class EngineMemory:
    """Bytes by part that an engine holds while it writes, awake between two calls, and asleep; the model's own weights
    are counted elsewhere.

    apart  what each of its processes holds at most on a device of its own, of the policy's kind; empty: it has none
    given  of weights of its own, as they are handed over; 0: it writes with the policy's
    """

    writing: Parts
    awake: Parts
    asleep: Parts
    apart: Parts = field(default_factory=dict)
    given: int = 0


class EngineSettings(Settings):
    """Base of every engine's settings.

    max_num_seqs            responses that are written at once at most; a field or a property
    max_num_batched_tokens  tokens of one forward pass over prompts at most; a field or a property
    """

    if TYPE_CHECKING:

        @property
        def max_num_seqs(self) -> int: ...

        @property
        def max_num_batched_tokens(self) -> int: ...

    @property
    def capabilities(self) -> EngineCapabilities:
        """What the engine can do and needs, with these settings."""
        return EngineCapabilities()

    @property
    def inner(self) -> EngineSettings | None:
        """The engine that this one runs in processes of its own (`engine.engine`); None where it writes itself."""
        return None

    @abstractmethod
    def check(self, config: Any, device: torch.device, context: int, dtype: torch.dtype) -> None:
        """Raises ConfigError, before weights are read, for a model's configuration, a device, a context in tokens or a
        precision that the engine can't take.
        """

    def check_ranks(self, ranks: int) -> None:
        """Raises ConfigError where the engine can't work in a process that is one of this many. By default it can."""

    def check_adapters(self, place: str, parts: Sequence[str]) -> None:
        """Raises ConfigError where the engine can't write with adapters in these parts of the model, which the settings
        at `place` ask for. By default it can: `load_weights` is given whole weights.
        """

    def check_memory(
        self, config: Any, device: torch.device, context: int, dtype: torch.dtype, device_bytes: int, weights: int
    ) -> None:
        """Raises ConfigError where a device of this many bytes leaves too little beside weights of this many. By
        default there is no such bound.
        """

    @abstractmethod
    def memory(self, load: EngineLoad) -> EngineMemory:
        """What the engine holds under this load, for `vlrl plan`. Most begin with `load.wave`."""

    @abstractmethod
    def open(self, loaded: LoadedModel) -> RolloutEngine:
        """The engine over, or beside, the loaded model."""


engines: Registry[Any] = Registry(
    "engine",
    base=EngineSettings,
    has=("max_num_seqs", "max_num_batched_tokens"),
    docs="docs/engines.md",
    homes=(
        "vlrl.rollout.transformers.transformers_settings",
        "vlrl.rollout.vllm.vllm_settings",
        "vlrl.rollout.ray.ray_settings",
    ),
)
EngineField = component_field(engines, default="transformers")


def default_engine() -> EngineSettings:
    """The engine of a config that names none."""
    made: EngineSettings = engines.build("transformers")
    return made


def name_of(settings: EngineSettings) -> str:
    """How a config names this engine."""
    return engines.name_of(settings) or type(settings).__name__


def require_engine(settings: EngineSettings) -> None:
    """Raises ConfigError where the library of an engine, or of the engine inside of it, is missing."""
    place, one = "engine", cast("EngineSettings | None", settings)
    while one is not None:
        require_library(one.capabilities.library, one.capabilities.remedy, place)
        place, one = f"{place}.engine", one.inner


def opened(settings: EngineSettings, loaded: LoadedModel) -> RolloutEngine:
    """The engine of these settings. Raises ConfigError where what `open` returns lacks a method of the protocol."""
    engine = settings.open(loaded)
    if lacking := [name for name in METHODS if not callable(getattr(engine, name, None))]:
        raise ConfigError(
            f"engine {name_of(settings)!r}",
            f"its {type(engine).__name__} has no {', '.join(lacking)}",
            "vlrl.rollout.engine.RolloutEngine says what each does; see docs/engines.md",
        )
    return engine
