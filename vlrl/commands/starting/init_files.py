"""What `vlrl init` writes: a recipe, a config, and the next three commands on top of it."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from vlrl.commands.starting.columns import Said
from vlrl.commands.starting.look import Look, look_at
from vlrl.config import build_settings
from vlrl.data.recipe import load_recipe
from vlrl.errors import ConfigError
from vlrl.runlog.atomic_files import write_atomically
from vlrl.training.run_settings import RunSettings

MODEL = "Qwen/Qwen2.5-VL-3B-Instruct"
RESPONSE_TOKENS, SMALL_TOKENS = 2048, 32
PIXELS, SMALL_PIXELS = (3136, 401408), (1024, 16384)  # of the recipe's image budget
SYSTEM = "Think step by step between <think> and </think>, then give the final answer between <answer> and </answer>."
NAMED_BAD = 5  # golds that the recipe's comment names


def start_project(project: Path, data: Path, said: Said, model: str, small: bool, split: str | None) -> list[str]:
    """Write PROJECT/recipe.yaml and PROJECT/config.yaml; returns the lines to print. Raises ConfigError and DataError
    before anything is written."""
    files = project / "recipe.yaml", project / "config.yaml"
    for file in files:
        if file.exists():
            raise ConfigError(str(file), "is there already, and is not overwritten", "name another folder")
    if (blocking := next((one for one in (project, *project.parents) if one.exists()), None)) and not blocking.is_dir():
        raise ConfigError(str(blocking), "is a file, and the project needs a folder there", "name another folder")
    if not data.expanduser().exists():
        raise ConfigError("--data", f"no such file or folder: {data}", f"a relative one starts at {Path.cwd()}")
    name = "".join(c if c.isalnum() or c in "_-" else "_" for c in project.resolve().name) or "project"
    look = look_at(data.expanduser(), name, said, split)
    recipe, config = files
    run = run_of(name, recipe, look, model, small)
    build_settings(RunSettings, run, str(config))
    project.mkdir(parents=True, exist_ok=True)
    commands = next_commands(project)
    write_atomically(recipe, _comment(_of_rows(look, data)) + _yaml(recipe_of(look, project, small)))
    write_atomically(config, _comment([*_of_config(name, data, small), "", *commands]) + _yaml(run))
    load_recipe(recipe, [])
    return [*_of_rows(look, data), "", f"written: {recipe}, {config}", "", *commands]


def next_commands(project: Path) -> list[str]:
    """The plan: look at the data, see what a run needs, run it."""
    return [
        f"vlrl data preview {project}/recipe.yaml --open {project}/preview.html   # look at problems before training",
        f"vlrl plan {project}/config.yaml   # memory, tokens an image, work a step; loads no model",
        f"vlrl run {project}/config.yaml   # RL, evaluation, and a report to look at",
    ]


def recipe_of(look: Look, project: Path, small: bool) -> dict[str, Any]:
    """The recipe, its paths from the project's folder where the data lies below the folder around it."""
    source = dict(look.source)
    for key in ("path", "validation_path", "test_path", "image_folder"):
        if key in source:
            source[key] = _near(Path(source[key]), project.resolve())
    least, most = SMALL_PIXELS if small else PIXELS
    return {"image": {"min_pixels": least, "max_pixels": most}, "sources": [source]}


def _near(path: Path, project: Path) -> str:
    """From the project's folder; whole where that would climb above the folder around the project."""
    if not path.is_relative_to(project.parent):
        return str(path)
    relative = os.path.relpath(path, project)
    return relative if relative.startswith(".") else f"./{relative}"


def run_of(name: str, recipe: Path, look: Look, model: str, small: bool) -> dict[str, Any]:
    """The config of a run on these rows: for one 80 GB device, or a few steps of a small model on two cores."""
    train = look.rows if look.report is None else look.report.read - len(look.report.bad_golds)
    held_out = max(1, int(train * look.source["held_out"]) or 1)
    pixels = (SMALL_PIXELS if small else PIXELS)[1]
    image_tokens = pixels // (256 if small else 784)
    prompt = look.longest_chars // (1 if small else 2) + look.images_a_row * image_tokens + 256
    tokens = SMALL_TOKENS if small else RESPONSE_TOKENS
    context = next(size for size in (2**k for k in range(11 if small else 12, 31)) if size >= prompt + tokens)
    training = max(1, int(train * (1 - 2 * look.source["held_out"])))
    shared: dict[str, Any] = {"name": name, "data": str(recipe), "stages": ["rl", "eval"]}
    if small:
        shape = {"context": context, "vocabulary": 600, "max_pixels": pixels}
        return {
            **shared,
            "model": {"build": "tiny-qwen3-vl", "shape": shape},
            "threads": 2,
            "rl": {
                "steps": 3,
                "problems_per_step": min(4, training),
                "rollouts_per_problem": 4,
                "sampling": {"max_tokens": tokens},
                "policy": {"optimizer": {"name": "adamw", "lr": 1.0e-4}},
                "log_every": 1,
            },
            "eval": {
                "problems": min(20, held_out),
                "curve_problems": min(8, held_out),
                "sampling": {"max_tokens": tokens},
            },
        }
    return {
        **shared,
        "model": {"path": model, "dtype": "bfloat16", "gradient_checkpointing": True, "context": context},
        "system_prompt": SYSTEM,
        "rl": {
            "steps": 200,
            "problems_per_step": min(32, training),
            "rollouts_per_problem": 8,
            "sampling": {"temperature": 1.0, "max_tokens": tokens},
            "skip_uninformative": True,
            "policy": {
                "reset_optimizer": "never",
                "freeze": ["vision", "projector"],
                "optimizer": {"name": "adamw", "lr": 1.0e-6, "betas": [0.9, 0.95], "warmup_steps": 10, "max_norm": 1.0},
                "micro_batch_tokens": max(8192, context),
            },
            "validate_every": 20,
            "checkpoint_every": 50,
        },
        "engine": {"name": "transformers", "max_num_seqs": 256, "max_num_batched_tokens": 16384},
        "eval": {"problems": 200, "curve_problems": 64, "sampling": {"temperature": 1.0, "max_tokens": tokens}},
    }


def _of_rows(look: Look, data: Path) -> list[str]:
    """What was found in the rows, line by line."""
    report, lines = look.report, [f"{data}: {look.rows:,} rows."]
    lines += [f"- {reason}" for reason in look.reasons]
    lines += [f"- {note}" for note in look.notes]
    if report is None:
        return [*lines, "- too many rows to read them all here: each is checked when it is drawn"]
    if report.images:
        lines.append(f"- {report.images:,} images in {report.with_images:,} rows")
    if report.options:
        lines.append(f"- {report.options:,} options in {report.with_options:,} rows")
    for reason, count in report.left_out.most_common():
        lines.append(f"- left out, {_rows(count)}: {reason}")
    bad = list(report.bad_golds.values())
    if bad:
        lines.append(f"- left out, {_rows(len(bad))} whose gold its verifier can't read:")
        lines += [f"  {place}: {fault}" for place, fault in bad[:NAMED_BAD]]
        lines += [f"  and {len(bad) - NAMED_BAD} more"] if len(bad) > NAMED_BAD else []
    if report.unread:
        lines.append(f"- columns of no use: {', '.join(report.unread)}")
    return lines


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _of_config(name: str, data: Path, small: bool) -> list[str]:
    if small:
        what = f"{name}: a few steps of a small random model on {data.name}, to see that all goes. It learns nothing;"
        return [f"{what} `vlrl init` without --small writes the config of a real run."]
    what = f"{name}: RL on {data.name}, written by `vlrl init` as a starting point for one 80 GB device. Paths start at"
    return [
        f"{what} the folder that the commands are given in. No run of this size is claimed here; tune rate and steps."
    ]


def _comment(lines: Sequence[str]) -> str:
    wrapped = [
        part
        for line in lines
        for part in (textwrap.wrap(line, 116, subsequent_indent="  ", break_long_words=False) or [""])
    ]
    return "".join(f"# {line}".rstrip() + "\n" for line in wrapped)


def _yaml(values: dict[str, Any]) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110)
