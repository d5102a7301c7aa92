"""What `vlrl import` does: read, translate, check, write, and say what became of every key."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table
from rich.text import Text

from vlrl.commands.importing.assemble import Translated, assemble
from vlrl.commands.importing.foreign_file import read_foreign
from vlrl.commands.importing.grammar import grammar_for, read_by
from vlrl.commands.importing.sizes import rows_said
from vlrl.commands.importing.trainers import TRAINERS
from vlrl.commands.importing.written import check, counts, said, write
from vlrl.terminal import console


def translate(
    config: Path, recipe_name: str, trainer: str | None = None, ranks: int | None = None, rows: int | None = None
) -> Translated:
    """A file of another trainer's as our settings, not checked yet. Raises ConfigError where it can't be read."""
    foreign = read_foreign(config)
    grammar = grammar_for(foreign, TRAINERS, trainer)
    meaning = read_by(grammar, foreign)
    rows_said(meaning, foreign.keys.get("dataset"))
    return assemble(meaning, recipe_name, ranks, rows)


def run_import(
    config: Path, trainer: str | None, out: Path | None, ranks: int | None, rows: int | None, keys: bool
) -> Translated:
    """Translate a file, write config and recipe, and print what became of its keys."""
    out = out or Path(f"{config.stem}.yaml")
    recipe = out.with_name(f"{out.stem}_recipe.yaml")
    translated = translate(config, str(recipe), trainer, ranks, rows)
    missing = check(translated, out, recipe)
    write(translated, out, recipe)
    _print(translated, keys)
    if missing:
        print(f"not on this machine: {', '.join(missing)}")
    print(f"config: {out}\nrecipe: {recipe}")
    nodes, ranks = translated.sizes.nodes, translated.sizes.ranks
    several = f"--nnodes {nodes} " if nodes > 1 else ""
    launch = "vlrl" if ranks == 1 else f"torchrun {several}--nproc-per-node {ranks // nodes} -m vlrl"
    print(f"next:\n  vlrl data stats {recipe}\n  vlrl plan {out}\n  {launch} run {out}")
    return translated


def _print(translated: Translated, keys: bool) -> None:
    meaning, out = translated.meaning, console()
    found = counts(meaning.entries)
    print(
        f"{meaning.grammar.title}: {len(meaning.entries)} keys, {found['translated']} translated, "
        f"{found['no difference']} make no difference, {found['no counterpart']} without a counterpart, "
        f"{found['to decide']} for you to decide"
    )
    if keys:
        table = Table(title="every key", title_justify="left")
        for column in ("key", "value", "became", "note"):
            table.add_column(column, overflow="fold")
        for entry in meaning.entries:
            default = " (default)" if entry.default else ""
            became = ", ".join(dict.fromkeys(entry.ours)) if entry.status == "translated" else entry.status
            table.add_row(*(Text(cell) for cell in (entry.key, f"{entry.value}{default}", became, entry.note)))
        out.print(table)
    for status in ("no counterpart", "to decide"):
        held = [entry for entry in meaning.entries if entry.status == status]
        if held:
            print(f"\n{status}:")
            for entry in held:
                print(f"  {said(entry)}")
    for remark in meaning.remarks:
        print(f"\n{remark}")
    print()
