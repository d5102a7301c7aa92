"""What comes with vlrl is found by path and by name from any folder, can be copied, and is carried by the wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import vlrl
from vlrl.config import load_settings, read_yaml
from vlrl.data.recipe import load_recipe
from vlrl.errors import ConfigError
from vlrl.installation import extras, host, shipped
from vlrl.installation.shipped import FOLDERS, SUFFIXES, about, copy, locate, names, root
from vlrl.registry import load_plugin
from vlrl.training.lifecycle.config_kinds import (
    LOOKED_UP_IN,
    OF_CURATION,
    OF_REWARD_MODEL,
    OF_RUN,
    TAKEN_BY,
    find_config,
    find_recipe,
    kind_of,
    run_folder_of,
)
from vlrl.training.reward_models.reward_model_config import RewardModelConfig
from vlrl.training.run_settings import RunSettings

ROOT = Path(__file__).parents[2]
OF_FOLDER = {
    "eval": "eval",
    "curate": "curate",
    "pipelines": "run",
    "ablations": "ablate",
    "long2short": "long2short",
    "reward_models": "reward-model train",
}


@pytest.fixture(autouse=True)
def from_an_empty_folder(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")


@pytest.mark.parametrize("kind", FOLDERS)
def test_every_shipped_file_is_found_by_its_name_and_by_its_path(kind):
    assert len(names(kind)) == len(list((ROOT / FOLDERS[kind]).rglob(f"*{SUFFIXES[kind]}"))) > 0
    for name, file in names(kind).items():
        assert locate(name, kind) == file
        assert locate(f"{FOLDERS[kind]}/{name}{SUFFIXES[kind]}", kind) == file
        assert locate(f"{FOLDERS[kind]}/{name}", kind) == file


def test_every_shipped_config_is_found_by_its_last_name_alone_by_the_command_it_is_made_for(monkeypatch):
    for variable in ("VLRL_TRAIN", "VLRL_DATA"):
        monkeypatch.setenv(variable, "nowhere")
    for name, file in names("config").items():
        folder, _, last = name.rpartition("/")
        assert find_config(last, OF_FOLDER.get(folder, "run")) == file


def test_a_shipped_config_reads_its_shipped_recipe():
    settings = load_settings(RunSettings, find_config("quickstart", "run"))
    assert settings.data == "data_recipes/quickstart.yaml"
    assert load_recipe(settings.data) == load_recipe("quickstart") == load_recipe(ROOT / settings.data)
    assert load_recipe("plugin_domain").plugins  # a path beside the recipe
    load_plugin("examples/traffic_lights_domain.py")


def test_a_file_of_the_users_wins_and_a_folder_of_that_name_does_not(capsys):
    Path("configs").mkdir()
    Path("configs/quickstart.yaml").write_text("name: mine\ndata: x\n")
    Path("ring_walk").mkdir()
    assert read_yaml("configs/quickstart.yaml")["name"] == "mine"
    assert capsys.readouterr().err == ""
    assert read_yaml("ring_walk")["name"] == "ring_walk"


def test_a_shipped_file_is_named_on_stderr_once(capsys):
    shipped._say_once.cache_clear()
    read_yaml("rl/grpo")
    read_yaml("rl/grpo")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [f"rl/grpo: as vlrl ships it, {ROOT / 'configs/rl/grpo.yaml'}"]


@pytest.mark.parametrize("given", ["quickstart.yaml", "./configs/../configs/none.yaml", "configs/rl/none.yaml", "~/x"])
def test_a_path_that_is_not_there_is_never_taken_for_a_shipped_file(given):
    with pytest.raises(ConfigError, match="no such file"):
        read_yaml(given)


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("quikstart", "'quickstart'"),
        ("rl/k15", "'rl/k1_5'"),
        ("k1-5", "k1_5"),
        ("configs/qickstart.yaml", "quickstart"),
    ],
)
def test_near_names_are_named(given, near):
    with pytest.raises(ConfigError, match="no such file") as refused:
        find_config(given, "run")
    assert near in refused.value.remedy
    assert str(Path.cwd()) in refused.value.remedy  # where a relative path starts


def test_the_working_directory_is_named_where_a_recipe_is_missing():
    with pytest.raises(ConfigError) as refused:
        load_recipe("data/none.yaml")
    assert f"a relative one starts at {Path.cwd()}" in refused.value.remedy


def test_a_name_that_several_have_is_refused_with_all_of_them():
    with pytest.raises(ConfigError, match="2 shipped configs") as refused:
        locate("k1_5", "config")
    assert refused.value.remedy == "say which: curate/k1_5, rl/k1_5"


@pytest.mark.parametrize("kind", ["config", "recipe"])
def test_every_shipped_file_says_in_its_first_line_what_it_is(kind):
    for name, file in names(kind).items():
        assert len(about(file).split()) >= 3, name


def test_a_copy_takes_along_what_it_names_and_is_what_commands_then_read():
    copied = copy("whole", Path("mine"))
    assert copied[0] == Path("mine/configs/pipelines/whole.yaml")
    for place in copied:
        assert place.read_bytes() == (root() / place.relative_to("mine")).read_bytes()
    assert {Path("mine/data_recipes/quickstart.yaml"), Path("mine/configs/curate/shortest.yaml")} <= set(copied)
    assert copy("plugin_domain", Path())[1:] == [Path("examples/traffic_lights_domain.py")]
    assert copy("whole", Path("mine")) == copied  # idempotent


def test_a_copy_overwrites_nothing():
    Path("data_recipes").mkdir()
    Path("data_recipes/quickstart.yaml").write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        copy("quickstart", Path())
    assert not Path("configs").exists()
    with pytest.raises(ConfigError, match="no such file, and no shipped config of this name"):
        copy("quikstart", Path())


def test_every_shipped_config_is_of_the_kind_that_its_folder_says(monkeypatch):
    for variable in ("VLRL_TRAIN", "VLRL_DATA"):
        monkeypatch.setenv(variable, "nowhere")
    kinds = {
        "eval": "benchmarks",
        "curate": "curation",
        "pipelines": "chain",
        "ablations": "ablation",
        "reward_models": "reward_model",
    }
    for name, file in names("config").items():
        folder = name.rpartition("/")[0]
        assert kind_of(read_yaml(file)) == kinds.get(folder, "long2short" if folder == "long2short" else "run"), name
    for file in names("recipe").values():
        assert kind_of(read_yaml(file, "recipe")) == "recipe"


def test_the_keys_that_tell_kinds_apart_are_keys_of_these_settings():
    from vlrl.curation.curation_settings import CurateSettings

    assert RunSettings.model_fields.keys() - CurateSettings.model_fields.keys() >= OF_RUN
    assert CurateSettings.model_fields.keys() - RunSettings.model_fields.keys() >= OF_CURATION
    others = RunSettings.model_fields.keys() | CurateSettings.model_fields.keys()
    assert RewardModelConfig.model_fields.keys() - others >= OF_REWARD_MODEL


@pytest.mark.parametrize("command", sorted({name for taken in TAKEN_BY.values() for name in taken}))
@pytest.mark.parametrize("kind", TAKEN_BY)
def test_a_config_of_another_command_is_refused_with_the_command_that_takes_it(command, kind, monkeypatch):
    monkeypatch.setenv("VLRL_TRAIN", "nowhere")
    shown = {
        "run": "configs/quickstart.yaml",
        "chain": "configs/pipelines/curated.yaml",
        "benchmarks": "configs/eval/gsm8k.yaml",
        "curation": "configs/curate/k1_5.yaml",
        "ablation": "configs/ablations/mixture.yaml",
        "long2short": "configs/long2short/quickstart.yaml",
        "reward_model": "configs/reward_models/quickstart.yaml",
        "recipe": "data_recipes/quickstart.yaml",
    }[kind]
    of_data = command.startswith("data ")
    given = ROOT / shown
    if command in TAKEN_BY[kind]:
        assert (find_recipe if of_data else find_config)(given, command) == given
        return
    with pytest.raises(ConfigError, match=f"`vlrl {command}` doesn't take") as refused:
        (find_recipe if of_data else find_config)(given, command)
    assert any(f"vlrl {taken}" in refused.value.remedy for taken in (*TAKEN_BY[kind], command))


def test_commands_look_names_up_in_folders_that_there_are():
    folders = {name.rpartition("/")[0] for name in names("config")}
    assert {folder for places in LOOKED_UP_IN.values() for folder in places} <= folders


def test_a_report_is_asked_for_by_folder_or_by_config():
    Path("runs/here").mkdir(parents=True)
    assert run_folder_of(Path("runs/here")) == Path("runs/here")
    assert run_folder_of(Path("runs/none")) == Path("runs/none")
    assert (
        run_folder_of(Path("quickstart")) == run_folder_of(Path("configs/quickstart.yaml")) == Path("runs/quickstart")
    )
    assert run_folder_of(Path("gsm8k")) == Path("runs/gsm8k")
    with pytest.raises(ConfigError, match="is an ablation"):
        run_folder_of(Path("mixture"))


@pytest.fixture(scope="module")
def distributions(tmp_path_factory) -> tuple[Path, Path]:
    """A wheel and an sdist of the files that git knows or would take, built without network."""
    place = tmp_path_factory.mktemp("build")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("outside of a git checkout there is no list of its files")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (place / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, place / "source" / name)
    (place / "source" / "vlrl" / "commit.txt").write_text("abc123\n")  # as an unpacked sdist has it
    for hook, out in (("build_sdist", "sdist"), ("build_wheel", "wheel")):
        (place / out).mkdir()
        code = f"import setuptools.build_meta as b; b.{hook}({str(place / out)!r})"
        subprocess.run([sys.executable, "-c", code], cwd=place / "source", check=True, capture_output=True, timeout=120)
    return next((place / "wheel").iterdir()), next((place / "sdist").iterdir())


def test_the_wheel_carries_configs_recipes_and_examples_once_and_nothing_beside_the_package(distributions):
    with zipfile.ZipFile(distributions[0]) as wheel:
        held = wheel.namelist()
    for folder in FOLDERS.values():
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert held.count(f"vlrl/{file.relative_to(ROOT).as_posix()}") == 1, file
    for file in (ROOT / "vlrl").rglob("*"):
        if file.suffix in (".py", ".jinja", ".css", ".js", ".yaml", ".txt"):
            assert file.relative_to(ROOT).as_posix() in held, file
    assert {name.partition("/")[0].partition("-")[0] for name in held} == {"vlrl"}


def test_the_sdist_carries_what_a_checkout_has(distributions):
    with tarfile.open(distributions[1]) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {"configs/quickstart.yaml", "scripts/setup", "constraints.txt", "tests/test_cli.py", "setup.py"} <= held
    assert {"vlrl/commit.txt", "docs/layout.md", "data_recipes/README.md"} <= held


def test_the_installed_wheel_finds_its_files_by_name_and_knows_its_commit(distributions, tmp_path):
    with zipfile.ZipFile(distributions[0]) as wheel:
        wheel.extractall(tmp_path / "installed")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'installed')!r})\n"
        "from vlrl.installation import extras, host\n"
        "from vlrl.data.recipe import load_recipe\n"
        "from vlrl.training.lifecycle.config_kinds import find_config\n"
        "print(find_config('quickstart', 'run'), load_recipe('quickstart').sources[0].name)\n"
        "print(extras.install('ray'), host.describe_code()['commit'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"{tmp_path}/installed/vlrl/configs/quickstart.yaml sums",
        "pip install 'vlrl[ray]' abc123",
    ]


def test_an_extra_is_installed_into_the_checkout_where_there_is_one():
    assert extras.install("ray") == f"pip install -e '{ROOT}[ray]'"


def test_a_repository_around_an_installed_package_says_nothing_of_its_code(tmp_path, monkeypatch):
    """As where a project of the user's, under git, holds .venv."""
    package = tmp_path / "project" / "vlrl"
    package.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    monkeypatch.setattr(vlrl, "__file__", str(package / "__init__.py"))
    assert host.describe_code() == {}
