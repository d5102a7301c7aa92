"""Every command that README and docs show: its names, options and settings exist; a wrong one fails here."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from vlrl.cli import app
from vlrl.config import load_settings, read_yaml
from vlrl.curation.curation_settings import CurateSettings
from vlrl.errors import VlrlError
from vlrl.experiments.ablation.ablation_load import load_ablation
from vlrl.experiments.long2short.long2short import Long2ShortSettings
from vlrl.experiments.pipeline.pipeline import PipelineSettings
from vlrl.training.lifecycle.config_kinds import find_config, find_recipe, kind_of
from vlrl.training.monitoring.evaluation_settings import EvaluationSettings
from vlrl.training.reward_models.reward_model_config import RewardModelConfig
from vlrl.training.run_settings import RunSettings

WrongUse = typer.BadParameter.__mro__[1]  # click's, or that of the copy that newer typers hold
ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES += sorted((ROOT / "examples").glob("*.ipynb"))
PREFIX = r"\$?\s*(?:[A-Z_]+=\S+\s+)*"
VLRL = re.compile(
    PREFIX + r"(?:(?:torchrun|deepspeed)\s.*(?:-m|--module)\s+|docker run\s.*\s|\.venv/bin/)?vlrl\s+(?=\S)"
)
SCRIPT = re.compile(PREFIX + r"(?:(?:\.venv/bin/)?python\s+|sbatch\s+(?:-\S+\s+)*|\./)?(scripts/[\w./-]+\.?\w*)(.*)")
STANDS_FOR = {  # what a page leaves to its reader
    "CONFIG": "quickstart",
    "NAME": "quickstart",
    "BENCH": "gsm8k",
    "RECIPE": "quickstart",
    "configs/mine.yaml": "quickstart",
    "data_recipes/mine.yaml": "quickstart",
    "configs/ablations/NAME.yaml": "configs/ablations/mixture.yaml",
    "my_ablation.yaml": "configs/ablations/mixture.yaml",
}
OF_COMMAND = {
    "curate": {"key=value": "seed=1"},
    "rl": {"CONFIG": "qwen2_5_vl_3b"},
    "reward-model": {"CONFIG": "quickstart"},
}
TAKE_A_RUN = ("run", "prepare", "sft", "rl", "eval", "plan")
SETTINGS = {
    "run": RunSettings,
    "chain": PipelineSettings,
    "benchmarks": EvaluationSettings,
    "curation": CurateSettings,
    "long2short": Long2ShortSettings,
    "reward_model": RewardModelConfig,
}


@dataclass(frozen=True)
class Shown:
    """A command as a page shows it: the words after `vlrl`.

    complete  it could be typed: neither `…` nor alternatives
    in_text   a mention within a sentence, which may leave out what the command needs
    """

    page: str
    words: tuple[str, ...]
    complete: bool = True
    in_text: bool = False

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def pieces(page: Path) -> Iterator[tuple[str, bool]]:
    """Lines of code blocks, and code within the text."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        text = "\n\n".join("".join(c["source"]) for c in json.loads(text)["cells"] if c["cell_type"] == "markdown")
    for language, block in re.findall(r"```(\w*)\n(.*?)```", text, flags=re.DOTALL):
        if language in ("", "bash", "sh", "shell", "console"):
            yield from ((line, False) for line in block.replace("\\\n", " ").splitlines())
    yield from ((code, True) for code in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))


def shown_on(page: Path) -> Iterator[Shown]:
    """`a|b` are commands of their own, `[X]` stands for what may be left out, `…` for what a reader adds."""
    for piece, in_text in pieces(page):
        found = VLRL.match(piece)
        if found is None:
            continue
        rest = re.sub(r"(?<=\s)\[([\w.=]+)\](?=\s|$)", r"\1", " " + piece[found.end() :])
        words = shlex.split(re.sub(r"\[[^\]]*…[^\]]*\]", "…", rest), comments=True)
        complete = "…" not in words and not any("|" in word for word in words)
        choices = [word.split("|") if "=" not in word else [word] for word in words if word != "…"]
        for one in itertools.product(*choices):
            yield Shown(str(page.relative_to(ROOT)), tuple(one), complete, in_text)


COMMANDS = list(dict.fromkeys(one for page in PAGES for one in shown_on(page)))


def command_of(words: list[str]) -> tuple[str, Any, list[str]]:
    """Name, command and the words after it. AssertionError where there is none of that name."""
    command: Any = typer.main.get_command(app)
    name = ""
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"there is no command {name} {words[0]}"
        name, command, words = f"{name} {words[0]}".strip(), command.commands[words[0]], words[1:]
    return name, command, words


def check(shown: Shown) -> None:
    """Options, arguments, configs, recipes and settings of a command exist. Raises whatever says that they don't."""
    stands = {**STANDS_FOR, **OF_COMMAND.get(shown.words[0], {})}
    name, command, words = command_of([stands.get(word, word) for word in shown.words])
    options = {text for one in command.params for text in (*one.opts, *one.secondary_opts)}
    for word in words:
        assert not word.startswith("--") or word.partition("=")[0] in options, f"{name} has no option {word}"
    if not words or not name:
        return
    if not shown.complete:
        if name in TAKE_A_RUN:
            load_settings(RunSettings, ROOT / "configs/quickstart.yaml", [word for word in words if "=" in word])
        return
    try:
        given = command.make_context(name, words).params
    except Exception as error:
        if shown.in_text and type(error).__name__ == "MissingParameter":
            return
        raise
    if "recipe" in given:
        find_recipe(str(given["recipe"]), name)
    if "config" in given and given["config"] is not None:
        file, overrides = find_config(given["config"], name), list(given["overrides"] or ())
        if name == "ablate":
            load_ablation(file, overrides, given["vary"], given["seeds"], given["leave_one_out"])
        else:
            load_settings(SETTINGS[kind_of(read_yaml(file))], file, overrides)


def test_the_pages_show_most_commands():
    assert len(COMMANDS) > 60
    assert {shown.words[0] for shown in COMMANDS} == {
        *("--install-completion", "--show-completion", "init", "compare", "watch"),
        *("run", "prepare", "sft", "rl", "eval", "plan", "curate", "ablate", "long2short", "report", "merge", "score"),
        *(
            "verify",
            "doctor",
            "configs",
            "recipes",
            "copy",
            "data",
            "sandbox",
            "card",
            "reward-model",
            "import",
            "models",
            "push",
            "export",
            "--version",
        ),
    }


@pytest.mark.parametrize("shown", COMMANDS, ids=str)
def test_a_command_of_a_page_has_these_options_arguments_and_settings(shown: Shown, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("VLRL_DATA", str(ROOT))  # names are read, not files
    check(shown)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_script_of_a_page_is_there_and_knows_these_options(page: Path):
    for piece, _ in pieces(page):
        found = SCRIPT.fullmatch(piece.partition(" #")[0].rstrip("/ "))
        if found is not None:
            script = ROOT / found[1]
            assert script.exists(), piece
            if script.is_file() and script.suffix == ".py":
                for option in re.findall(r"(?<=\s)--[\w-]+", found[2]):
                    assert f'"{option}"' in script.read_text(encoding="utf-8"), f"{piece}: {option}"


@pytest.mark.parametrize(
    "words",
    [
        "plan CONFIG --gpu-gb 80",
        "plan CONFIG --ranks",
        "rn CONFIG",
        "run quikstart",
        "rl CONFIG backend.nme=deepspeed",
        "run CONFIG rl.loss=kimmi",
        "curate configs/quickstart.yaml",
        "ablate configs/quickstart.yaml --vary lss=kimi,grpo",
        "merge LONG SHORT",
        "doctor CONFIG --steps",
        "data preview nothing_of_that_name",
        "verify --pairs a.jsonl",
    ],
)
def test_a_wrong_command_would_be_found(words: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises((VlrlError, AssertionError, WrongUse)):
        check(Shown("a page", tuple(words.split())))
