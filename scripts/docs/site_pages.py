"""mkdocs hooks: pages that are made when the site is built, and links that lead out of docs/.

The first page is README.md, `settings.md` is made of the settings classes, `api.md` lists the modules that extensions
use; none of them lies in docs/.
"""

from __future__ import annotations

import posixpath
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from mkdocs.structure.files import File
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

ROOT = Path(__file__).resolve().parent.parent.parent
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md"}  # of the checkout's root, and their names here
API = {
    "Problems and responses": ("vlrl.types.problem", "vlrl.types.group"),
    "Domains": ("vlrl.scenes.domain",),
    "Verifiers": ("vlrl.verify.judge",),
    "Losses and credit": ("vlrl.losses.loss_registry", "vlrl.losses.loss_inputs", "vlrl.credit.rewards.shapes"),
    "Engines": ("vlrl.rollout.engine", "vlrl.rollout.engine_registry"),
    "Environments": ("vlrl.rollout.environments.environment", "vlrl.rollout.boundaries.boundary"),
    "Benchmarks and evaluation": ("vlrl.data.benchmarks.benchmark_definition", "vlrl.evaluation.harness.answering"),
    "Model families": ("vlrl.model.families.family",),
    "Errors": ("vlrl.errors",),
}


def on_config(config: Any) -> Any:
    """The pages of results stand in the navigation by themselves."""
    results = sorted(path.name for path in (ROOT / "docs" / "results").glob("*.md"))
    for entry in config.nav:
        if entry == {"Results": "RESULTS"}:
            entry["Results"] = ["benchmarks.md", *(f"results/{name}" for name in results)]
        if "Reference" in entry:
            entry["Reference"] = [*entry["Reference"], "contributing.md"]
    return config


def on_files(files: Any, config: Any) -> Any:
    """The pages that don't lie in docs/."""
    made = {here: (ROOT / name).read_text(encoding="utf-8") for name, here in PAGES.items()}
    made |= {"settings.md": settings_page(), "api.md": api_page()}
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links to the checkout's other files become their names; README.md and CONTRIBUTING.md have pages."""
    uri = page.file.src_uri
    folder = "" if uri in PAGES.values() else posixpath.join("docs", posixpath.dirname(uri))
    parts = re.split(r"(```.*?```)", markdown, flags=re.DOTALL)
    return "".join(
        part if part.startswith("```") else LINK.sub(lambda m: _link(m, folder, uri), part) for part in parts
    )


def _link(found: re.Match[str], folder: str, uri: str) -> str:
    mark, text, target, anchor = found[1], found[2], found[3], found[4] or ""
    if not target or "://" in target:
        return found[0]
    place = posixpath.normpath(posixpath.join(folder, target))
    if place in PAGES:
        inside = PAGES[place]
    elif place.startswith("docs/"):
        inside = place.removeprefix("docs/")
    else:
        return f"{text} (`{place}`)" if f"`{place}`" != text else text
    return f"{mark}[{text}]({posixpath.relpath(inside, posixpath.dirname(uri) or '.')}{anchor})"


def api_page() -> str:
    """Modules that a file of a user's own imports."""
    lines = ["# API", "", "What files of your own import. Everything else may change without a word.", ""]
    for title, modules in API.items():
        lines += [f"# {title}", "", *(f"::: {module}\n" for module in modules)]
    return "\n".join(lines).replace("\n# ", "\n## ")


def settings_page() -> str:
    """Every key of every kind of config, with its default and its meaning, from the classes that read them."""
    import vlrl.verify  # noqa: F401
    from vlrl.curation.curation_settings import CurateSettings
    from vlrl.data.recipe import Recipe
    from vlrl.training.monitoring.evaluation_settings import EvaluationSettings
    from vlrl.training.run_settings import RunSettings

    kinds = {
        "A run": RunSettings,
        "A recipe": Recipe,
        "An evaluation of benchmarks": EvaluationSettings,
        "A curation": CurateSettings,
    }
    lines = [
        "# Settings",
        "",
        "Keys of the YAML files, read from the code. Nested blocks stand below by their class.",
        "",
    ]
    seen: list[type[BaseModel]] = []
    for title, model in kinds.items():
        lines += [f"## {title}", "", *_table(model)]
        for nested in _nested(model, seen):
            lines += [f"### {nested.__name__}", "", *_table(nested)]
    return "\n".join(lines) + "\n"


def _nested(model: type[BaseModel], seen: list[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    for field in model.model_fields.values():
        for inner in _models(field.annotation):
            if inner not in seen:
                seen.append(inner)
                yield inner
                yield from _nested(inner, seen)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for one in get_args(annotation) for model in _models(one)]


def _table(model: type[BaseModel]) -> list[str]:
    lines = []
    if model.__doc__ and model.__module__.startswith("vlrl"):
        lines += [" ".join(_plain(model.__doc__.split("\n\n")[0]).split()), ""]
    lines += ["| key | type | default | |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        default = field.default
        if default is PydanticUndefined:
            shown = "required" if field.is_required() else "its own"
        else:
            shown = "its own" if isinstance(default, BaseModel) else f"`{_yaml(default)}`"
        lines.append(
            f"| `{name}` | {_cell(_type(field.annotation))} | {_cell(shown)} | {_cell(field.description or '')} |"
        )
    return [*lines, ""]


def _yaml(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(map(_yaml, value))}]" if isinstance(value, tuple | list) else str(value)


def _type(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inner[0])
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(one) for one in inner))
    if origin in (tuple, list):
        return "list of " + " or ".join(dict.fromkeys(_type(one) for one in inner if one is not Ellipsis))
    if origin is dict:
        return f"{_type(inner[0])} → {_type(inner[1])}"
    if annotation is type(None):
        return "null"
    if annotation is Any:
        return "a name, or {name: …, its settings}"
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
    name = getattr(annotation, "__name__", None) or "any"
    return names.get(name, name)


def _plain(text: str) -> str:
    return text.replace("<", "&lt;").replace("[", "\\[")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
