"""What a run does and costs by the cost model, for `vlrl plan`: work of its stages, micro-batches, ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vlrl.evaluation.harness.harness_settings import CALLED
from vlrl.model.batch.micro_batches import batches_by_length, padding_waste, split_responses
from vlrl.model.cost import CostModel, Load, balance
from vlrl.model.families.family import family_of
from vlrl.model.memory import BYTES
from vlrl.model.optimization.parameter_groups import PARTS
from vlrl.model.sizes import Architecture, ParameterCounts
from vlrl.model.training.torch_policy import PolicySettings
from vlrl.training.fixed_set_settings import FixedSetSettings, SftPhase
from vlrl.training.monitoring.benchmark_curve import load_curve_benchmarks
from vlrl.training.run_settings import RunSettings, Stage


@dataclass(frozen=True)
class Prompt:
    """Lengths of one problem's prompt in tokens: all of it, and its images."""

    tokens: int
    images: tuple[int, ...]


@dataclass(frozen=True)
class SourcePlan:
    """A source of the recipe and the prompts of a few of its problems."""

    name: str
    modality: str
    share: float
    prompts: tuple[Prompt, ...]


def pieces_of(group: Load, policy: PolicySettings, cost: CostModel, together: int = 1) -> list[Load]:
    """The rows that a group is split into, by tokens and memory; `together` responses at a time are never parted."""
    pieces = split_responses(
        group.prompt,
        group.responses,
        policy.micro_batch_tokens,
        together,
        too_large=lambda chosen: exceeds_memory([_taken(group, chosen)], policy, cost),
    )
    return [_taken(group, piece) for piece in pieces]


def _taken(group: Load, chosen: range) -> Load:
    return replace(group, responses=group.responses[chosen.start : chosen.stop])


def exceeds_memory(loads: Sequence[Load], policy: PolicySettings, cost: CostModel) -> bool:
    """Whether rows together take more than `micro_batch_mib`."""
    mib = policy.micro_batch_mib
    return mib is not None and cost.bytes(loads, policy.pack_sequences) > mib * 2**20


def cost_model(settings: RunSettings, arch: Architecture, counts: ParameterCounts, policy: PolicySettings) -> CostModel:
    """What rows of this model cost under this policy."""
    trained, checkpointed = PARTS - set(policy.freeze), settings.model.gradient_checkpointing
    return CostModel(arch.config, counts.active_by_part, BYTES[settings.model.dtype], trained, checkpointed)


@dataclass(frozen=True)
class StepWork:
    """One pass of RL over a step's groups by the cost model, responses at their longest.

    flops          forward and backward of every row, the images once each
    vision_share   of it in the tower
    separate       the same as separate rows that each look at the image
    micro_batches  forward passes that it is split into, where one update takes all groups
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
    """What one pass over `problems_per_step` groups costs; sources take part by their shares."""
    rl = settings.rl
    cost = cost_model(settings, arch, counts, rl.policy)
    k, length, budget = rl.rollouts_per_problem, rl.sampling.max_tokens, rl.policy.micro_batch_tokens
    groups = step_groups(settings, arch, sources)
    rows = [piece for group in groups for piece in pieces_of(group, rl.policy, cost)]
    lengths = [row.tokens for row in rows]
    batches = batches_by_length(
        lengths,
        budget,
        rl.policy.pack_sequences,
        lambda chosen: exceeds_memory([rows[i] for i in chosen], rl.policy, cost),
    )
    padding = 0.0 if rl.policy.pack_sequences else padding_waste(lengths, batches)
    flops = sum(cost.training(g) for g in groups)
    separate = sum(cost.training(replace(g, responses=(length,))) * k for g in groups)
    vision = sum(cost.training(Load(0, (), g.images)) for g in groups)
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
        groups.append(Load(prompt.tokens, responses, tuple(n * merge for n in prompt.images)))
    return groups


def _source_at(sources: Sequence[SourcePlan], place: float) -> SourcePlan:
    passed = 0.0
    for source in sources:
        passed += source.share
        if place <= passed:
            return source
    return sources[-1]


def run_work(settings: RunSettings, prompt_tokens: float, work: StepWork) -> list[tuple[Stage, str]]:
    """Lines on what every stage does; reads the rows and images of benchmarks, as the run would."""
    held = settings.eval
    asked = f"{held.curve_problems:,} problems a modality every"
    lines: list[tuple[Stage, str]] = []
    for stage in settings.stages:
        if stage == "sft":
            stored = settings.sft.rollouts is not None
            for one in settings.sft.in_order:
                lines.append((stage, f"{_sft_work(one, stored)}; validation: {asked} {one.validate_every} steps"))
        elif stage == "record" and settings.record is not None:
            said = f"{settings.record.problems:,} problems × {settings.record.rollouts} responses, read by the teacher"
            lines.append((stage, f"{said} {settings.record.teacher.path}"))
        elif stage in ("distil", "dpo"):
            of, rows = (settings.distil, "recorded responses") if stage == "distil" else (settings.dpo, "pairs")
            said = f"{of.length} of {of.batch:,} {rows}, {_optimizer(of)}"
            lines.append((stage, f"{said}; validation: {asked} {of.validate_every} steps"))
        elif stage == "rl":
            said = f"validation: {asked} {settings.rl.validate_every} steps"
            of_rl = [*rl_work(settings, prompt_tokens), *update_work(work), *judge_work(settings), said]
            of_rl += benchmark_work(settings)
            lines += [(stage, line) for line in of_rl]
        elif stage == "eval":
            said = f"{held.problems:,} problems a modality, {held.samples} sampled and 1 greedy response each"
            lines.append((stage, said))
        else:
            lines.append((stage, "fixed sets written to the run folder"))
    return lines


def _sft_work(one: SftPhase, stored: bool) -> str:
    if stored:
        return f"{one.length} of {one.batch:,} stored groups, {_optimizer(one)}"
    wanted = one.demonstrations
    said = "all demonstrations"
    if wanted != "all":
        count = wanted if isinstance(wanted, int) else sum(wanted.values())
        said = f"{count:,} demonstrations ({one.steps_over(count) * one.batch / max(1, count):.0f} passes)"
    if one.max_tokens is not None:
        said += f" of at most {one.max_tokens:,} tokens"
    return f"{one.length} of {one.batch:,} from {said}, {_optimizer(one)}"


def _optimizer(one: FixedSetSettings) -> str:
    return f"{one.policy.optimizer.name} at {one.policy.optimizer.lr:g}"


def judge_work(settings: RunSettings) -> list[str]:
    """What a reward model is asked at most; nothing where there is none."""
    judge, rl = settings.reward_model, settings.rl
    if judge is None:
        return []
    asked = rl.problems_per_step * rl.rollouts_per_problem * (2 if judge.swap else 1)
    served = judge.endpoint
    by = f"at {served.url}, {served.concurrency} at a time" if served is not None else f"{judge.path}"
    return [f"judging: at most {asked:,} questions a step and round to the reward model {by}; equal ones once"]


def benchmark_work(settings: RunSettings) -> list[str]:
    """One line for each benchmark of the training curve."""
    harnesses = settings.eval.harness
    return [
        f"benchmark {one.name}: {len(one.benchmark.problems):,} problems, {one.benchmark.protocol.label}, "
        f"every {settings.eval.benchmarks_every} steps (protocol {one.benchmark.protocol.hash})"
        for one in load_curve_benchmarks(settings.eval.benchmarks, settings.engine)
    ] + [
        f"{CALLED[harness]} {task}: {(harnesses and harnesses.limit) or 'all'} rows, "
        f"every {settings.eval.benchmarks_every} steps"
        for harness, task in (harnesses.names if harnesses else ())
    ]


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
    """Lines on what one pass over a step's groups computes, by the cost model."""
    two, eight = work.unbalance
    return [
        f"a pass: {work.flops / 1e12:,.3g} TFLOP, {work.vision_share:.0%} of it in the vision tower; "
        f"separate rows that each encode the images would take {work.separate / work.flops:.1f}× as much",
        f"micro-batches: {work.micro_batches:,}, {work.padding:.1%} of their tokens are padding; "
        f"over 2 and 8 ranks the dearest has {two:.1%} and {eight:.1%} more than the mean",
    ]
