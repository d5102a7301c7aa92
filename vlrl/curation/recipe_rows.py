"""A curated set as a recipe: rows that sources of kind `file` read, and the recipe that names them.

One file of rows for each (source, modality, domain) of the set, images under the digests of `images/` beside. The
problems come out of the recipe with the ids they have here, and with their difficulty where all of a source have one;
labels that rows can't carry (twin, tags of single problems) stay in the problem file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.problem_files import read_demonstrations, read_problems, write_problem_file
from vlrl.data.rows.placeholders import placeholder_in
from vlrl.errors import DataError
from vlrl.runlog.own_files import remove_own
from vlrl.runlog.run_folder import write_atomically
from vlrl.types import Demonstration, Problem, Text

FACT = "fact_"
DIFFICULTY = "difficulty"
LEAST_TRAINED = 10  # ours: a source that would keep fewer rows for training holds none out
_Key = tuple[str, str, str]


def write_with_recipe(
    folder: Path,
    name: str,
    items: Sequence[Problem] | Sequence[Demonstration],
    budget: ImageBudget,
    held_out: float,
    plugins: Sequence[str] = (),
    written_by: str | None = None,
) -> Path:
    """Write `name`.jsonl (problem file), `name`_rows/*.jsonl and `name`_recipe.yaml; returns the problem file.

    Every source weighs what it has: the recipe keeps the set's own mixture. `written_by` is the digest of the model
    that wrote the responses. Raises DataError for a text that holds an image placeholder, which a row would read as a
    image.
    """
    target = folder / f"{name}.jsonl"
    write_problem_file(target, items)
    for earlier in (f"{name}_rows", f"{name}_recipe.yaml"):  # of a call with other settings
        remove_own(folder / earlier)
    if not items:
        return target
    read: Sequence[Problem | Demonstration] = (
        read_demonstrations(target) if isinstance(items[0], Demonstration) else read_problems(target)
    )  # images as files of this folder
    groups: dict[_Key, list[Problem | Demonstration]] = {}
    for item in read:
        problem = item.problem if isinstance(item, Demonstration) else item
        groups.setdefault((problem.source or problem.domain, problem.modality, problem.domain), []).append(item)
    (folder / f"{name}_rows").mkdir()
    sources, taken = [], set[str]()
    for key, members in groups.items():
        label = _label(key, list(groups), taken)
        path = Path(f"{name}_rows") / f"{label}.jsonl"
        metadata = sorted({fact for item in members for fact in _problem(item).metadata})
        rows = [_row(item, metadata) for item in members]
        if labelled := all(_problem(item).difficulty is not None for item in members):
            rows = [{**row, DIFFICULTY: _problem(item).difficulty} for row, item in zip(rows, members, strict=True)]
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        write_atomically(folder / path, "".join(lines))
        source = _source(label, key, path, members, metadata, labelled, held_out)
        sources.append(source if written_by is None else {**source, "written_by": written_by})
    recipe = {"plugins": list(plugins), "image": budget.model_dump(), "sources": sources}
    text = f"# The {len(items)} entries of {name}.jsonl, each source at the weight it has there.\n"
    write_atomically(folder / f"{name}_recipe.yaml", text + yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True))
    return target


def _problem(item: Problem | Demonstration) -> Problem:
    return item.problem if isinstance(item, Demonstration) else item


def _label(key: _Key, keys: Sequence[_Key], taken: set[str]) -> str:
    parts = key[:1] if sum(other[0] == key[0] for other in keys) == 1 else key
    label = plain = re.sub(r"[^\w-]+", "_", "_".join(parts)) or "source"
    number = 1
    while label in taken:
        number += 1
        label = f"{plain}_{number}"
    taken.add(label)
    return label


def _row(item: Problem | Demonstration, metadata: Sequence[str]) -> dict[str, Any]:
    problem = _problem(item)
    text, images = "", []
    for piece in problem.prompt:
        if isinstance(piece, Text):
            held = placeholder_in(piece.text)
            if held:
                raise DataError(
                    f"problem {problem.id}",
                    f"its text holds {held}, which a row would read as an image",
                    "use the problem file itself, or take the mark out of the text",
                )
            text += piece.text
        else:
            images.append(f"../images/{Path(str(piece.path)).name}")
            text += f"<image {len(images)}>"
    row: dict[str, Any] = {"question": text, "answer": problem.answer, "verifier": problem.verifier}
    if images:
        row["images"] = images
    row |= {FACT + fact: problem.metadata.get(fact) for fact in metadata}
    if isinstance(item, Demonstration) and item.turns:
        raise DataError(
            f"problem {problem.id}",
            f"its demonstration has {len(item.turns)} turns before the response, which a row can't hold",
            "use the problem file itself",
        )
    return row | ({"response": item.response} if isinstance(item, Demonstration) else {})


def _source(
    label: str,
    key: _Key,
    path: Path,
    members: Sequence[Problem | Demonstration],
    metadata: Sequence[str],
    labelled: bool,
    held_out: float,
) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "verifier": "verifier",
        "choices": "",
        "metadata": {fact: FACT + fact for fact in metadata},
    }
    if labelled:
        columns["difficulty"] = DIFFICULTY
    if isinstance(members[0], Demonstration):
        columns["response"] = "response"
    systems = {_problem(item).system for item in members}
    if len(systems) > 1:
        raise DataError(
            f"source {key[0]!r}", f"its problems have {len(systems)} different system prompts", "give each a source"
        )
    system = systems.pop()
    common = [tag for tag in _problem(members[0]).tags if all(tag in _problem(item).tags for item in members)]
    return {
        "name": label,
        "kind": "file",
        "path": str(path),
        "modality": key[1],
        "domain": key[2],
        "columns": columns,
        "weight": len(members),
        "held_out": held_out if len(members) * (1 - 2 * held_out) >= LEAST_TRAINED else 0.0,
        "tags": common,
    } | ({} if system is None else {"system_prompt": system})
