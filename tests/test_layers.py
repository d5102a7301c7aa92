"""Imports point down only: the layers of the house, read from the code."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "vlrl"
LAYERS = [
    {"types", "errors", "config", "registry", "methods", "seeding", "dist", "shipped", "version", "extras"}
    | {"whole_files", "own_files", "interrupts", "log_lines", "runlog", "instruction_set"},
    {"data", "scenes", "rendered_text", "verify", "credit", "losses"},
    {"model", "rollout"},
    {"curation", "sampling", "evaluation"},
    {"stages", "report", "cli", "__main__", "doctor"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
SIDEWAYS = {
    ("data", "scenes"),  # sources make problems with both
    ("data", "rendered_text"),
    ("data", "verify"),  # a recipe names verifiers, and a wrong name is an error before any model is loaded
}
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


def test_imports_point_down():
    wrong = []
    for file in PACKAGE.rglob("*.py"):
        area = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if area == "__init__":
            continue
        assert area in LEVEL, f"{file}: {area!r} has no layer; name it in LAYERS"
        for module, _ in imports_of(file):
            parts = module.split(".")
            if parts[0] != "vlrl" or len(parts) < 2 or parts[1] == area or parts[1] not in LEVEL:
                continue
            down = LEVEL[parts[1]] < LEVEL[area]
            same_floor = LEVEL[parts[1]] == LEVEL[area] and LEVEL[area] in (0, 2, 3, 4)
            if not (down or same_floor or (area, parts[1]) in SIDEWAYS):
                wrong.append(f"{file.relative_to(PACKAGE)} imports {module}")
    assert not wrong, "\n".join(wrong)


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
        for file in [*(PACKAGE / "report").rglob("*.py"), PACKAGE / "runlog.py", PACKAGE / "types.py"]
        for module, _ in imports_of(file)
        if module.split(".")[0] in {"torch", "transformers"}
    ]
    assert not wrong, "\n".join(wrong)
