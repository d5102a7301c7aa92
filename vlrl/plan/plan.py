"""`vlrl plan`: what a run would do, before it does it: sizes, tokens per image, work per step, memory.

No weights are loaded and no network is touched; settings and recipe are checked as in the run. With `--measure` a model
of this shape with random weights is made, and a few passes are timed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import torch
from rich.console import Console
from rich.table import Table

from vlrl.data.images.open_images import open_image
from vlrl.data.mixture import Mixture, recipe_texts
from vlrl.data.recipe import Recipe, load_recipe
from vlrl.data.source_settings import modality_of
from vlrl.errors import ConfigError
from vlrl.model.families.family import family_of
from vlrl.model.load import LoadedModel, choose_device, context_of, placeholder_ids
from vlrl.model.prompts.encode import Encoder
from vlrl.model.sizes import Architecture, ParameterCounts, count_parameters, find_architecture
from vlrl.model.training.backends import backends
from vlrl.plan.plan_deployment import NODE, Deployment, fitting_deployment, settings_for
from vlrl.plan.plan_memory import MemoryPlan, memory_of
from vlrl.plan.plan_throughput import Pace, measure_pace, pace_line
from vlrl.plan.plan_work import Prompt, SourcePlan, StepWork, run_work, step_work
from vlrl.terminal import console
from vlrl.training.lifecycle.preflight import obstacles
from vlrl.training.run_settings import RunSettings
from vlrl.training.session.open_session import TOKENIZER_TEXTS
from vlrl.types import Problem, Text

SAMPLE = 6  # problems of each source that are looked at
CHARS_PER_TOKEN = 3.5  # of English text where the tokenizer isn't here
TEMPLATE_TOKENS = 12  # of the chat template around a question, where the tokenizer isn't here
GIB = 2**30
MOST_GIB = 2**20  # that --gpu-gib takes


@dataclass(frozen=True)
class Plan:
    """Everything that `vlrl plan` prints. Memory is in bytes by part; `device_bytes` is what the device has."""

    settings: RunSettings
    recipe: Recipe
    architecture: Architecture
    counts: ParameterCounts
    sources: tuple[SourcePlan, ...]
    context: int
    work: StepWork
    memory: dict[str, dict[str, int]]
    device: str
    device_bytes: int
    pace: Pace | None = None
    ranks: int = 1
    obstacles: tuple[str, ...] = ()
    deployment: Deployment | None = None

    @property
    def prompt_tokens(self) -> tuple[float, int]:
        """Mean (by the recipe's weights) and longest prompt of the sample."""
        mean = sum(s.share * sum(p.tokens for p in s.prompts) / len(s.prompts) for s in self.sources)
        return mean, max(p.tokens for s in self.sources for p in s.prompts)

    @property
    def image_bounds(self) -> tuple[int, int]:
        """Tokens of a square image at the least and the most pixels that the recipe's budget allows."""
        low, high = (math.isqrt(n) for n in (self.recipe.image.min_pixels, self.recipe.image.max_pixels))
        return self.architecture.image_tokens(low, low), self.architecture.image_tokens(high, high)

    @property
    def peak_bytes(self) -> int:
        """The largest of the phases."""
        return max(sum(parts.values()) for parts in self.memory.values())

    @property
    def fits(self) -> bool:
        """Whether the run would start, and its device has room for it."""
        return self.peak_bytes <= self.device_bytes and not self.obstacles and not over_context(self)


def print_plan(
    config: Path, overrides: list[str], measure: bool = False, ranks: int = 1, gpu_gib: float | None = None
) -> None:
    """Print the plan of a run. Raises ConfigError or DataError for the first mistake, as the run would;
    what this machine lacks is noted below the plan."""
    show_plan(make_plan(config, overrides, measure, ranks, gpu_gib), console())


def make_plan(
    config: Path,
    overrides: Sequence[str] = (),
    measure: bool = False,
    ranks: int = 1,
    gpu_gib: float | None = None,
) -> Plan:
    """The plan of a run over this many ranks, with `measure` also its pace.

    With `gpu_gib` for a CUDA device of so much memory, whatever this machine has. Raises ConfigError or DataError with
    place, value and remedy.
    """
    if measure and gpu_gib is not None:
        raise ConfigError(
            "--measure", f"times this machine, and --gpu-gib {gpu_gib:g} plans for another", "leave one of them out"
        )
    if gpu_gib is not None and not gpu_gib < MOST_GIB:
        raise ConfigError("--gpu-gib", f"is {gpu_gib:g}", f"give the GiB of one device, below {MOST_GIB}")
    settings = settings_for(config, overrides, ranks)
    recipe = load_recipe(settings.data)
    here = choose_device(settings.model.device) if gpu_gib is None else None
    device = here or torch.device("cuda")
    device_bytes = memory_of(device) if gpu_gib is None else int(gpu_gib * GIB)
    mixture = Mixture(recipe, settings.seed)
    drawn = {name: mixture.draw_from(name, SAMPLE) for name in recipe.shares}
    arch = find_architecture(settings.model, lambda: recipe_texts(recipe, settings.seed, TOKENIZER_TEXTS))
    context = context_of(arch.config, settings.model)
    sources = tuple(
        SourcePlan(source.name, modality_of(source), float(recipe.shares[source.name]), prompts)
        for source in recipe.sources
        for prompts in [measure_prompts(drawn[source.name], arch, recipe, settings, context)]
    )
    counts = count_parameters(arch.config)
    memory = MemoryPlan(settings, arch, counts, sources, device, device_bytes, ranks)
    plan = Plan(
        settings=settings,
        recipe=recipe,
        architecture=arch,
        counts=counts,
        sources=sources,
        context=context,
        work=step_work(settings, arch, counts, sources),
        memory=memory.phases(),
        device=str(device),
        device_bytes=device_bytes,
        pace=measure_pace(settings, arch, counts, sources, [p for some in drawn.values() for p in some], recipe.image)
        if measure
        else None,
        ranks=ranks,
        obstacles=tuple(obstacles(settings, arch.config, ranks, device, here is not None, memory.check_engine)),
    )
    if plan.fits or device.type == "cpu":
        return plan
    found = fitting_deployment(config, overrides, arch, counts, sources, device, device_bytes)
    return replace(plan, deployment=found)


def measure_prompts(
    problems: Sequence[Problem], arch: Architecture, recipe: Recipe, settings: RunSettings, context: int
) -> tuple[Prompt, ...]:
    """Prompt lengths: exact where the processor is here; otherwise exact for images and estimated for text.

    Raises DataError for an image that can't be read or a prompt longer than the context.
    """
    merge = family_of(arch.config).merge(arch.config)
    if arch.processor is not None:
        known = LoadedModel(
            SimpleNamespace(config=arch.config),
            arch.processor,
            placeholder_ids(arch.config, arch.processor.tokenizer),
            (),
            context,
            torch.device("cpu"),
        )
        encoded = Encoder(known, recipe.image, settings.system_prompt).encode(problems)
        return tuple(Prompt(e.num_tokens, tuple(i.num_patches // merge for i in e.images)) for e in encoded)
    found = []
    for problem in problems:
        sizes = [open_image(image, recipe.image).size for image in problem.images]
        images = tuple(arch.image_tokens(*size) for size in sizes)
        system = settings.system_prompt if problem.system is None else problem.system
        chars = sum(len(p.text) for p in problem.prompt if isinstance(p, Text)) + len(system or "")
        text = TEMPLATE_TOKENS + math.ceil(chars / CHARS_PER_TOKEN) + 2 * len(images)
        found.append(Prompt(text + sum(images), images))
    return tuple(found)


# -- printing ----------------------------------------------------------------------------------------------------------


def show_plan(plan: Plan, console: Console) -> None:
    """Print the tables; lines are folded to the console's width."""
    settings = plan.settings
    said = f"{settings.name}: {settings.data}, run folder {settings.folder}, seed {settings.seed}"
    console.print(said, style="bold", markup=False)
    _show(console, f"model: {plan.architecture.origin}", _model_table(plan))
    _show(console, "prompts, in tokens", _source_table(plan))
    budget = plan.recipe.image
    pixels = _span([budget.min_pixels, budget.max_pixels])
    console.print(
        f"images of {pixels} pixels: {_span(plan.image_bounds)} tokens each if square; "
        f"the table counts {SAMPLE} drawn problems of each source"
        + ("" if plan.architecture.processor else f", text estimated at {CHARS_PER_TOKEN} characters a token")
    )
    _show(console, "work", _work_table(plan))
    how = "with" if settings.model.gradient_checkpointing else "without"
    whose = f" of each of {plan.ranks} ranks" if plan.ranks > 1 else ""
    backend = f"backend {backends.name_of(settings.backend)}, {how} gradient checkpointing"
    _show(console, f"memory in GiB{whose}, {backend}", _memory_table(plan))
    verdict = "fits" if plan.fits else "enough, but the run would stop at its start, see below"
    if plan.peak_bytes > plan.device_bytes:
        verdict = "does not fit: lower what is largest above, or use another device"
    console.print(
        f"peak about {_gib(plan.peak_bytes)} GiB, {plan.device} has {_gib(plan.device_bytes)} GiB: {verdict}. "
        "Longest prompts and responses are assumed; fragmentation and the libraries' own memory are not counted."
    )
    if not plan.fits and plan.device != "cpu":
        console.print(deployment_line(plan), markup=False)
    if plan.pace is not None:
        console.print(pace_line(plan.pace, plan.device))
    for warning in warnings_of(plan):
        console.print(f"note: {warning}", markup=False)


def warnings_of(plan: Plan) -> list[str]:
    """What the run would stumble over, or do in vain."""
    rl = plan.settings.rl
    longest = plan.prompt_tokens[1]
    found = [f"the run would stop at its start: {one}" for one in plan.obstacles]
    for name, tokens in over_context(plan).items():
        found.append(
            f"prompts of {longest:,} and responses of {tokens:,} tokens exceed the context of {plan.context:,}: "
            f"lower {name}.sampling.max_tokens or the recipe's image.max_pixels"
        )
    if plan.ranks > 1 and plan.device == "cpu":
        found.append("ranks on one machine share its memory, and each needs as much as the table says")
    updates = rl.updates_per_step * rl.epochs_per_step
    if "rl" in plan.settings.stages and updates == 1 and rl.loss.objective_tau:
        found.append("one update per step: the policy is its own reference, so tau has no effect (k1.5 §2.3.2)")
    return found


def over_context(plan: Plan) -> dict[str, int]:
    """Tokens of a response at most, by the settings whose responses don't fit behind the longest prompt."""
    longest = plan.prompt_tokens[1]
    return {name: n for name, n in _response_lengths(plan.settings).items() if longest + n > plan.context}


def deployment_line(plan: Plan) -> str:
    """What would go on a node of eight such devices, in words."""
    of = f"{NODE} devices of {_gib(plan.device_bytes)} GiB"
    if (found := plan.deployment) is None:
        return f"on a node of {of} every deployment that was tried is refused, see the notes"
    peak = f"{found.command}; peak about {_gib(found.peak_bytes)} GiB"
    if not found.fits:
        return f"on a node of {of} nothing that was tried leaves a tenth free; the least takes {peak}"
    return f"on a node of {of} this fits: {peak}"


def _response_lengths(settings: RunSettings) -> dict[str, int]:
    """Tokens of a response at most, by the settings that say so; every run but `prepare` asks for those of `eval`."""
    found = {"eval": settings.eval.sampling.max_tokens} if set(settings.stages) - {"prepare"} else {}
    if "record" in settings.stages and settings.record is not None:
        found["record"] = settings.record.sampling.max_tokens
    if "rl" in settings.stages:
        found["rl"] = settings.rl.sampling.max_tokens
    return found


def _show(console: Console, title: str, table: Table) -> None:
    """The title above its table, so that a narrow table doesn't fold it."""
    console.print(f"\n{title}", style="bold", soft_wrap=True, markup=False)
    console.print(table)


def trained_in(part: str, settings: RunSettings) -> list[str]:
    """Stages of the run that train a part, phases by number; where adapters alone train, it says so."""
    stages = [stage for stage, _ in settings.policies]
    found = []
    for i, (stage, policy) in enumerate(settings.policies):
        if part in policy.freeze:
            continue
        number = f" {stages[: i + 1].count(stage)}" if stages.count(stage) > 1 else ""
        adapters = " (adapters)" if policy.lora is not None and part in policy.lora.parts else ""
        found.append(f"{stage}{number}{adapters}")
    return found


def _model_table(plan: Plan) -> Table:
    table = Table()
    for name in ("part", "parameters", "trained in"):
        table.add_column(name, justify="right" if name == "parameters" else "left")
    for part, count in plan.counts.by_part.items():
        table.add_row(part, f"{count:,}", ", ".join(trained_in(part, plan.settings)) or "–")
    table.add_row(
        "all", f"{plan.counts.total:,}", f"{plan.settings.model.dtype}, context {plan.context:,}", style="bold"
    )
    return table


def _source_table(plan: Plan) -> Table:
    table = Table()
    table.add_column("source", overflow="fold")
    table.add_column("modality")
    for name in ("share", "an image", "prompt"):
        table.add_column(name, justify="right")
    for source in plan.sources:
        images = [n for p in source.prompts for n in p.images]
        table.add_row(
            source.name,
            source.modality,
            f"{source.share:.1%}",
            _span(images),
            _span([p.tokens for p in source.prompts]),
        )
    return table


def _work_table(plan: Plan) -> Table:
    table = Table()
    table.add_column("stage")
    table.add_column("what", overflow="fold")
    for stage, line in run_work(plan.settings, plan.prompt_tokens[0], plan.work):
        table.add_row(stage, line)
    return table


def _memory_table(plan: Plan) -> Table:
    table = Table()
    table.add_column("part")
    for phase in plan.memory:
        table.add_column(phase, justify="right")
    parts: Mapping[str, None] = dict.fromkeys(part for held in plan.memory.values() for part in held if held[part])
    for part in parts:
        table.add_row(part, *(_gib(held[part]) if part in held else "–" for held in plan.memory.values()))
    table.add_row("together", *(_gib(sum(held.values())) for held in plan.memory.values()), style="bold")
    return table


def _span(numbers: Sequence[int]) -> str:
    if not numbers:
        return "–"
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _gib(count: int) -> str:
    value = count / GIB
    if not count:
        return "0"
    return f"{value:.3f}" if value < 1 else f"{value:.1f}"
