"""Imports point down only: the layers of the house, read from the code."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "vlrl"
LAYERS = [
    {"types", "errors", "renamed", "config", "registry", "provenance", "seeding", "dist", "interrupts", "terminal"}
    | {"runlog", "installation"},
    {"code_execution"},
    {"scenes", "rendered_text", "verify", "credit", "losses"},
    {"data"},
    {"model"},
    {"rollout"},
    {"curation", "curriculum", "evaluation", "reward_models"},
    {"report"},
    {"training"},
    {"plan", "doctor", "commands"},
    {"experiments"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
MOST_FILES = 12  # of a folder's own, besides its __init__.py
HEAVY = {"vllm", "deepspeed", "ray", "wandb", "trl", "peft"}


def imports_of(file: Path) -> list[tuple[str, bool]]:
    """(module, whether at the top level of the file) of every import outside `if TYPE_CHECKING`."""
    tree = ast.parse(file.read_text())
    found = []
    for node in ast.walk(tree):
        top = node in tree.body
        if isinstance(node, ast.Import):
            found += [(alias.name, top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.append((node.module, top))
    return found


def modules_of(file: Path) -> Iterator[str]:
    """Top-level areas of vlrl that a file imports, wherever in the file."""
    for module, _ in imports_of(file):
        parts = module.split(".")
        if parts[0] == "vlrl" and len(parts) > 1 and parts[1] in LEVEL:
            yield parts[1]


def test_imports_point_down():
    """Within the lowest layer files may use one another; in all others an area uses areas of lower layers alone."""
    wrong = []
    for file in PACKAGE.rglob("*.py"):
        area = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if area == "__init__":
            continue
        assert area in LEVEL, f"{file}: {area!r} has no layer; name it in LAYERS"
        wrong += [
            f"{file.relative_to(PACKAGE)} imports {other}"
            for other in modules_of(file)
            if other != area and not LEVEL[other] < LEVEL[area] and not LEVEL[area] == LEVEL[other] == 0
        ]
    assert not wrong, "\n".join(wrong)


def test_no_two_areas_import_each_other():
    uses: dict[str, set[str]] = {name: set() for name in LEVEL}
    for file in PACKAGE.rglob("*.py"):
        area = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if area in LEVEL:
            uses[area] |= set(modules_of(file)) - {area}
    order = TopologicalSorter(uses)
    order.prepare()  # raises CycleError with the circle


def folders() -> list[Path]:
    return [file.parent for file in PACKAGE.rglob("__init__.py")]


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: str(folder.relative_to(PACKAGE)))
def test_a_room_is_small_and_says_what_it_is_for(folder):
    own = [file for file in folder.glob("*.py") if file.name != "__init__.py"]
    assert folder.name == "scenes" or len(own) <= MOST_FILES
    told = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    inside = {file.stem for file in own} | {path.parent.name for path in folder.glob("*/__init__.py")}
    assert inside & set(re.findall(r"\w+", told)), "say which of its modules to read first"
    for named in re.findall(r"[\w/]+\.py", told):
        assert list(PACKAGE.rglob(named)), f"there is no {named}"


def test_a_file_is_350_lines_at_most():
    long = {str(file.relative_to(PACKAGE)): len(file.read_text().splitlines()) for file in PACKAGE.rglob("*.py")}
    assert {name: lines for name, lines in long.items() if lines > 350} == {}


def test_heavy_libraries_are_imported_where_they_are_needed():
    wrong = [
        f"{file.relative_to(PACKAGE)}: {module}"
        for file in PACKAGE.rglob("*.py")
        for module, top in imports_of(file)
        if top and module.split(".")[0] in HEAVY
    ]
    assert not wrong, "\n".join(wrong)


def test_reading_a_run_needs_no_torch():
    wrong = [
        f"{file.relative_to(PACKAGE)}: {module}"
        for file in [
            *(PACKAGE / "report").rglob("*.py"),
            *(PACKAGE / "runlog").rglob("*.py"),
            *(PACKAGE / "types").rglob("*.py"),
        ]
        for module, _ in imports_of(file)
        if module.split(".")[0] in {"torch", "transformers"}
    ]
    assert not wrong, "\n".join(wrong)


def test_no_test_imports_a_test():
    """What tests share stands in a file of its own, so that each of them runs alone."""
    wrong = [
        f"{file.name} imports {module}"
        for file in Path(__file__).parent.rglob("*.py")
        for module, _ in imports_of(file)
        if module.split(".")[0].startswith("test_")
    ]
    assert not wrong, "\n".join(wrong)


def test_no_two_test_files_have_one_name():
    """Pytest imports them by their names alone: of two it refuses the second, and nothing else runs either."""
    names = Counter(file.name for file in Path(__file__).parent.rglob("*.py") if file.name != "conftest.py")
    assert not [name for name, times in names.items() if times > 1]
