"""Mistakes planted in configs, overrides, recipes, rows, images, models, checkpoints, plugins, variables, commands.

Each is given to the real command line. It costs one message that names the place, the value as given and a remedy, exit
code 2, no traceback, and nothing half-written; no model is loaded for it, but where only the model can show it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from forked_commands import ForkedCommands
from PIL import Image

import vlrl.training.session.open_session as sessions
from vlrl import dist
from vlrl.cli import main

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Mistake:
    """One planted mistake.

    name     what is wrong, as the test is called
    command  of the command line, split at spaces; `|` stands for a space inside of an argument
    source_text  what the message must hold: place, value, remedy
    plant    changes the folder
    late     only the model can show it
    """

    name: str
    command: str
    source_text: tuple[str, ...]
    plant: Callable[[Path], None] = lambda folder: None
    variables: dict[str, str] = field(default_factory=dict)
    late: bool = False


def run(**changes: Any) -> Callable[[Path], None]:
    """run.yaml with other keys; None takes one out."""

    def plant(folder: Path) -> None:
        values = {**yaml.safe_load((folder / "run.yaml").read_text()), **changes}
        (folder / "run.yaml").write_text(yaml.safe_dump({k: v for k, v in values.items() if v is not None}))

    return plant


def text(name: str, content: str | bytes) -> Callable[[Path], None]:
    """A file of that content."""

    def plant(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return plant


def recipe(*sources: dict[str, Any], **more: Any) -> Callable[[Path], None]:
    """recipe.yaml of these sources."""
    return text("recipe.yaml", yaml.safe_dump({"sources": list(sources), **more}))


def domain(**changes: Any) -> dict[str, Any]:
    return {"name": "sums", "kind": "domain", "domain": "arithmetic", **changes}


def rows(*changed: dict[str, Any], **source: Any) -> Callable[[Path], None]:
    """Forty rows, the first of them changed, read by a source of kind file."""

    def plant(folder: Path) -> None:
        held = [{"question": f"{i} and {i}?", "answer": str(2 * i)} for i in range(40)]
        for i, change in enumerate(changed):
            held[i] = {k: v for k, v in {**held[i], **change}.items() if v != "gone"}
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in held))
        named = {"name": "own", "kind": "file", "path": "rows.jsonl", "modality": "text", "verifier": "number"}
        recipe({**named, **source})(folder)

    return plant


def imaged(image: bytes | None, **source: Any) -> Callable[[Path], None]:
    """Forty rows with an image each, of these bytes but for the last; None: the files aren't there."""

    def plant(folder: Path) -> None:
        (folder / "images").mkdir()
        for i in range(40):
            if image is not None:
                (folder / f"images/{i}.png").write_bytes(image + bytes([i]))
        given = [{"images": [f"images/{i}.png"], "asked": f"<image> or <image>? {i}"} for i in range(40)]
        rows(*given, modality="real", **source)(folder)

    return plant


def whole_image(size: tuple[int, int] = (64, 64)) -> bytes:
    from io import BytesIO

    kept = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)).save(kept, "PNG")
    return kept.getvalue()


def model(change: Callable[[Path], None]) -> Callable[[Path], None]:
    """A model folder, broken; run.yaml names it."""

    def plant(folder: Path) -> None:
        shutil.copytree(os.environ["PLANTED_MODEL"], folder / "model")
        change(folder / "model")
        run(model={"path": "model"})(folder)

    return plant


def earlier_run(change: Callable[[Path], None]) -> Callable[[Path], None]:
    """A run folder of the same settings, damaged."""

    def plant(folder: Path) -> None:
        from vlrl.config import load_settings
        from vlrl.training.run_settings import RunSettings

        settings = load_settings(RunSettings, folder / "run.yaml").model_dump(mode="json")
        (folder / "runs/x/checkpoints").mkdir(parents=True)
        (folder / "runs/x/run.yaml").write_text(yaml.safe_dump(settings))
        (folder / "runs/x/run_card.json").write_text('{"status": "failed"}')
        (folder / "runs/x/state.json").write_text('{"finished": [], "results": {}, "seconds": {}}')
        change(folder / "runs/x")

    return plant


M = Mistake
CONFIGS = [
    M("not there", "run none.yaml", ("none.yaml", "no such file", "relative one starts at")),
    M("a near name", "run quikstart", ("quikstart", "did you mean the shipped 'quickstart'")),
    M("a folder", "run .", (".", "is a folder", "YAML")),
    M("empty", "run run.yaml", ("run.yaml", "is missing", "name"), text("run.yaml", "")),
    M("a list", "run run.yaml", ("run.yaml", "holds list", "key: value"), text("run.yaml", "- a\n- b\n")),
    M("torn YAML", "run run.yaml", ("run.yaml, line 2", "not valid YAML"), text("run.yaml", "name: x\n  data: [\n")),
    M("a tab", "run run.yaml", ("run.yaml, line 2", "not valid YAML"), text("run.yaml", "rl:\n\tsteps: 3\n")),
    M("a key twice", "run run.yaml", ("line 2", "'name' is given twice"), text("run.yaml", "name: x\nname: y\n")),
    M("latin-1", "run run.yaml", ("run.yaml", "UTF-8"), text("run.yaml", b"name: \xe9t\xe9\n")),
    M("binary", "run run.yaml", ("run.yaml",), text("run.yaml", b"\x00\x01PK\x03\x04")),
    M("no data", "run run.yaml", ("run.yaml, data", "is missing", "add `data:`"), run(data=None)),
    M("no model", "run run.yaml", ("run.yaml, model", "is missing"), run(model=None)),
    M("no name", "run run.yaml", ("run.yaml, name", "is missing"), run(name=None)),
    M("an empty name", "run run.yaml", ("run.yaml, name", "''"), run(name="")),
    M("an unknown key", "run run.yaml", ("stpes", "unknown key", "did you mean 'steps'"), run(rl={"stpes": 3})),
    M("an unknown block", "run run.yaml", ("trainer", "unknown key"), run(trainer={"a": 1})),
    M("a block that is a number", "run run.yaml", ("run.yaml, rl", "3"), run(rl=3)),
    M("a block that is a list", "run run.yaml", ("run.yaml, eval",), run(eval=[1])),
    M("an unknown stage", "run run.yaml", ("stages", "'train'"), run(stages=["train"])),
    M("no stage", "run run.yaml", ("stages",), run(stages=[])),
    M("a stage twice", "run run.yaml", ("stages", "rl, rl", "each once"), run(stages=["rl", "rl"])),
    M("stages out of order", "run run.yaml", ("stages", "eval, rl", "write [rl, eval]"), run(stages=["eval", "rl"])),
    M("a stage as a word", "run run.yaml", ("stages",), run(stages="rll")),
    M("steps of yes", "run run.yaml", ("run.yaml, rl", "steps is yes"), run(rl={"steps": True})),
    M("no steps", "run run.yaml", ("rl.steps", "0"), run(rl={"steps": 0})),
    M("a half step", "run run.yaml", ("rl.steps", "2.5"), run(rl={"steps": 2.5})),
    M("a NaN", "run run.yaml", ("lr",), run(rl={"policy": {"optimizer": {"lr": float("nan")}}})),
    M("a negative rate", "run run.yaml", ("lr", "-0.1"), run(rl={"policy": {"optimizer": {"lr": -0.1}}})),
    M("one rollout", "run run.yaml", ("rollouts_per_problem is 1", "at least 2"), run(rl={"rollouts_per_problem": 1})),
    M("greedy RL", "run run.yaml", ("temperature is 0",), run(rl={"sampling": {"temperature": 0}})),
    M("an unknown loss", "run run.yaml", ("'kimmi'", "did you mean 'kimi'"), run(rl={"loss": "kimmi"})),
    M("a loss without name", "run run.yaml", ("loss", "taau"), run(rl={"loss": {"taau": 1}})),
    M("an unknown engine", "run run.yaml", ("'vlm'", "did you mean 'vllm'"), run(engine="vlm")),
    M("an unknown backend", "run run.yaml", ("'megatron'",), run(backend="megatron")),
    M("an unknown small model", "run run.yaml", ("tiny-qwen9",), run(model={"build": "tiny-qwen9"})),
    M("model of neither kind", "run run.yaml", ("run.yaml, model",), run(model={})),
    M("dpo without pairs", "run run.yaml", ("dpo.pairs", "is missing"), run(stages=["dpo"])),
    M("distil without records", "run run.yaml", ("distil.records", "is missing"), run(stages=["distil"])),
    M("record without teacher", "run run.yaml", ("record", "is missing"), run(stages=["record"])),
    M("pairs that aren't there", "run run.yaml", ("no.jsonl",), run(stages=["dpo"], dpo={"pairs": "no.jsonl"})),
    M("a curve without pace", "run run.yaml", ("benchmarks_every",), run(eval={"benchmarks": ["gsm8k"]})),
    M("a variable that isn't set", "run run.yaml", ("NOWHERE_SET", "export"), run(data="${NOWHERE_SET}/r.yaml")),
    M("an unknown preset", "run run.yaml", ("preset", "'dapoo'", "dapo"), run(rl={"preset": "dapoo"})),
    M("no threads", "run run.yaml", ("threads", "0"), run(threads=0)),
    M("an unknown tracker", "run run.yaml", ("tracker", "'comet'"), run(tracker="comet")),
    M(
        "a part that needs a teacher",
        "run run.yaml",
        ("teacher",),
        run(rl={"credit": {"token_credit": ["kl_teacher"]}}),
    ),
    M(
        "lengths beyond the limit",
        "run run.yaml",
        ("max_tokens_from_step",),
        run(rl={"max_tokens_from_step": {0: 9999}}),
    ),
    M(
        "a run folder that is a file",
        "run run.yaml",
        ("taken",),
        lambda f: (text("taken", "")(f), run(run_folder="taken")(f))[0],
    ),
    M("float16 training", "run run.yaml", ("float16",), run(model={"build": "tiny-qwen3-vl", "dtype": "float16"})),
    M("an unknown dtype", "run run.yaml", ("dtype", "int7"), run(model={"build": "tiny-qwen3-vl", "dtype": "int7"})),
]
CONFIGS += [
    M(
        "two documents",
        "run run.yaml",
        ("run.yaml, line 2", "one document a file"),
        text("run.yaml", "name: x\n---\na: 1\n"),
    ),
    M("a name that is the folder of all runs", "run run.yaml", ("run.yaml, name", "'.'"), run(name=".")),
    M("a name that leaves the folder of runs", "run run.yaml", ("run.yaml, name", "'../x'"), run(name="../x")),
    M("a name of two lines", "run run.yaml", ("run.yaml, name", "printable"), run(name="a\nb")),
    M("a name too long for a disk", "run run.yaml", ("run.yaml, name", "200 bytes"), run(name="n" * 300)),
    M("a name with NUL", "run run.yaml", ("run.yaml", "name is 'a\\x00b'", "NUL"), run(name="a\0b")),
    M("a run folder without a name", "run run.yaml", ("run.yaml, run_folder", "''"), run(run_folder="")),
    M("a run folder that no system makes", "run run.yaml", ("/proc/x", "run_folder=…"), run(run_folder="/proc/x")),
    M("a stop text without characters", "run run.yaml", ("rl.sampling.stop",), run(rl={"sampling": {"stop": [""]}})),
    M("a model as a word", "run run.yaml", ("run.yaml, model", "'Qwen/x'", "its keys: path"), run(model="Qwen/x")),
    M("a name that is a number", "run run.yaml", ("run.yaml, name", "quotes", "got 5"), run(name=5)),
    M("more threads than a machine has", "run run.yaml", ("threads", "1000000", "1024"), run(threads=1_000_000)),
    M(
        "an empty default of a variable",
        "run run.yaml",
        ("nowhere.yaml",),
        run(data="${NOTHING:-nowhere.yaml}"),
        {"NOTHING": ""},
    ),
]
OVERRIDES = [
    M("a seed beyond 64 bits", "run run.yaml seed=99999999999999999999", ("seed is 99999999999999999999", "64 bits")),
    M("a recipe that is this folder", "run run.yaml data=.", (".", "no such file", "starts at")),
    M("no equals sign", "run run.yaml nonsense", ("'nonsense'", "is not an override", "dotted.key=value")),
    M("no key", "run run.yaml =3", ("'=3'", "dotted.key=value")),
    M("an unknown override", "run run.yaml rl.stpes=3", ("rl.stpes", "did you mean 'steps'")),
    M("a key below a number", "run run.yaml seed.x=3", ("seed", "3")),
    M("a word for a number", "run run.yaml rl.steps=many", ("rl.steps", "'many'")),
    M("torn YAML in a value", "run run.yaml rl.loss={", ("rl.loss={", "not valid YAML")),
    M("two dots", "run run.yaml rl..steps=3", ("rl..steps",)),
    M("a null loss", "run run.yaml rl.loss=null", ("loss",)),
    M("a null engine", "run run.yaml engine=null", ("engine",)),
    M("a null model", "run run.yaml model=null", ("model",)),
    M("an option after the fact", "run run.yaml --frehs", ("--frehs",)),
    M("a list index that isn't there", "run run.yaml stages.7=rl", ("stages.7",)),
    M("an empty seed", "run run.yaml seed=", ("seed",)),
    M("a trailing dot", "run run.yaml rl.=3", ("rl.",)),
]
RECIPES = [
    M("no recipe", "run run.yaml data=none.yaml", ("none.yaml", "no such file", "starts at")),
    M("no sources", "run run.yaml", ("recipe.yaml", "empty", "add at least one source"), recipe()),
    M("a source as a word", "run run.yaml", ("sources",), text("recipe.yaml", "sources: arithmetic\n")),
    M("a source without kind", "run run.yaml", ("kind",), recipe({"name": "a", "domain": "arithmetic"})),
    M("an unknown kind", "run run.yaml", ("'domian'",), recipe(domain(kind="domian"))),
    M("an unknown domain", "run run.yaml", ("arithmetik", "arithmetic"), recipe(domain(domain="arithmetik"))),
    M(
        "an unknown setting of a domain",
        "run run.yaml",
        ("operatoins",),
        recipe(domain(domain={"name": "arithmetic", "operatoins": "+"})),
    ),
    M("two of one name", "run run.yaml", ("'sums'", "each its own name"), recipe(domain(), domain())),
    M("no weight", "run run.yaml", ("weight", "0"), recipe(domain(weight=0))),
    M("a negative weight", "run run.yaml", ("weight", "-1"), recipe(domain(weight=-1))),
    M("a weight as a word", "run run.yaml", ("weight", "lots"), recipe(domain(weight="lots"))),
    M("difficulty upside down", "run run.yaml", ("difficulty",), recipe(domain(difficulty=[0.9, 0.1]))),
    M(
        "rendered of nothing",
        "run run.yaml",
        ("'summs'", "sums"),
        recipe(domain(), {"name": "r", "kind": "rendered", "of": "summs"}),
    ),
    M(
        "an unknown style",
        "run run.yaml",
        ("fancy",),
        recipe(domain(), {"name": "r", "kind": "rendered", "of": "sums", "style": "fancy"}),
    ),
    M(
        "pixels upside down",
        "run run.yaml",
        ("pixels",),
        recipe(domain(), image={"min_pixels": 9000, "max_pixels": 100}),
    ),
    M("a cap above one", "run run.yaml", ("caps", "2"), recipe(domain(), caps={"easy": 2})),
    M("an unknown key of a recipe", "run run.yaml", ("imgae", "image"), recipe(domain(), imgae={})),
    M("a plugin that isn't there", "run run.yaml", ("none.py", "no such file"), recipe(domain(), plugins=["none.py"])),
    M("an evaluation set", "run run.yaml", ("is an evaluation set", "force: true"), rows(layout="mathvision")),
    M("an unknown source of an override", "data stats recipe.yaml sources.summs.weight=1", ("summs",)),
    M("a config as a recipe", "data stats run.yaml", ("run.yaml", "`vlrl data stats` doesn't take", "recipe.yaml")),
]
RECIPES += [
    M("a weight that is infinite", "run run.yaml", ("'sums', weight:", "inf"), recipe(domain(weight=float("inf")))),
    M(
        "rows as a recipe",
        "run run.yaml data=rows.jsonl",
        ("rows.jsonl", "not a recipe", "vlrl init my_project --data rows.jsonl"),
        rows(),
    ),
    M("rows to count", "data stats rows.jsonl", ("rows.jsonl", "not a recipe", "vlrl init"), rows()),
    M("a path without a name", "run run.yaml", ("'own', path", "''"), rows(path="")),
    M("a path with NUL", "run run.yaml", ("'own'", "path is", "NUL"), rows(path="a\0b.jsonl")),
    M("a split of one file", "run run.yaml", ("'own', split", "'test'", "without splits"), rows(split="test")),
    M("a subset of one file", "run run.yaml", ("'own', subset", "'main'", "leave it out"), rows(subset="main")),
]
ROWS = [
    M(
        "no file of rows",
        "run run.yaml",
        ("source 'own', path", "no.jsonl", "was looked for at"),
        rows(path="no.jsonl"),
    ),
    M(
        "torn rows",
        "run run.yaml",
        ("rows.jsonl", "line 2"),
        lambda f: (rows()(f), text("rows.jsonl", '{"question": "a", "answer": "1"}\n{"question": \n')(f))[0],
    ),
    M("an empty file of rows", "run run.yaml", ("rows.jsonl",), lambda f: (rows()(f), text("rows.jsonl", "")(f))[0]),
    M(
        "a row that is a list",
        "run run.yaml",
        ("rows.jsonl",),
        lambda f: (rows()(f), text("rows.jsonl", "[1, 2]\n" * 40)(f))[0],
    ),
    M("no question", "run run.yaml", ("rows.jsonl, line 1", "question"), rows({"question": "gone"})),
    M("no answer", "run run.yaml", ("rows.jsonl, line 1", "answer"), rows({"answer": "gone"})),
    M("a null answer", "run run.yaml", ("rows.jsonl, line 1", "answer"), rows({"answer": None})),
    M("an unknown verifier", "run run.yaml", ("'numbr'", "did you mean 'number'"), rows(verifier="numbr")),
    M("an unknown layout", "run run.yaml", ("'easyr2'", "easyr1"), rows(layout="easyr2")),
    M("a column that isn't there", "run run.yaml", ("'prmpt'",), rows(columns={"question": "prmpt"})),
    M("golds that can't be earned", "run run.yaml", ("rows.jsonl", "number"), rows(*({"answer": "a green one"},) * 40)),
    M("a share above one", "run run.yaml", ("held_out", "1.5"), rows(held_out=1.5)),
    M("no demonstrations for SFT", "sft run.yaml", ("source 'own'", "no demonstrations", "thought"), rows()),
    M("an unknown modality", "run run.yaml", ("modality", "'video'"), rows(modality="video")),
    M(
        "more placeholders than images",
        "run run.yaml",
        ("rows.jsonl, line",),
        imaged(whole_image(), columns={"question": "asked"}),
    ),
]
IMAGES = [
    M("no image", "run run.yaml", ("images/", ".png"), imaged(None)),
    M(
        "half an image",
        "run run.yaml",
        ("rows.jsonl, line", ".png", "on_bad_image: skip"),
        imaged(whole_image()[:200]),
    ),
    M("no bytes of an image", "run run.yaml", (".png",), imaged(b"")),
    M("text as an image", "run run.yaml", (".png",), imaged(b"hello")),
    M("an image too narrow", "run run.yaml", (".png",), imaged(whole_image((2010, 2)))),
    M("real rows without images", "run run.yaml", ("own", "image"), rows(modality="real")),
]
MODELS = [
    M(
        "a folder that isn't there",
        "run run.yaml",
        ("model.path", "nowhere/model"),
        run(model={"path": "nowhere/model"}),
    ),
    M(
        "an empty folder",
        "run run.yaml",
        ("model.path", "model"),
        lambda f: ((f / "model").mkdir(), run(model={"path": "model"})(f))[1],
    ),
    M("no config.json", "run run.yaml", ("config.json",), model(lambda m: (m / "config.json").unlink())),
    M("a torn config.json", "run run.yaml", ("config.json",), model(lambda m: (m / "config.json").write_text("{"))),
    M(
        "an unknown architecture",
        "run run.yaml",
        ("model",),
        model(lambda m: (m / "config.json").write_text('{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}')),
    ),
    M("no weights", "run run.yaml", ("model",), model(lambda m: (m / "model.safetensors").unlink())),
    M(
        "torn weights",
        "run run.yaml",
        ("model.safetensors",),
        model(lambda m: (m / "model.safetensors").write_bytes((m / "model.safetensors").read_bytes()[:5000])),
    ),
    M(
        "no tokenizer",
        "run run.yaml",
        ("model", "tokenizer"),
        model(lambda m: [one.unlink() for one in m.glob("tokenizer*")] and None),
    ),
    M(
        "a pointer for weights",
        "run run.yaml",
        ("model.safetensors",),
        model(
            lambda m: (m / "model.safetensors").write_text(
                "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
            )
        ),
    ),
    M("merge of no model", "merge a b c", ("a",)),
    M("merge with a weight of two", "merge model model c --weight 2", ("weight", "2"), model(lambda m: None)),
    M("a plan of a model nobody knows", "plan run.yaml", ("nobody/nothing",), run(model={"path": "nobody/nothing"})),
]
CHECKPOINTS = [
    M(
        "other settings",
        "run run.yaml seed=5",
        ("runs/x", "seed", "5", "run_folder=", "--fresh"),
        earlier_run(lambda r: None),
    ),
    M("a torn run.yaml", "run run.yaml", ("runs/x/run.yaml",), earlier_run(lambda r: (r / "run.yaml").write_text("{"))),
    M(
        "a run.yaml of a list",
        "run run.yaml",
        ("runs/x/run.yaml",),
        earlier_run(lambda r: (r / "run.yaml").write_text("- 1\n")),
    ),
    M(
        "damaged inputs",
        "run run.yaml",
        ("runs/x/inputs.json", "damaged"),
        earlier_run(lambda r: (r / "inputs.json").write_text("{")),
    ),
    M("a report of no run", "report empty", ("empty", "not a run folder", "→"), lambda f: (f / "empty").mkdir()),
    M("a report of nothing", "report nothing", ("nothing",)),
    M(
        "a report of a torn card",
        "report runs/x",
        ("run_card.json",),
        earlier_run(lambda r: (r / "run_card.json").write_text("{")),
    ),
]
PLUGINS = [
    M(
        "a plugin that isn't there",
        "run run.yaml",
        ("plugins: none.py", "no such file", ".py"),
        run(plugins=["none.py"]),
    ),
    M(
        "a plugin that fails",
        "run run.yaml",
        ("plugins: p.py", "ZeroDivisionError", "mend"),
        lambda f: (text("p.py", "1 / 0\n")(f), run(plugins=["p.py"])(f))[0],
    ),
    M(
        "a plugin with a typo",
        "run run.yaml",
        ("plugins: p.py", "SyntaxError"),
        lambda f: (text("p.py", "def :\n")(f), run(plugins=["p.py"])(f))[0],
    ),
    M(
        "a plugin that imports nothing",
        "run run.yaml",
        ("plugins: p.py", "no_such_module"),
        lambda f: (text("p.py", "import no_such_module\n")(f), run(plugins=["p.py"])(f))[0],
    ),
    M(
        "a plugin that ends Python",
        "run run.yaml",
        ("plugins: p.py", "SystemExit"),
        lambda f: (text("p.py", "import sys\nsys.exit(3)\n")(f), run(plugins=["p.py"])(f))[0],
    ),
    M(
        "a plugin that is text",
        "run run.yaml",
        ("plugins: p.txt",),
        lambda f: (text("p.txt", "hello there\n")(f), run(plugins=["p.txt"])(f))[0],
    ),
    M(
        "a plugin of a taken name",
        "run run.yaml",
        ("'kimi'", "already registered"),
        lambda f: (
            text("p.py", "from vlrl.losses.loss_registry import losses\n@losses.register('kimi')\nclass Other: pass\n")(
                f
            ),
            run(plugins=["p.py"])(f),
        )[0],
    ),
    M(
        "a plugin that registers nothing that is asked for",
        "run run.yaml",
        ("'mine'",),
        lambda f: (text("p.py", "")(f), run(plugins=["p.py"], rl={"loss": "mine"})(f))[0],
    ),
    M("domains of a plugin that isn't there", "data domains --plugin none.py", ("none.py", "no such file")),
    M(
        "pairs with a plugin that isn't there",
        "verify --pairs p.jsonl --verifier x --plugin none.py",
        ("none.py", "no such file"),
    ),
]
VARIABLES = [
    M("a set that isn't named", "data stats real_images", ("VLRL_DATA", "is not set", "export")),
    M(
        "a folder of sets that isn't there",
        "data stats documents",
        ("no such file",),
        variables={"VLRL_DATA": "/nowhere"},
    ),
    M(
        "a training file that isn't there",
        "data stats own_jsonl",
        ("/nowhere.jsonl",),
        variables={"VLRL_TRAIN": "/nowhere.jsonl"},
    ),
    M("a model that isn't there", "curate curate/quickstart", ("nowhere/m",), variables={"MODEL": "nowhere/m"}),
    M(
        "one of several processes",
        "plan run.yaml",
        ("vlrl plan", "2 processes", "without a launcher"),
        variables={"WORLD_SIZE": "2", "RANK": "0"},
    ),
    M("a rank of no number", "plan run.yaml", ("RANK",), variables={"WORLD_SIZE": "2", "RANK": "one"}),
    M("a world of no number", "plan run.yaml", ("WORLD_SIZE",), variables={"WORLD_SIZE": "two", "RANK": "0"}),
]
VARIABLES += [
    M(
        "a folder of sets without a name",
        "data stats documents",
        ("VLRL_DATA", "is empty"),
        variables={"VLRL_DATA": ""},
    ),
    M("a world of nobody", "plan run.yaml", ("WORLD_SIZE", "'0'"), variables={"WORLD_SIZE": "0", "RANK": "0"}),
]


def benchmarks(*problems: dict[str, Any]) -> Callable[[Path], None]:
    """ev.yaml, which asks these problems twice in the same way."""

    def plant(folder: Path) -> None:
        text("p.jsonl", "".join(json.dumps(problem) + "\n" for problem in problems))(folder)
        asked = [{"benchmark": "problems", "name": "own", "path": "p.jsonl"}] * 2
        values = {"name": "e", "model": {"build": "tiny-qwen3-vl"}, "benchmarks": asked}
        text("ev.yaml", yaml.safe_dump(values))(folder)

    return plant


ONE_PROBLEM = {"id": "a", "prompt": [{"text": "1 + 1 = ?"}], "answer": "2", "verifier": "number", "modality": "text"}
ABLATION = {
    "name": "a",
    "base": "run.yaml",
    "arms": {"x": {}, "y": {"rl.steps": 2}},
    "seeds": [1],
    "outcomes": {"accuracy": {"of": "corect"}},
}
CHAIN = {"name": "p", "pipeline": [{"name": "a", "config": "run.yaml", "set": {"model.path": "{b}/model"}}]}
COMMANDS = [
    M("an evaluation of no problems", "eval ev.yaml", ("p.jsonl", "holds no problems"), benchmarks()),
    M(
        "an evaluation that asks twice",
        "eval ev.yaml",
        ("benchmarks", "'own'", "name:"),
        benchmarks({**ONE_PROBLEM, "domain": "sums"}),
    ),
    M(
        "an outcome that nothing measures",
        "ablate abl.yaml",
        ("outcomes", "'corect'", "did you mean 'correct'"),
        text("abl.yaml", yaml.safe_dump(ABLATION)),
    ),
    M(
        "a first link that goes on from another",
        "run pipe.yaml",
        ("pipeline, 'a'", "{b} is no earlier link", "before it"),
        text("pipe.yaml", yaml.safe_dump(CHAIN)),
    ),
    M("a plan for endless memory", "plan run.yaml --gpu-gib inf", ("--gpu-gib", "inf")),
    M("a project that is a file", "init recipe.yaml --data rows.jsonl", ("recipe.yaml", "is a file"), rows()),
    M("a copy into a file", "copy quickstart recipe.yaml", ("recipe.yaml", "is a file")),
    M("a copy of an empty name", "copy ", ("no such file", "vlrl configs")),
    M("an unknown command", "trian run.yaml", ("trian",)),
    M("no config", "run", ("CONFIG",)),
    M("an unknown option", "run run.yaml --stpes 3", ("--stpes",)),
    M("an option without value", "plan run.yaml --ranks", ("--ranks",)),
    M("no ranks", "plan run.yaml --ranks 0", ("--ranks", "1")),
    M("measuring another machine", "plan run.yaml --measure --gpu-gib 80", ("--measure", "--gpu-gib")),
    M("a run to curate", "curate run.yaml", ("run.yaml", "`vlrl curate` doesn't take", "vlrl run run.yaml")),
    M("an ablation to plan", "plan mixture", ("mixture", "is an ablation", "vlrl ablate mixture")),
    M("a chain to plan", "plan pipelines/whole", ("is a chain", "vlrl run pipelines/whole")),
    M("a recipe to run", "run recipe.yaml", ("is a recipe", "`data:`")),
    M("a benchmark to run", "run eval/gsm8k", ("benchmarks", "vlrl eval eval/gsm8k")),
    M("nothing to vary", "ablate run.yaml", ("--vary", "--leave-one-out")),
    M("varying nothing known", "ablate run.yaml --vary loss.taau=1,2", ("taau",)),
    M("varying without values", "ablate run.yaml --vary loss", ("--vary", "loss")),
    M("varying an ablation", "ablate mixture --vary loss=a,b", ("--vary", "names its arms itself")),
    M("an unknown benchmark to score", "score mathvsita --problems p --responses r", ("mathvsita", "mathvista")),
    M("no problems to score", "score gsm8k --problems p.jsonl --responses r.jsonl", ("r.jsonl", "no such file")),
    M("an unknown rule to score by", "score gsm8k --problems p --responses r --mode offical", ("offical",)),
    M("an unknown verifier", "verify --pairs p.jsonl --verifier numbr", ("'numbr'", "did you mean 'number'")),
    M("pairs that aren't there", "verify --pairs p.jsonl --verifier number", ("p.jsonl",)),
    M(
        "a pair without gold",
        "verify --pairs p.jsonl --verifier number",
        ("p.jsonl, line 1", "'gold'"),
        text("p.jsonl", '{"id": 1, "prediction": "2"}\n'),
    ),
    M(
        "a pair of one id",
        "verify --pairs p.jsonl --verifier number",
        ("line 2", "1"),
        text("p.jsonl", '{"id": 1, "gold": "2", "prediction": "2"}\n' * 2),
    ),
    M("a copy of nothing", "copy quikstart", ("quikstart", "'quickstart'")),
    M(
        "a copy over another file",
        "copy quickstart",
        ("configs/quickstart.yaml", "is there already"),
        text("configs/quickstart.yaml", "mine"),
    ),
    M("a preview of nothing", "data preview k15mix", ("k15mix", "k15_mix")),
    M("a count of no problems", "data stats recipe.yaml --count 0", ("--count", "1")),
    M("a tokenizer that isn't there", "data stats recipe.yaml --tokenizer nowhere/t", ("--tokenizer", "nowhere/t")),
    M("brackets in a name", "run [/b].yaml", ("[/b].yaml", "no such file")),
    M("brackets in a value", "run run.yaml name=[/red]", ("name", "/red")),
    M("a doctor of a recipe", "doctor recipe.yaml", ("is a recipe",)),
]
KINDS = {
    "config": CONFIGS,
    "override": OVERRIDES,
    "recipe": RECIPES,
    "rows": ROWS,
    "image": IMAGES,
    "model": MODELS,
    "checkpoint": CHECKPOINTS,
    "plugin": PLUGINS,
    "variable": VARIABLES,
    "command": COMMANDS,
}
ALL = {f"{kind}: {one.name}": one for kind, held in KINDS.items() for one in held}
OUTSIDE = ["config: latin-1", "config: an unknown key", "override: a null loss", "recipe: no sources"]
OUTSIDE += ["rows: no answer", "image: half an image", "model: a torn config.json", "checkpoint: a torn run.yaml"]
OUTSIDE += ["plugin: a plugin that ends Python", "variable: a world of no number", "command: an unknown command"]
OUTSIDE += ["command: brackets in a name"]
FROM_NOTHING = ["config: latin-1", "variable: a world of no number", "command: an unknown command"]  # imports and all


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_folders: dict[str, Path]) -> Path:
    """A run that would work, its recipe; the working directory."""
    monkeypatch.setenv("PLANTED_MODEL", str(model_folders["tiny-qwen3-vl"]))
    for name in ("VLRL_DATA", "VLRL_TRAIN", "MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.chdir(tmp_path)
    recipe(domain())(tmp_path)
    small = {
        "name": "x",
        "data": "recipe.yaml",
        "stages": ["rl"],
        "model": {"build": "tiny-qwen3-vl"},
        "rl": {"steps": 1, "problems_per_step": 2, "rollouts_per_problem": 2, "sampling": {"max_tokens": 4}},
        "eval": {"problems": 2, "curve_problems": 2},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(small))
    return tmp_path


def tree(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def check(mistake: Mistake, code: int, said: str, error: str, before: dict[str, bytes], folder: Path) -> None:
    shown = f"exit code {code}\n{said}\n{error}"
    assert "Traceback" not in error, shown
    assert code == 2, shown
    assert len(re.findall(r"(?m)^error: |^╭─ Error|^Error: ", error)) == 1, shown
    flat = " ".join(error.split())
    for part in mistake.source_text:
        assert part in flat, f"{part!r} is not in:\n{shown}"
    assert len(error) < 2500, shown
    after = tree(folder)
    assert {name for name in after if before.get(name) != after[name]} == set(), shown
    assert before.keys() <= after.keys(), shown


def test_there_are_at_least_120_and_some_of_every_kind():
    assert len(ALL) == sum(map(len, KINDS.values())) >= 120
    assert min(map(len, KINDS.values())) >= 6
    assert set(OUTSIDE) <= ALL.keys()
    assert len(OUTSIDE) >= 12
    assert set(FROM_NOTHING) <= set(OUTSIDE)


@pytest.mark.parametrize("name", ALL)
def test_a_mistake_costs_one_message(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    mistake = ALL[name]
    mistake.plant(folder)
    for variable, value in mistake.variables.items():
        monkeypatch.setenv(variable, value)
    if not mistake.late:
        monkeypatch.setattr(sessions, "load_model", lambda *arguments, **named: pytest.fail("a model was loaded"))
    monkeypatch.setattr(dist, "leave", lambda code=0: None)  # as one of several ranks it would end this process
    before = tree(folder)
    monkeypatch.setattr(sys, "argv", ["vlrl", *(one.replace("|", " ") for one in mistake.command.split(" "))])
    code = 0
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr()
    check(mistake, code, said.out, said.err, before, folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", OUTSIDE)
def test_a_mistake_seen_from_outside_of_the_process(name: str, folder: Path, forked: ForkedCommands):
    mistake = ALL[name]
    mistake.plant(folder)
    before = tree(folder)
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": paths, **mistake.variables}
    arguments = mistake.command.split(" ")
    if name in FROM_NOTHING:
        started = [sys.executable, "-m", "vlrl", *arguments]
        done: Any = subprocess.run(
            started, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
    else:
        done = forked("vlrl", *arguments, cwd=folder, env=environment, timeout=300)
    check(mistake, done.returncode, done.stdout, done.stderr, before, folder)
