"""What `vlrl data domains`, `vlrl data stats` and `vlrl data preview` do."""

from __future__ import annotations

import inspect
import json
import os
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

import vlrl
import vlrl.scenes
import vlrl.verify
from vlrl.data.inspection.recipe_sample import draw_sample
from vlrl.data.inspection.recipe_stats import BINS, Counting, estimated_tokens, recipe_stats
from vlrl.data.recipe import load_recipe
from vlrl.errors import ConfigError
from vlrl.registry import load_plugin
from vlrl.report.preview import write_preview
from vlrl.scenes.domain import domains
from vlrl.terminal import console
from vlrl.training.lifecycle.config_kinds import find_recipe


def list_domains(plugins: Sequence[Path] = ()) -> list[dict[str, str]]:
    """Every domain by family and name: name, family, modality, verifier, file, what it asks."""
    for plugin in plugins:
        load_plugin(plugin)
    package = Path(vlrl.__file__).parent.parent
    found = []
    for name in domains:
        made = domains.get(name)
        file = Path(inspect.getfile(made)).resolve()
        found.append(
            {
                "name": name,
                "family": made.family,
                "modality": made.modality,
                "verifier": "its own" if made.verifier == name and hasattr(made, "verify") else made.verifier,
                "file": str(file.relative_to(package)) if file.is_relative_to(package) else str(file),
                "about": (inspect.getdoc(made) or "").split("\n")[0],
            }
        )
    return sorted(found, key=lambda row: (row["family"], row["name"]))


def print_domains(as_json: bool, plugins: Sequence[Path]) -> None:
    """Print the list of domains as a table or as JSON."""
    found = list_domains(plugins)
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    families = len({row["family"] for row in found})
    table = Table(title=f"{len(found)} domains in {families} families", title_justify="left")
    for column in ("family", "name", "modality", "verifier", "file"):
        table.add_column(column, overflow="fold")
    for row in found:
        table.add_row(row["family"], row["name"], row["modality"], row["verifier"], row["file"])
    console().print(table)


def print_stats(
    recipe_file: Path,
    overrides: Sequence[str],
    count: int,
    seed: int,
    token_side: int,
    tokenizer: str | None,
    as_json: bool,
) -> dict[str, Any]:
    """Draw problems of a recipe and print what they consist of. Raises ConfigError or DataError as its sources do."""
    recipe = load_recipe(find_recipe(recipe_file, "data stats"), overrides)
    counting = tokenizer_counting(tokenizer) if tokenizer else estimated_tokens
    found = recipe_stats(recipe, draw_sample(recipe, seed, count), token_side, counting)
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return found
    out = console(markup=True)
    for table in stats_tables(found):
        out.print(table)
    tokens, repeats = found["tokens"], found["repeats"]
    how = "counted by the tokenizer" if tokenizer else "text estimated at 3.5 characters a token"
    out.print(
        f"tokens: text {tokens['text_share']:.1%}, image {tokens['image_share']:.1%}, response "
        f"{tokens['response_share']:.1%} ({how}; {tokens['with_response_rate']:.0%} of them with a worked response)"
    )
    for name, row in found["sources"].items():
        if (video := row["frames"]) is not None:
            out.print(f"{escape(name)}: {video['videos']} videos, {video['mean']:.1f} frames each")
    out.print(
        f"repeats among {found['problems']:,}: {repeats['problems']} problems, {repeats['images']} images, "
        f"{repeats['prompts_with_another_answer']} prompts with another answer"
    )
    return found


def stats_tables(found: dict[str, Any]) -> list[Table]:
    """The figures of `recipe_stats` as tables: sources and modalities, answers and difficulty, images by size."""
    shares = Table(title="sources and modalities", title_justify="left")
    for column in ("", "modality", "share", "rows", "n", "text", "image", "response"):
        shares.add_column(column, justify="left" if column in ("", "modality") else "right")
    for name, row in found["sources"].items():
        rows = "endless" if row["rows"] is None else f"{row['rows']:,}"
        shares.add_row(escape(name), row["modality"], f"{row['share']:.1%}", rows, str(row["n"]), *_token_cells(row))
    shares.add_section()
    for name, row in found["modalities"].items():
        shares.add_row(f"all {name}", name, f"{row['share']:.1%}", "", str(row["n"]), *_token_cells(row))
    answers = Table(title="answers and difficulty", title_justify="left")
    for column in ("", "different", "most frequent", "mean difficulty", f"in {BINS} equal bins"):
        answers.add_column(column)
    for name, row in found["sources"].items():
        frequent = ", ".join(f"{_short(a['answer'])} {a['share']:.0%}" for a in row["answers"]["most_frequent"][:3])
        level = row["difficulty"]
        cells = ("–", "–") if level is None else (f"{level['mean']:.2f}", " ".join(map(str, level["counts"])))
        answers.add_row(escape(name), str(row["answers"]["different"]), escape(frequent), *cells)
    images = Table(
        title=f"images, budget {found['budget'][0]:,} to {found['budget'][1]:,} pixels", title_justify="left"
    )
    for column in ("longer side", "n", "median size", f"mean tokens of {found['token_side']} px"):
        images.add_column(column, justify="right")
    for row in found["images"]:
        side = "larger" if row["longer_side"] is None else f"up to {row['longer_side']}"
        images.add_row(side, str(row["n"]), "×".join(map(str, row["median"])), f"{row['tokens']:.0f}")
    tables = _row_tables(found)
    return [shares, *tables, answers, images] if found["images"] else [shares, *tables, answers]


def _row_tables(found: dict[str, Any]) -> list[Table]:
    """What all rows of files hold, and what is wrong with some of them; nothing where there are no files."""
    rows = Table(title="rows of files", title_justify="left")
    for column in ("", "table", "rows", "left out", "images", "options", "golds accepted"):
        rows.add_column(column, justify="left" if column in ("", "table") else "right", no_wrap=column == "")
    wrong = Table(title="rows that are left out, golds that are not accepted, columns of no use", title_justify="left")
    for column in ("", "n", "what"):
        wrong.add_column(column, overflow="fold")
    for name, source in found["sources"].items():
        for key, table in source["tables"].items():
            inside = [
                f"{table[what]:,} in {table[f'rows_with_{what}']:,} rows" if table[what] else "–"
                for what in ("images", "options")
            ]
            left_out = str(table["rows"] - table["read"])
            rows.add_row(
                escape(name), escape(key), f"{table['rows']:,}", left_out, *inside, f"{table['golds_accepted']:,}"
            )
            for reason, count in table["left_out"].items():
                wrong.add_row(escape(f"{name}, {key}"), str(count), escape(reason))
            for bad in table["bad_golds"]:
                wrong.add_row(escape(f"{name}, {key}"), "1", escape(f"{bad['place']}: {bad['fault']}"))
            if table["unused_columns"]:
                listed = ", ".join(table["unused_columns"])
                wrong.add_row(escape(f"{name}, {key}"), str(len(table["unused_columns"])), escape(f"columns: {listed}"))
        for reason, count in source["skipped"].items() if not source["tables"] else ():
            wrong.add_row(escape(name), str(count), escape(reason))
    return [table for table in (rows, wrong) if table.row_count]


def _token_cells(row: dict[str, Any]) -> list[str]:
    response = row["response_tokens"]
    return [f"{row['text_tokens']:.0f}", f"{row['image_tokens']:.0f}", "–" if response is None else f"{response:.0f}"]


def _short(text: str) -> str:
    return text if len(text) <= 20 else f"{text[:19]}…"


def tokenizer_counting(name: str) -> Counting:
    """Counts tokens with a tokenizer that is here. Raises ConfigError if it isn't."""
    from transformers import AutoTokenizer

    try:
        held = AutoTokenizer.from_pretrained(name, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ConfigError("--tokenizer", f"{name!r} can't be loaded: {error}", "give a model folder") from error
    return lambda text: len(held(text, add_special_tokens=False)["input_ids"])


def write_page(
    recipe_file: Path, overrides: Sequence[str], page: Path | None, count: int, seed: int, token_side: int
) -> Path:
    """Write the preview of a recipe; show it where a file was named and there is a desktop. Returns the page's path."""
    recipe = load_recipe(find_recipe(recipe_file, "data preview"), overrides)
    target = page or Path(f"preview_{recipe_file.stem}.html")
    sample = draw_sample(recipe, seed, count)
    shown = write_preview(recipe, recipe_file.stem, sample, target, token_side)
    images = sum(len(item.problem.images) for item in sample.items)
    print(f"{target}: {shown} problems with {images} images, {target.stat().st_size / 1e6:.1f} MB")
    has_desktop = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    if page is not None and has_desktop and sys.stdout.isatty():
        webbrowser.open(target.resolve().as_uri())
    return target
