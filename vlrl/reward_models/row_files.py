"""Rows on disk: a problem file for each split, and a recipe by which `vlrl run` reads the same rows.

train.jsonl, validation.jsonl, test.jsonl   demonstrations: what a judge reads, and reasoning with judgement
images/                                     their images, by digest
recipe.yaml, recipe_rows/                   the same for SFT and RL, one source a modality
rows.json                                   settings, seed, counts, instruction and salt, digests of the three files
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.problem_files import read_demonstrations, write_problem_file
from vlrl.data.rows.placeholders import placeholder_in
from vlrl.errors import DataError
from vlrl.reward_models.judged_row import JudgedRow, row_of
from vlrl.reward_models.make_rows import SPLITS, MadeRows, RowSplit
from vlrl.runlog.atomic_files import file_digest, write_atomically
from vlrl.types import Demonstration, Text

SCHEMA = 1
INDEX = "rows.json"
RECIPE = "recipe.yaml"


@dataclass(frozen=True)
class RowFolder:
    """A folder of rows, as `rows.json` describes it.

    instruction, salt  with which its rows were written as a judge reads them
    """

    path: Path
    instruction: str
    salt: str
    counts: Mapping[str, Mapping[str, int]]
    digests: Mapping[str, str]

    @property
    def recipe(self) -> Path:
        """The recipe of the rows."""
        return self.path / RECIPE

    def demonstrations(self, split: RowSplit) -> list[Demonstration]:
        """What a judge reads, with reasoning and judgement. Raises DataError for a file that was changed."""
        file = self.path / f"{split}.jsonl"
        if not file.is_file() or file_digest(file) != self.digests[split]:
            raise DataError(str(file), "isn't what `vlrl reward-model make` wrote", "make the rows again with --fresh")
        return read_demonstrations(file)

    def rows(self, split: RowSplit) -> list[JudgedRow]:
        """The rows of a split. Raises DataError as `demonstrations` does."""
        return [row_of(one) for one in self.demonstrations(split)]


def write_rows(
    folder: Path, made: MadeRows, instruction: str, salt: str, budget: ImageBudget, made_by: Mapping[str, Any]
) -> RowFolder:
    """Write all files of a row folder; `rows.json` last, so that a folder without it is unfinished.

    Raises DataError for a text that holds a mark which the recipe would read as an image.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources: dict[str, dict[str, Any]] = {}
    for split in SPLITS:
        demos = [row.demonstration(instruction, salt) for row in made.splits[split]]
        write_problem_file(folder / f"{split}.jsonl", demos)
        for modality in sorted({row.problem.modality for row in made.splits[split]}):
            chosen = [one for one in read_demonstrations(folder / f"{split}.jsonl") if one.problem.modality == modality]
            file = Path("recipe_rows") / f"{modality}_{split}.jsonl"
            (folder / file.parent).mkdir(exist_ok=True)
            lines = "".join(json.dumps(_row(one), ensure_ascii=False) + "\n" for one in chosen)
            write_atomically(folder / file, lines)
            key = "path" if split == "train" else f"{split}_path"
            sources.setdefault(modality, {})[key] = str(file)
            if split == "train":
                sources[modality]["weight"] = len(chosen)
    _write_recipe(folder / RECIPE, sources, budget)
    digests: dict[str, str] = {split: file_digest(folder / f"{split}.jsonl") for split in SPLITS}
    index = {
        "schema": SCHEMA,
        "instruction": instruction,
        "salt": salt,
        "made_by": dict(made_by),
        "counts": made.counts,
        "left_out": dict(made.left_out),
        "digests": digests,
    }
    write_atomically(folder / INDEX, json.dumps(index, indent=1, ensure_ascii=False) + "\n")
    return RowFolder(folder, instruction, salt, made.counts, digests)


def read_row_folder(folder: Path) -> RowFolder:
    """The rows that a folder holds. Raises DataError for one without whole rows."""
    file, remedy = folder / INDEX, "write them with `vlrl reward-model make CONFIG`"
    if not file.is_file():
        raise DataError(str(folder), "holds no rows of judgements", remedy)
    try:
        held = json.loads(file.read_bytes())
        known = held["schema"] == SCHEMA
        found = RowFolder(folder, held["instruction"], held["salt"], held["counts"], held["digests"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(str(file), f"can't be read ({error})", remedy) from error
    if not known:
        raise DataError(str(file), f"has schema {held['schema']!r}, this version reads {SCHEMA}", remedy)
    return found


def made_by_of(folder: Path) -> dict[str, Any] | None:
    """What the rows of a folder were made by; None where it holds none, or can't be read."""
    try:
        held = json.loads((folder / INDEX).read_bytes())
        return dict(held["made_by"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _row(demonstration: Demonstration) -> dict[str, Any]:
    problem = demonstration.problem
    text, images = "", []
    for piece in problem.prompt:
        if isinstance(piece, Text):
            if held := placeholder_in(piece.text):
                raise DataError(
                    f"row {problem.id}", f"its text holds {held}, which stands for an image", "leave its problem out"
                )
            text += piece.text
        else:
            images.append(f"../images/{Path(str(piece.path)).name}")
            text += f"<image {len(images)}>"
    reasoned = demonstration.response.startswith("<think>")  # others are asked in RL, and demonstrate nothing
    response = demonstration.response if reasoned else None
    row: dict[str, Any] = {"question": text, "answer": problem.answer, "response": response}
    return row | ({"images": images} if images else {})


def source_name(modality: str) -> str:
    """The recipe's source of the rows of a modality."""
    return f"judgements_{modality}"


def _write_recipe(file: Path, sources: Mapping[str, Mapping[str, Any]], budget: ImageBudget) -> None:
    lines: Sequence[Mapping[str, Any]] = [
        {
            "name": source_name(modality),
            "kind": "file",
            **paths,
            "modality": modality,
            "verifier": "judgement",
            "domain": "judgement",
            "columns": {"choices": "", "response": "response"},
            "held_out": 0.0,
        }
        for modality, paths in sources.items()
        if "path" in paths
    ]
    text = yaml.safe_dump({"image": budget.model_dump(), "sources": lines}, sort_keys=False, allow_unicode=True)
    write_atomically(file, "# Judgements on answers, for a reward model that reasons.\n" + text)
