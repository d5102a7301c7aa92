"""Memory that a run needs, by phase and part, for `vlrl plan`: what each stage holds while it learns and asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from vlrl.data.stored_rollouts import largest_group
from vlrl.installation.host import describe_machine
from vlrl.model.cost import CostModel, Load
from vlrl.model.families.family import family_of
from vlrl.model.load import DTYPES, context_of
from vlrl.model.memory import BYTES
from vlrl.model.sizes import Architecture, ParameterCounts, count_parameters, find_architecture
from vlrl.model.training.torch_policy import PolicySettings
from vlrl.plan.plan_reward_model import judge_memory
from vlrl.plan.plan_work import SourcePlan, cost_model, pieces_of
from vlrl.rollout.engine import Sampling
from vlrl.rollout.engine_registry import EngineLoad, EngineMemory, Parts
from vlrl.training.fixed_set_settings import FixedSetSettings
from vlrl.training.lifecycle.stage_inputs import LEAVES
from vlrl.training.rl.rl_settings import NO_STATISTICS
from vlrl.training.run_settings import RunSettings, Stage
from vlrl.training.teacher.reference_model import ReferenceModel


@dataclass(frozen=True)
class OtherModel:
    """A model that is only read: its costs, and the bytes of its weights and of its store of features."""

    cost: CostModel
    weights: int
    features: int


class MemoryPlan:
    """Bytes by phase and part, all responses at their longest and prompts as long as the longest of the sample.

    Of several ranks: those of one, which takes its share of the rows. `device_bytes` is all that the device has. How
    long demonstrations and pairs are isn't known before they are read: their responses count as long as those of
    evaluation.
    """

    def __init__(
        self,
        settings: RunSettings,
        arch: Architecture,
        counts: ParameterCounts,
        sources: Sequence[SourcePlan],
        device: torch.device,
        device_bytes: int,
        ranks: int = 1,
    ) -> None:
        self._settings, self._arch, self._counts, self._ranks = settings, arch, counts, ranks
        self._device, self._device_bytes = device, device_bytes
        self._backend = settings.backend
        self._weights = counts.total * BYTES[settings.model.dtype]
        self._prompt = max(p.tokens for s in sources for p in s.prompts)
        images = max((p.images for s in sources for p in s.prompts), key=sum)
        merge = family_of(arch.config).merge(arch.config)
        self._patches = tuple(tokens * merge for tokens in images)
        self._modalities = len({source.modality for source in sources})
        self._judge = judge_memory(settings.reward_model, device, device_bytes, self._prompt)
        self._apart: list[Parts] = []  # what an actor holds on a device of its own, by phase

    def phases(self) -> dict[str, Parts]:
        """Every phase of the run's stages, in order."""
        settings = self._settings
        memory: dict[str, Parts] = {}
        for stage in settings.stages:
            if stage == "sft":
                sft_phases = settings.sft.in_order
                for number, one in enumerate(sft_phases, 1):
                    stored = settings.sft.rollouts
                    count = 1 if stored is None else largest_group(stored.runs, stored.from_step)
                    memory |= self._fixed_set("sft", one, f" {number}" if len(sft_phases) > 1 else "", count)
            elif stage == "record":
                memory |= self._record()
            elif stage == "distil":
                length = (settings.record or settings.eval).sampling.max_tokens
                memory |= self._fixed_set("distil", settings.distil, length=length)
            elif stage == "dpo":
                memory |= self._fixed_set("dpo", settings.dpo, responses=2)
            elif stage == "rl":
                memory |= self._rl()
            elif stage == "eval":
                held = settings.eval
                engine = self._engine(PolicySettings(), held.problems * self._modalities, held.samples, held.sampling)
                memory["eval"] = {**self._read_weights, **engine.writing}
                memory |= self._verdicts("eval", self._read_weights, engine)
        for name, parts in memory.items():
            if self._patches:
                parts["features of images"] = settings.model.feature_store_mib * 2**20
            if not name.endswith("verdicts"):
                parts |= self._judge.asleep
        apart = max(self._apart, key=lambda parts: sum(parts.values()), default={})
        return {**self._start(), **memory, **({"an actor": apart} if apart else {})} or {"prepare": {"weights": 0}}

    def _start(self) -> dict[str, Parts]:
        """What opening a policy takes, where that is another thing than training it: the most of all stages."""
        opened: list[Parts] = [
            self._backend.start_bytes(self._counts, self._settings.model, policy, self._ranks)
            for _, policy in self._settings.policies
        ]
        largest = max(opened, key=lambda parts: sum(parts.values()), default={})
        return {"start": largest} if largest else {}

    # -- stages -------------------------------------------------------------------------------------------------------

    def _fixed_set(
        self, stage: Stage, one: FixedSetSettings, number: str = "", responses: int = 1, length: int | None = None
    ) -> dict[str, Parts]:
        """Updates on rows of a fixed set, whose responses stay together, and the validation in between.

        The best weights are kept beside the model's.
        """
        settings = self._settings
        best = {"best weights": self._state(one.policy)["weights"]}
        length = length or settings.eval.sampling.max_tokens
        update, validation = self._update_and_validation(one.policy, one.batch, responses, length, responses)
        phases = {f"{stage} update{number}": update | best, f"{stage} validation{number}": validation | best}
        return phases | self._verdicts(
            f"{stage} validation{number}", self._held(one.policy) | best, self._asking(one.policy)
        )

    def _record(self) -> dict[str, Parts]:
        """The model writes; then it and the teacher read. The engine doesn't sleep meanwhile."""
        record = self._settings.record
        assert record is not None, "the settings refuse the stage without it"
        policy = PolicySettings(micro_batch_tokens=record.micro_batch_tokens)
        k, length = record.rollouts, record.sampling.max_tokens
        engine = self._engine(policy, record.batch, k, record.sampling)
        teacher = self._model_of(record.teacher, "record.teacher")
        both = {**self._read_weights, **self._others({"teacher": teacher})}
        reading = self._reading(policy, record.batch, k, length, [teacher])
        return {"record rollout": both | engine.writing, "record reading": both | engine.awake | reading}

    def _rl(self) -> dict[str, Parts]:
        """Rollouts, the reading of them where parts of credit ask for numbers of tokens, updates and validation."""
        rl = self._settings.rl
        policy, k, length = rl.policy, rl.rollouts_per_problem, rl.sampling.max_tokens
        named = {"teacher": rl.teacher, "previous": rl.previous, "reference": rl.reference}
        models = {name: self._model_of(one, f"rl.{name}") for name, one in named.items() if one is not None}
        others = self._others(models)
        begun = 1 if rl.partial is None else -(-length // rl.partial.budget)  # iterations that a group waits in
        engine = self._engine(policy, rl.problems_per_step * begun, k, rl.sampling, begun=length if rl.partial else 0)
        held = self._held(policy)
        memory = {"rl rollout": {**held, **engine.writing, **others}}
        memory |= self._verdicts("rl rollout", {**held, **others}, engine)
        if self._backend.in_shards and engine.given:  # else it takes the policy's own tensors
            memory = {"rl hand-over": {**held, **engine.awake, **self._gathered_weight, **others}, **memory}
        if rl.length_head is not None or rl.needs - NO_STATISTICS - {"steps"}:
            reading = self._reading(policy, rl.problems_per_step, k, length, list(models.values()))
            memory["rl judging"] = {**held, **engine.awake, **reading, **others}
        rows = -(-rl.groups_wanted // rl.updates_per_step)
        update, validation = self._update_and_validation(policy, rows, k, length)
        memory |= {"rl update": update | others, "rl validation": validation | others}
        return memory | self._verdicts("rl validation", {**held, **others}, self._asking(policy))

    # -- their phases -------------------------------------------------------------------------------------------------

    def _update_and_validation(
        self, policy: PolicySettings, rows: int, responses: int, length: int, together: int = 1
    ) -> tuple[Parts, Parts]:
        """An update of this many rows, in which the engine sleeps, and the asking of validation problems after it."""
        engine = self._asking(policy)
        state = self._state(policy)
        cost = self._cost(policy)
        load, at_once = self._micro_batch(policy, rows, responses, length, together)
        activations = cost.activation_bytes(at_once * load.tokens, at_once * sum(self._patches))
        logits = cost.logit_bytes(at_once * sum(load.responses))
        update = {**state, "activations": activations, "logits": logits, **engine.asleep}
        return update, {**self._held(policy), **engine.writing}

    def _asking(self, policy: PolicySettings) -> EngineMemory:
        """The engine at the validation problems."""
        held = self._settings.eval
        return self._engine(policy, held.curve_problems * self._modalities, 1, held.sampling)

    def _verdicts(self, asked: str, held: Parts, engine: EngineMemory) -> dict[str, Parts]:
        """The judging of what was asked by a reward model; the engine doesn't sleep meanwhile."""
        judging = self._judge.judging
        return {f"{asked} verdicts": {**held, **engine.awake, **judging}} if judging else {}

    def _held(self, policy: PolicySettings) -> Parts:
        """What the policy holds between iterations: an optimizer that is reset has no state, ZeRO's keeps the room."""
        state = self._state(policy)
        if policy.reset_optimizer == "each_iteration" and not self._backend.keeps_moments:
            state["optimizer state"] = 0
        parts = ("weights", "gathered weights", "float32 copies", "optimizer state")
        return {part: state[part] for part in parts if part in state}

    def _state(self, policy: PolicySettings) -> Parts:
        found: Parts = self._backend.state_bytes(self._counts, self._settings.model, policy, self._ranks)
        return found

    @property
    def _read_weights(self) -> Parts:
        """The model where nothing trains."""
        found: Parts = self._backend.reading_bytes(self._counts, self._settings.model, self._ranks)
        return found

    @property
    def _gathered_weight(self) -> Parts:
        """The largest weight whole, in float32 as its shards are, and as the engine takes it."""
        size = BYTES[self._settings.model.dtype]
        return {"a weight gathered": self._counts.largest_weight * (4 if size == 4 else 4 + size)}

    def _micro_batch(
        self, policy: PolicySettings, rows: int, responses: int, length: int, together: int = 1
    ) -> tuple[Load, int]:
        """The largest row, and how many of them go through the model at once."""
        cost = self._cost(policy)
        load = pieces_of(Load(self._prompt, (length,) * responses, self._patches), policy, cost, together)[0]
        at_once = min(-(-rows // self._ranks), max(1, policy.micro_batch_tokens // load.tokens))
        if policy.micro_batch_mib is not None:
            at_once = max(1, min(at_once, int(policy.micro_batch_mib * 2**20 / cost.bytes([load]))))
        return load, at_once

    def _reading(
        self, policy: PolicySettings, rows: int, responses: int, length: int, others: Sequence[OtherModel]
    ) -> Parts:
        """A micro-batch without gradients, through the widest model, and logits."""
        cost = self._cost(policy)
        load, at_once = self._micro_batch(policy, rows, responses, length)
        widest = max(one.reading_bytes(at_once * load.tokens) for one in (cost, *(other.cost for other in others)))
        return {"activations": widest, "logits": cost.logit_bytes(at_once * sum(load.responses))}

    def _cost(self, policy: PolicySettings) -> CostModel:
        return cost_model(self._settings, self._arch, self._counts, policy)

    # -- other models -------------------------------------------------------------------------------------------------

    def _model_of(self, reference: ReferenceModel, place: str) -> OtherModel:
        """Another model's size; one that this run makes itself has the size of its own. Raises ConfigError."""
        own = [Path(self._settings.folder) / name for name in LEAVES.values()]
        if any(Path(reference.path).resolve().is_relative_to(folder.resolve()) for folder in own):
            config, counts = self._arch.config, self._counts
        else:
            config = find_architecture(reference.as_loaded(str(self._device)), list, f"{place}.path").config
            counts = count_parameters(config)
        return OtherModel(
            CostModel(config, counts.active_by_part, BYTES[reference.dtype], trained=()),
            counts.total * BYTES[reference.dtype],
            reference.as_loaded(str(self._device)).feature_store_mib * 2**20,
        )

    def _others(self, models: Mapping[str, OtherModel]) -> Parts:
        """Whole models on the same device, each with a store of features of its own."""
        parts = {f"weights of {name}": one.weights for name, one in models.items()}
        if self._patches:
            parts |= {f"features of {name}": one.features for name, one in models.items()}
        return parts

    def check_engine(self) -> None:
        """Raises ConfigError where the device leaves the engine too little beside the weights.

        The engine's own check knows the rest before weights are read.
        """
        settings = self._settings
        context, dtype = context_of(self._arch.config, settings.model), DTYPES[settings.model.dtype]
        settings.engine.check_memory(self._arch.config, self._device, context, dtype, self._device_bytes, self._weights)

    def _engine(
        self, policy: PolicySettings, problems: int, responses: int, sampling: Sampling, begun: int = 0
    ) -> EngineMemory:
        """What the engine holds with this many problems, responses to each, and tokens that they begin with."""
        merged = 0
        if policy.lora is not None:
            matrices = sum(self._counts.matrices_by_part[part] for part in policy.lora.parts)
            merged = matrices * BYTES[self._settings.model.dtype]
        memory: EngineMemory = self._settings.engine.memory(
            EngineLoad(
                device=self._device,
                device_bytes=self._device_bytes,
                cost=self._cost(policy),
                dtype=DTYPES[self._settings.model.dtype],
                weights=self._weights,
                language=self._counts.by_part["language"],
                merged=merged,
                ranks=self._ranks,
                problems=problems,
                responses=responses,
                prompt=self._prompt,
                longest=sampling.max_tokens,
                begun=begun,
            )
        )
        if memory.apart:
            self._apart.append(memory.apart)
        return memory


def memory_of(device: torch.device) -> int:
    """Bytes of memory of a CUDA device, or of this machine (a container's limit where there is one)."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    found = int((describe_machine()["memory_gib"] or 0) * 2**30)
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    return min(found, int(text)) if text.isdigit() else found
