"""What all suites share: tests that need a folder or a program say so, and are skipped with a reason without it."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--plugin", action="append", default=[], help="a plugin file whose components are tested, too")


def pytest_configure(config: pytest.Config) -> None:
    """Load plugin files before tests are collected, which ask the registries for names."""
    if files := config.getoption("--plugin"):
        from vlrl.registry import load_plugin

        for file in files:
            load_plugin(file)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with the most slow tests first, so that no process is left alone with one in the end (scripts/test).

    Skip `real_data` tests where VLRL_DATA names no folder.
    """
    slow = Counter(item.path for item in items if "slow" in item.keywords)
    items.sort(key=lambda item: -slow[item.path])  # stable: a file's tests stay together and in order
    folder = os.environ.get("VLRL_DATA", "")
    if folder and Path(folder).is_dir():
        return
    reason = f"VLRL_DATA={folder!r} is no folder" if folder else "VLRL_DATA names no folder of public problem sets"
    for item in items:
        if "real_data" in item.keywords:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def temporarily() -> Iterator[Callable[..., None]]:
    """`temporarily(registry, name=component)`: what the test files in a registry goes with the test."""
    with ExitStack() as stack:
        yield lambda registry, **components: stack.enter_context(registry.temporarily(**components))


@pytest.fixture(scope="session")
def forked() -> Callable[..., Any]:
    """`forked("vlrl", "run", …)` is a command in a process of its own (see forked_commands.py)."""
    from forked_commands import ForkedCommands

    return ForkedCommands()


@pytest.fixture(scope="session")
def model_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The smallest model of every architecture, by name (see small_models.py); built once."""
    from small_models import ARCHITECTURES, build_spread

    return {name: build_spread(name, tmp_path_factory.mktemp(name)) for name in ARCHITECTURES}


@pytest.fixture(scope="session")
def loaded_models(model_folders: dict[str, Path]) -> dict[str, Any]:
    """The same models loaded: to read, never to train."""
    from small_models import fresh

    return {name: fresh(folder) for name, folder in model_folders.items()}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`architecture` is the small model of every family in turn, unless a test names its own."""
    named = {name for mark in metafunc.definition.iter_markers("parametrize") for name in str(mark.args[0]).split(",")}
    if "architecture" in metafunc.fixturenames and "architecture" not in named:
        from small_models import ARCHITECTURES

        metafunc.parametrize("architecture", ARCHITECTURES, scope="session")


@pytest.fixture
def loaded(loaded_models: dict[str, Any], architecture: str) -> Any:
    """A loaded model of every architecture in turn: to read, never to train."""
    return loaded_models[architecture]


@pytest.fixture(scope="session")
def qwen3(loaded_models: dict[str, Any]) -> Any:
    """A loaded model where one architecture is enough: to read, never to train."""
    return loaded_models["tiny-qwen3-vl"]


@pytest.fixture(scope="session")
def library() -> Callable[[str], None]:
    """`library("vllm")` skips the test where that module is missing, or fails where VLRL_REQUIRE_SUITES is set."""

    def look(name: str) -> None:
        if importlib.util.find_spec(name) is None:
            message = f"{name} is not installed; scripts/setup test installs it where there is a build of it"
            if os.environ.get("VLRL_REQUIRE_SUITES"):
                pytest.fail(message)
            pytest.skip(message)

    return look


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """`program("chromium")` is its path. Missing: the test is skipped, or fails where VLRL_REQUIRE_SUITES is set."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            message = f"the program {name} is missing; scripts/test installs it as root"
            if os.environ.get("VLRL_REQUIRE_SUITES"):
                pytest.fail(message)
            pytest.skip(message)
        return path

    return find
