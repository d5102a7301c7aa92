"""What a run costs by the cost model, for `vlrl plan`: work of one step, micro-batches, ranks, memory by phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from vlrl.model.cost import CostModel, Load, balance
from vlrl.model.deepspeed_library import ZeroSettings
from vlrl.model.families import family_of
from vlrl.model.load import choose_device
from vlrl.model.memory import BYTES, RolloutLoad, cache_bytes, logit_bytes, state_bytes
from vlrl.model.micro_batches import batches_by_length, padding_waste, split_responses
from vlrl.model.parts import PARTS
from vlrl.model.sizes import Architecture, ParameterCounts
from vlrl.model.torch_policy import PolicySettings
from vlrl.rollout.ray_cluster import store_bytes
from vlrl.rollout.ray_settings import RayPoolSettings
from vlrl.rollout.transformers_engine import TransformersEngineSettings
from vlrl.rollout.vllm_engine import VllmEngineSettings
from vlrl.stages.settings import RunSettings


@dataclass(frozen=True)
class Prompt:
    """Lengths of one problem's prompt in tokens: all of it, and its pictures."""

    tokens: int
    pictures: tuple[int, ...]


@dataclass(frozen=True)
class SourcePlan:
    """A source of the recipe and the prompts of a few of its problems."""

    name: str
    modality: str
    share: float
    prompts: tuple[Prompt, ...]


def estimate_memory(
    settings: RunSettings,
    arch: Architecture,
    counts: ParameterCounts,
    sources: Sequence[SourcePlan],
    ranks: int = 1,
    device_bytes: int = 0,
) -> dict[str, dict[str, int]]:
    """Bytes by phase and part, all responses at their longest and prompts as long as the longest of the sample.

    Of several ranks: those of one, which takes its share of the rows. `device_bytes` is all that the device has.
    """
    zero = settings.backend if isinstance(settings.backend, ZeroSettings) else None
    model, vocabulary = settings.model, int(arch.text.vocab_size)
    prompt = max(p.tokens for s in sources for p in s.prompts)
    merge = family_of(arch.config).merge(arch.config)
    pictures = max((p.pictures for s in sources for p in s.prompts), key=sum)
    patches = tuple(tokens * merge for tokens in pictures)
    memory: dict[str, dict[str, int]] = {}

    def training(policy: PolicySettings, rows: int, responses: int, length: int) -> dict[str, int]:
        cost = cost_model(settings, arch, counts, policy)
        load = pieces_of(Load(prompt, (length,) * responses, patches), policy, cost)[0]
        at_once = min(-(-rows // ranks), max(1, policy.micro_batch_tokens // load.tokens))
        if policy.micro_batch_mib is not None:
            at_once = max(1, min(at_once, int(policy.micro_batch_mib * 2**20 / cost.bytes([load]))))
        return {
            **state_bytes(counts, model, policy, zero, ranks),
            "activations": cost.activation_bytes(at_once * load.tokens, at_once * sum(patches)),
            "logits": cost.logit_bytes(at_once * sum(load.responses)),
        }

    if "sft" in settings.stages:
        length = settings.eval.sampling.max_tokens  # how long demonstrations are isn't known before they are drawn
        for number, one in enumerate(settings.sft.in_order, 1):
            name = f"sft update {number}" if settings.sft.stretches else "sft update"
            memory[name] = training(one.policy, one.batch, 1, length)
    if "distil" in settings.stages:
        length = (settings.record or settings.eval).sampling.max_tokens
        memory["distil update"] = training(settings.distil.policy, settings.distil.batch, 1, length)
    if "rl" in settings.stages:
        rl, engine = settings.rl, settings.engine
        k = rl.rollouts_per_problem
        prompts = min(
            -(-rl.problems_per_step // ranks), max(1, engine.max_rows // k), max(1, engine.prefill_tokens // prompt)
        )
        wave = RolloutLoad(prompts, prompts * k, prompt, rl.sampling.max_tokens)
        held = state_bytes(counts, model, rl.policy, zero, ranks)
        memory["rl rollout"] = {
            "weights": held["weights"],
            "float32 copies": held["float32 copies"],
            "optimizer state": 0
            if rl.policy.reset_optimizer == "each_iteration" and not zero
            else held["optimizer state"],
            "keys and values": cache_bytes(cost_model(settings, arch, counts, rl.policy), wave),
            "logits": logit_bytes(vocabulary, wave.rows),
            "packed weights": packed_bytes(settings, counts),
        }
        memory["rl update"] = training(rl.policy, rl.problems_per_step, k, rl.sampling.max_tokens)
        device = choose_device(model.device)
        weights = counts.total * BYTES[model.dtype]
        if isinstance(engine, RayPoolSettings):
            _move_to_actors(memory, engine, weights, device)
        elif isinstance(engine, VllmEngineSettings):
            _add_engine(memory, engine, weights, engine.cache_bytes(device, device_bytes, weights))
    if pictures:
        for held in memory.values():
            held["features of pictures"] = model.feature_store_mib * 2**20
    if not memory:
        memory["model"] = {"weights": counts.total * BYTES[model.dtype]}
    return memory


def pieces_of(group: Load, policy: PolicySettings, cost: CostModel) -> list[Load]:
    """The rows that a group is split into, by tokens and memory."""
    pieces = split_responses(
        group.prompt,
        group.responses,
        policy.micro_batch_tokens,
        too_large=lambda chosen: exceeds_memory([_taken(group, chosen)], policy, cost),
    )
    return [_taken(group, piece) for piece in pieces]


def _taken(group: Load, chosen: range) -> Load:
    return replace(group, responses=group.responses[chosen.start : chosen.stop])


def exceeds_memory(loads: Sequence[Load], policy: PolicySettings, cost: CostModel) -> bool:
    """Whether rows together take more than `micro_batch_mib`."""
    mib = policy.micro_batch_mib
    return mib is not None and cost.bytes(loads, policy.pack_rows) > mib * 2**20


def packed_bytes(settings: RunSettings, counts: ParameterCounts) -> int:
    """Copies that the transformers engine's decoder multiplies by on the CPU, at most: small layers have none."""
    model = settings.model
    on_cpu = choose_device(model.device).type == "cpu" and model.dtype == "float32"
    engine = settings.engine.engine if isinstance(settings.engine, RayPoolSettings) else settings.engine
    ours = isinstance(engine, TransformersEngineSettings)
    return 4 * counts.matrices_by_part["language"] if on_cpu and ours else 0


def _add_engine(memory: dict[str, dict[str, int]], engine: VllmEngineSettings, weights: int, cache: int) -> None:
    """An engine beside the trainer: its weights in rollout, and in the update where it stays."""
    beside = {"engine's weights": weights, "keys and values": cache}
    memory["rl rollout"] |= beside
    if engine.sleep == "stay":
        memory["rl update"] |= beside


def _move_to_actors(
    memory: dict[str, dict[str, int]], pool: RayPoolSettings, weights: int, device: torch.device
) -> None:
    """Rollouts in actors: they count where the trainer's memory is theirs, on this machine's CPU.

    Each has the model; one of vLLM a second copy and its cache. A transformers engine's keys and values go with a call.
    """
    rollout = memory["rl rollout"]
    wave = rollout["keys and values"] + rollout["logits"] + rollout["packed weights"]
    rollout |= {"keys and values": 0, "logits": 0, "packed weights": 0}
    if pool.gpus_per_actor or pool.address is not None or device.type != "cpu":
        return
    inner, store = pool.engine, {"actors' shared memory": store_bytes(weights, pool.object_store_gib)}
    if isinstance(inner, VllmEngineSettings):
        held = 2 * weights + inner.cache_bytes(device, 0, weights)
        asleep = held if inner.sleep == "stay" else weights
    else:
        held, asleep = weights + wave, weights
    rollout |= {"actors": pool.actors * held} | store
    memory["rl update"] |= {"actors": pool.actors * asleep} | store


def cost_model(settings: RunSettings, arch: Architecture, counts: ParameterCounts, policy: PolicySettings) -> CostModel:
    """What rows of this model cost under this policy."""
    trained, checkpointed = PARTS - set(policy.freeze), settings.model.gradient_checkpointing
    return CostModel(arch.config, counts.matrices_by_part, BYTES[settings.model.dtype], trained, checkpointed)


@dataclass(frozen=True)
class StepWork:
    """One RL update by the cost model, responses at their longest.

    flops          forward and backward of every row, the pictures once each
    vision_share   of it in the tower
    separate       the same as separate rows that each look at the picture
    micro_batches  forward passes that the update is split into
    padding        share of padding in them
    unbalance      over 2 and 8 ranks: how much the dearest rank is above the mean
    """

    flops: float
    vision_share: float
    separate: float
    micro_batches: int
    padding: float
    unbalance: tuple[float, float]


def step_work(
    settings: RunSettings, arch: Architecture, counts: ParameterCounts, sources: Sequence[SourcePlan]
) -> StepWork:
    """What one update over `problems_per_step` groups costs; sources take part by their shares."""
    rl = settings.rl
    cost = cost_model(settings, arch, counts, rl.policy)
    k, length, budget = rl.rollouts_per_problem, rl.sampling.max_tokens, rl.policy.micro_batch_tokens
    groups = step_groups(settings, arch, sources)
    rows = [piece for group in groups for piece in pieces_of(group, rl.policy, cost)]
    lengths = [row.tokens for row in rows]
    batches = batches_by_length(
        lengths, budget, rl.policy.pack_rows, lambda chosen: exceeds_memory([rows[i] for i in chosen], rl.policy, cost)
    )
    padding = 0.0 if rl.policy.pack_rows else padding_waste(lengths, batches)
    flops = sum(cost.training(g) for g in groups)
    separate = sum(cost.training(replace(g, responses=(length,))) * k for g in groups)
    vision = sum(cost.training(Load(0, (), g.pictures)) for g in groups)
    unbalance = []
    for ranks in (2, 8):
        each = [
            sum(cost.training(groups[i]) for i in some) for some in balance([cost.training(g) for g in groups], ranks)
        ]
        unbalance.append(max(each) / (sum(each) / ranks) - 1)
    return StepWork(flops, vision / flops, separate, len(batches), padding, (unbalance[0], unbalance[1]))


def step_groups(settings: RunSettings, arch: Architecture, sources: Sequence[SourcePlan]) -> list[Load]:
    """The groups of one step, responses at their longest."""
    rl, merge = settings.rl, family_of(arch.config).merge(arch.config)
    groups = []
    for i in range(rl.problems_per_step):
        source = _source_at(sources, (i + 0.5) / rl.problems_per_step)
        prompt = source.prompts[i % len(source.prompts)]
        responses = (rl.sampling.max_tokens,) * rl.rollouts_per_problem
        groups.append(Load(prompt.tokens, responses, tuple(n * merge for n in prompt.pictures)))
    return groups


def _source_at(sources: Sequence[SourcePlan], place: float) -> SourcePlan:
    passed = 0.0
    for source in sources:
        passed += source.share
        if place <= passed:
            return source
    return sources[-1]


def rl_work(settings: RunSettings, prompt_tokens: float) -> list[str]:
    """Lines on one RL step: rollouts, tokens at most, training tokens packed and separate, updates."""
    rl = settings.rl
    k, problems = rl.rollouts_per_problem, rl.problems_per_step
    rounds = rl.over_sampling.max_rounds if rl.over_sampling else 1
    trained = min(problems * rounds, rl.groups_wanted)
    longest = problems * k * rl.sampling.max_tokens
    packed = trained * (prompt_tokens + k * rl.sampling.max_tokens)
    separate = trained * k * (prompt_tokens + rl.sampling.max_tokens)
    more = f", up to {rounds} times until {trained} groups are informative" if rl.over_sampling else ""
    updates, optimizer = rl.updates_per_step * rl.epochs_per_step, rl.policy.optimizer
    return [
        f"{rl.steps:,} steps: {problems:,} problems × {k} rollouts = {problems * k:,}{more}",
        f"rollout: {longest:,} response tokens at most a {'round' if more else 'step'}, {problems:,} prompts read once",
        f"training: {packed:,.0f} tokens a pass packed, {separate:,.0f} as separate rows ({separate / packed:.1f}×), "
        "responses at their longest",
        f"updates: {updates} a step (passes × minibatches: {rl.epochs_per_step} × {rl.updates_per_step}), "
        f"{optimizer.name} at {optimizer.lr:g}, reset {rl.policy.reset_optimizer.replace('_', ' ')}",
    ]


def update_work(work: StepWork) -> list[str]:
    """Lines on what one update computes, by the cost model."""
    two, eight = work.unbalance
    return [
        f"an update: {work.flops / 1e12:,.3g} TFLOP, {work.vision_share:.0%} of it in the vision tower; "
        f"separate rows with a look each would take {work.separate / work.flops:.1f}× as much",
        f"micro-batches: {work.micro_batches:,}, {work.padding:.1%} of their tokens are padding; "
        f"over 2 and 8 ranks the dearest has {two:.1%} and {eight:.1%} more than the mean",
    ]
