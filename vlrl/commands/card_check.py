"""What `vlrl card check` does: recompute what a run card states of its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from vlrl.config import build_settings
from vlrl.data.recipe import load_recipe
from vlrl.errors import RunError, VlrlError
from vlrl.report.read_run import read_run
from vlrl.runlog.card_digest import DIGEST, card_digest
from vlrl.training.lifecycle.run_accounts import changed_weights, token_account, unstated_weights
from vlrl.training.lifecycle.stage_inputs import LEAVES
from vlrl.training.monitoring.benchmark_curve import load_curve_benchmarks
from vlrl.training.monitoring.data_overlap import digest_of, drawn_again, overlap_account
from vlrl.training.monitoring.integrity import integrity_checks
from vlrl.training.run_settings import RunSettings
from vlrl.training.session.held_out_sets import HeldOutProblems
from vlrl.training.session.open_session import evaluation_sets

SECTIONS = ("settings", "tokens", "weights", "integrity", "data_overlap")  # that every finished run's card has


def check_card(folder: Path) -> int:
    """Print what holds and what doesn't; 0 where everything that the card states holds, else 1.

    Raises RunError for a folder without a card, or a card that states neither tokens nor weights (an unfinished run).
    """
    run = read_run(folder)
    stated = run.card.get("weights") or {}
    if not stated and not run.card.get("tokens"):
        raise RunError(f"{folder}/run_card.json", "states no weights and no tokens", "let the run finish first")
    written = dict(stated.get("written") or {})
    read = {name: held for name, held in (stated.get("read") or {}).items() if Path(held["folder"]).is_dir()}
    away = sorted(set(stated.get("read") or {}) - set(read))
    wrong = changed_weights(written, {name: folder / name for name in written})
    folders = {name: Path(held["folder"]) for name, held in read.items()}
    wrong += changed_weights({name: held["files"] for name, held in read.items()}, folders)
    wrong += unstated_weights(written, {name: folder / name for name in (*LEAVES.values(), *written)})
    wrong += _other_settings(folder, run.card)
    wrong += [f"the card has no section `{name}`" for name in SECTIONS if name not in run.card]
    if run.card.get(DIGEST) != card_digest(run.card):
        wrong.append(f"run_card.json was edited after the run, or is older than its digest (`{DIGEST}`)")
    rl = (run.card.get("settings") or {}).get("rl") or {}
    if "integrity" in run.card and integrity_checks(folder / "metrics.jsonl", rl) != run.card["integrity"]:
        wrong.append("metrics.jsonl gives the integrity checks other results than the card states")
    differs, unseen = _overlap(folder, run.card)
    wrong += differs
    if token_account(folder / "metrics.jsonl") != run.card.get("tokens"):
        wrong.append("metrics.jsonl sums up to other tokens than the card states")
    for line in wrong:
        print(f"differs: {line}")
    for name in away:
        print(f"not looked at: the weights of {name} that were read are no longer where they were")
    for line in unseen:
        print(f"not looked at: {line}")
    files = sum(map(len, written.values())) + sum(len(held["files"]) for held in read.values())
    print("not looked at: machine, versions, code and what was drawn, which nothing in the folder repeats")
    if not wrong:
        tokens, checks = len(run.card["tokens"]), len(run.card["integrity"])
        print(f"{folder}: {files} files of weights, tokens of {tokens} stages, {checks} integrity checks are as stated")
        print(f"{folder}: so is the overlap of its data{', as far as it was looked at' if unseen else ''}")
    return 1 if wrong else 0


def _overlap(folder: Path, card: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """(what differs, what can't be compared) of the overlap of training problems with what the run was tested on.

    Held-out problems and benchmarks are read again; near-duplicates are not looked for again.
    """
    stated = card.get("data_overlap")
    if not isinstance(stated, Mapping):
        return [], []  # the section is missing, and that is said
    wrong = []
    counted = overlap_account(folder)
    if {name: stated.get(name) for name in counted} != counted:
        wrong.append("problems.jsonl sums up to another overlap of the data than the card states")
    try:
        settings = build_settings(RunSettings, dict(card.get("settings") or {}), "run_card.json, settings")
        recipe = load_recipe(settings.data)
        asked = settings.eval.benchmarks if "rl" in settings.stages else None
        sets = evaluation_sets(HeldOutProblems.draw(recipe, settings), load_curve_benchmarks(asked, settings.engine))
    except (VlrlError, OSError) as error:
        return wrong, [f"what the run was tested on, which can't be read again: {error}"]
    unseen = []
    for name, held in (stated.get("sets") or {}).items():
        if digest_of(sets.get(name, ())) != held["digest"]:
            unseen.append(f"{name}, of which recipe and settings give other problems here than the run had")
        elif len(sets[name]) != held["problems"]:
            wrong.append(f"{name} has {len(sets[name])} problems, and the card states {held['problems']}")
    if missing := sorted(name for name, problems in sets.items() if problems and name not in stated.get("sets", {})):
        wrong.append(f"the card states no overlap with {', '.join(missing)}")
    for name, ids in drawn_again(folder, sets).items():
        wrong.append(f"problems.jsonl has {len(ids)} problems of {name}, e.g. {min(ids)}, and doesn't call them so")
    return wrong, unseen


def _other_settings(folder: Path, card: Mapping[str, Any]) -> list[str]:
    """What the card states of settings and seed, and run.yaml doesn't."""
    file = folder / "run.yaml"
    if not file.is_file():
        return [f"{file} is gone"]
    held = yaml.safe_load(file.read_text(encoding="utf-8"))
    stated = card.get("settings") or {}
    other = sorted(key for key in {*held, *stated} if held.get(key) != stated.get(key))
    found = [f"run.yaml has another `{key}` than the card" for key in other]
    if card.get("seed") != held.get("seed"):
        found.append(f"the card's seed is {card.get('seed')}, that of run.yaml {held.get('seed')}")
    return found
