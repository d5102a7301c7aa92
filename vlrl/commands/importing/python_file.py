"""Keyword arguments in a Python file for TRL: `GRPOConfig(beta=0.04)` → `GRPOConfig.beta`. Nothing is run."""

from __future__ import annotations

import ast
from typing import Any

from vlrl.errors import ConfigError

OF = ("GRPOConfig", "RLOOConfig", "GRPOTrainer", "RLOOTrainer", "LoraConfig", "load_dataset")
NAMES = ("reward_funcs",)  # arguments whose functions are known by their names
POSITIONS = {"load_dataset": ("path", "name"), "GRPOConfig": ("output_dir",), "RLOOConfig": ("output_dir",)}


def keywords_of(text: str, place: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Literal arguments of the calls in `OF` by dotted name, and those that are computed with the reason.

    Raises ConfigError for what is no Python.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise ConfigError(f"{place}, line {error.lineno}", f"is no Python: {error.msg}") from error
    constants, objects = _constants(tree), _objects(tree)
    found: dict[str, Any] = {}
    unread: dict[str, str] = {}
    for node in ast.walk(tree):
        name = _called(node)
        if not isinstance(node, ast.Call) or name not in OF:
            continue
        positions = zip(POSITIONS.get(name, ()), node.args, strict=False)
        for argument, value in [*positions, *((one.arg, one.value) for one in node.keywords)]:
            if _called(value) in OF or (isinstance(value, ast.Name) and value.id in objects):
                continue  # what it is given stands under its own name
            if argument is None:
                unread[f"{name}(**{ast.unparse(value)})"] = "is computed where the file runs"
                continue
            key = f"{name}.{argument}"
            if argument in NAMES:
                found[key] = _function_names(value)
                continue
            try:
                found[key] = _literal(value, constants)
            except ValueError:
                unread[key] = f"is computed where the file runs: {ast.unparse(value)[:60]}"
    return found, unread


def _called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _constants(tree: ast.Module) -> dict[str, Any]:
    """Names that are given one literal value."""
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


def _objects(tree: ast.Module) -> set[str]:
    """Names of what the calls in `OF` give."""
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign) and _called(node.value) in OF]
    return {target.id for node in assigned for target in node.targets if isinstance(target, ast.Name)}


def _literal(node: ast.expr, constants: dict[str, Any]) -> Any:
    """The value of a literal or of a name that has one. Raises ValueError."""
    if isinstance(node, ast.Name):
        if node.id not in constants:
            raise ValueError(f"{node.id} is computed")
        return constants[node.id]
    return ast.literal_eval(node)


def _function_names(node: ast.expr) -> list[str]:
    items = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
    return [str(one.value) if isinstance(one, ast.Constant) else ast.unparse(one) for one in items]
