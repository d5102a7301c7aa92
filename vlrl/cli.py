"""The `vlrl` command. Every subcommand takes a config (one YAML = one run) and dotted overrides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vlrl import dist, interrupts
from vlrl.commands.card_cli import card
from vlrl.commands.data_cli import data
from vlrl.commands.exit_code import exit_code_of
from vlrl.commands.importing.import_cli import import_config
from vlrl.commands.looking.looking_cli import compare, watch
from vlrl.commands.models.models_command import models
from vlrl.commands.reward_models.reward_model_cli import reward_model
from vlrl.commands.sandbox_cli import sandbox
from vlrl.commands.scoring.score_cli import score, verify
from vlrl.commands.sharing.export_cli import export
from vlrl.commands.sharing.push_cli import push
from vlrl.commands.shipped_commands import configs, copy_to_edit, recipes
from vlrl.commands.starting.init_cli import init
from vlrl.errors import ConfigError
from vlrl.terminal import print_any_character

app = typer.Typer(
    name="vlrl",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Reinforcement learning for vision-language models, the Kimi k1.5 way.\n\n"
    "Start with `vlrl run quickstart`: four modalities, a small real model, two CPU cores, minutes.",
)

OVER_RANKS = ("run", "prepare", "sft", "rl", "eval")  # what torchrun may start as several processes

for group, group_name in (
    (data, "data"),
    (card, "card"),
    (reward_model, "reward-model"),
    (sandbox, "sandbox"),
    (export, "export"),
):
    app.add_typer(group, name=group_name)

Config = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG",
        help="A YAML file of settings, or the name of a shipped one (`vlrl configs`).",
        show_default=False,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Dotted overrides, e.g. seed=3 rl.loss.tau=0.2 rl.steps=50."),
]
Fresh = Annotated[
    bool,
    typer.Option(
        "--fresh",
        help="Start again; the run that the folder holds is set aside, and what it wrote goes once this one is done.",
    ),
]


@app.command()
def run(config: Config, overrides: Overrides = None, fresh: Fresh = False) -> None:
    """Run all stages that the config names (by default warm-up, RL, evaluation) and write the report.

    Interrupted, the same command continues from the last checkpoint. A run folder of other settings is refused.
    A config with `pipeline:` chains others; what is finished is repeated only where what it reads has changed.
    """
    config = _found(config, "run")
    from vlrl.experiments.pipeline.pipeline import is_pipeline, run_pipeline

    if is_pipeline(config):
        _alone("a pipeline")
        print(f"finished: {run_pipeline(config, overrides or [], fresh)}")
        return
    _run(config, overrides, None, fresh)


@app.command()
def prepare(config: Config, overrides: Overrides = None, fresh: Fresh = False) -> None:
    """Write the recipe's fixed sets to RUN_FOLDER/data: demonstrations, held-out problems, a sample to train on.

    JSON lines with images beside them; prints how many problems of each source and modality there are.
    """
    _run(_found(config, "prepare"), overrides, "prepare", fresh)


@app.command()
def sft(config: Config, overrides: Overrides = None, fresh: Fresh = False) -> None:
    """Warm up alone: supervised fine-tuning on the demonstrations. The best validated model lands in model_sft/."""
    _run(_found(config, "sft"), overrides, "sft", fresh)


@app.command()
def rl(config: Config, overrides: Overrides = None, fresh: Fresh = False) -> None:
    """Reinforcement learning alone, from the config's model, or from model_sft/ where the run folder has one."""
    _run(_found(config, "rl"), overrides, "rl", fresh)


@app.command("eval")
def evaluate(
    config: Config,
    overrides: Overrides = None,
    fresh: Fresh = False,
    tasks: Annotated[
        str | None, typer.Option(metavar="A,lm:B,…", help="Tasks of lmms-eval, and with lm: of lm-evaluation-harness.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="With --tasks: rows of each.", show_default=False)] = None,
    task_folder: Annotated[
        list[Path] | None, typer.Option(help="With --tasks: a folder of task files; may be repeated.")
    ] = None,
) -> None:
    """Evaluate on held-out problems: sampled and greedy accuracy with n and intervals, printed and in results.json.

    A config with `benchmarks:` (configs/eval/) asks those instead: MathVista, MMMU, MATH-Vision, GSM8K, own files.
    With --tasks the config's model, or the one that its run has trained, is asked by the field's harnesses.
    """
    config = _found(config, "eval")
    if tasks is not None:
        from vlrl.commands.harness_eval import evaluate_tasks

        _alone("an evaluation by harnesses")
        evaluate_tasks(config, overrides or [], tasks, limit, [str(one) for one in task_folder or ()])
        return
    from vlrl.commands.evaluate import evaluate_benchmarks
    from vlrl.training.monitoring.evaluation_settings import names_benchmarks

    if names_benchmarks(config):
        _alone("an evaluation of benchmarks")
        evaluate_benchmarks(config, overrides or [], fresh)
        return
    _run(config, overrides, "eval", fresh)


@app.command()
def report(
    run_folder: Annotated[Path, typer.Argument(help="The folder of a run, or its config.", show_default=False)],
) -> None:
    """Write report.html, one file to open without a server, and run_card.md. Works while a run is going on, too."""
    from vlrl.report.report import write_report
    from vlrl.training.lifecycle.config_kinds import run_folder_of

    print(f"report: {write_report(run_folder_of(run_folder))}")


@app.command()
def plan(
    config: Config,
    overrides: Overrides = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Also time a few passes of a random model of this shape on the device.")
    ] = False,
    ranks: Annotated[int, typer.Option(min=1, help="Processes that a launcher would start; memory is of one.")] = 1,
    gpu_gib: Annotated[
        float | None, typer.Option(min=1, help="Plan for a GPU of this many GiB that isn't here.", show_default=False)
    ] = None,
) -> None:
    """Say what a run would do, without loading a model: sizes, tokens per image, memory, work per step."""
    config = _found(config, "plan")
    from vlrl.plan.plan import print_plan

    print_plan(config, overrides or [], measure, ranks, gpu_gib)


@app.command()
def curate(config: Config, overrides: Overrides = None, fresh: Fresh = False) -> None:
    """Filter problems in counted stages (form, difficulty, guessing, duplicates, benchmarks) and write curated.jsonl.

    Configs: configs/curate/. Interrupted, the same command continues. With `warmup:` it writes demonstrations, too.
    """
    config = _found(config, "curate")
    from vlrl.commands.curate import start_curation

    start_curation(config, overrides or [], fresh)


@app.command()
def ablate(
    config: Config,
    overrides: Overrides = None,
    vary: Annotated[
        str | None, typer.Option(metavar="KEY=A,B,…", help="For a run's config: one arm a value, e.g. loss=kimi,grpo.")
    ] = None,
    leave_one_out: Annotated[
        bool,
        typer.Option("--leave-one-out", help="For a run's config: all of it, and without each named part."),
    ] = False,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds 1 to n; default: the config's, or 5.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the page goes; default: the ablation's folder.")] = None,
) -> None:
    """Compare arms at their own best learning rates, on the same seeds and problems, with paired intervals.

    Configs: configs/ablations/. Interrupted, the same command continues; finished runs are not repeated.
    """
    config = _found(config, "ablate")
    from vlrl.experiments.ablation.ablate import start_ablation
    from vlrl.experiments.ablation.ablation_load import load_ablation

    settings = load_ablation(config, overrides or [], vary, seeds, leave_one_out)
    given = {"--vary": vary, "--seeds": seeds}
    options = [f"{name} {value}" for name, value in given.items() if value] + ["--leave-one-out"] * leave_one_out
    command = " ".join(["vlrl ablate", str(config), *(overrides or []), *options])
    print(f"report: {start_ablation(settings, command, out)}")


@app.command()
def long2short(
    config: Config,
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="Where page and image go; default: the run folder.")] = None,
) -> None:
    """Make a long model short in every way of k1.5, and draw accuracy against tokens.

    Merging, supervision on shortest right responses, DPO, RL with the length reward, merging and supervision.
    """
    config = _found(config, "long2short")
    from vlrl.experiments.long2short.long2short import start_long2short

    print(f"report: {start_long2short(config, overrides or [], out)}")


@app.command()
def merge(
    first: Annotated[Path, typer.Argument(help="A model folder in Hugging Face format.", show_default=False)],
    second: Annotated[Path, typer.Argument(help="Another of the same architecture and tokenizer.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="Where the merged model goes.", show_default=False)],
    weight: Annotated[float, typer.Option(help="Share of the first model's weights, in [0, 1].")] = 0.5,
) -> None:
    """Average the weights of two models, e.g. of a long and a short one (k1.5's simplest long2short)."""
    from vlrl.commands.models.merging import merge_with_card

    print(f"model: {merge_with_card(first, second, weight, out)}")


@app.command()
def doctor(
    config: Annotated[
        Path | None,
        typer.Argument(metavar="[CONFIG]", help="A run's config, which is then tried as well.", show_default=False),
    ] = None,
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    step: Annotated[bool, typer.Option(help="With a config: one tiny step of it, in a process of its own.")] = True,
) -> None:
    """Look for what is known to go wrong on this host, and with a config try it: each finding with a remedy.

    Versions and pairs of packages, instructions, threads, memory, disks, images, fonts, CUDA; then settings, recipe,
    golds, one step with each engine and whether images are seen. Exit code 0 only where nothing is a problem.
    """
    found = None if config is None else _found(config, "doctor")
    from vlrl.doctor.examine import print_examination

    raise SystemExit(print_examination(found, overrides or [], as_json, step))


for listing in (init, compare, watch, score, verify, configs, recipes, models, push):
    app.command()(listing)
app.command("import")(import_config)
app.command("copy")(copy_to_edit)


def _found(config: Path, command: str) -> Path:
    """The config's file. Asked before what the command computes with is imported: a wrong name costs no seconds."""
    from vlrl.training.lifecycle.config_kinds import find_config

    return find_config(config, command)


def _run(config: Path, overrides: list[str] | None, stage: str | None, fresh: bool) -> None:
    from vlrl.training.run import start_run

    stages = None if stage is None else (stage,)
    folder = start_run(config, overrides or [], stages, fresh)  # type: ignore[arg-type]
    from vlrl.training.monitoring.summary import print_summary

    if dist.is_first():
        print_summary(folder)
    dist.leave()


def _version(wanted: bool) -> None:
    if wanted:
        from vlrl.installation.version import version_lines

        print("\n".join(version_lines()))
        raise typer.Exit


@app.callback()
def _every_command(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Versions of vlrl and what it computes with."),
    ] = False,
) -> None:
    """Settings-only commands and those that start runs of their own are one process."""
    dist.check_variables()
    if context.invoked_subcommand not in OVER_RANKS:
        _alone(f"vlrl {context.invoked_subcommand}")


def _alone(what: str) -> None:
    if dist.launched():
        remedy = f"start it without a launcher; one may start vlrl {', '.join(OVER_RANKS)}"
        raise ConfigError(what, f"was started as one of {dist.world()} processes", remedy)


def main() -> None:
    """Entry point. Exit code 128 + its number for a signal, 130 for Ctrl-C, else that of `exit_code_of`."""
    print_any_character()
    with interrupts.listening():
        code = exit_code_of(lambda: app(standalone_mode=False))
        by_signal = interrupts.exit_code()
        if code and by_signal is not None:
            code = by_signal
            if not interrupts.told():
                interrupts.tell("interrupted")
    if code:
        dist.leave(code)
        raise SystemExit(code)
