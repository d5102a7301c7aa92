"""A finished run has everything that a finished run has; what is missing is written again, or made again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from vlrl.report.model_cards.card_files import missing_cards
from vlrl.report.report import write_report
from vlrl.runlog.atomic_files import changed_files
from vlrl.runlog.kept_images import kept_images, refuse_lost_images
from vlrl.runlog.log_lines import any_damaged_line
from vlrl.runlog.own_files import MARK
from vlrl.runlog.run_folder import LOGS, RunFolder
from vlrl.training.lifecycle.run_ending import has_content, is_readable, recorded_ending
from vlrl.training.lifecycle.run_state import RunState
from vlrl.training.lifecycle.stage_inputs import LEAVES
from vlrl.training.rl.exports import EXPORT, told
from vlrl.training.run_settings import RunSettings


def complete_ends(settings: RunSettings, done: RunState) -> None:
    """Write again what a finished run lacks. A stage whose model or answers are gone counts as unfinished, so that it
    is taken up from its last checkpoint. Raises RunError for a damaged image that rollouts.jsonl names.
    """
    folder = done.folder
    lost, unanswered = lost_stages(done)
    if lost:
        done.forget(lost, unanswered)
    if not settings.stages or not all(done.has(stage) for stage in settings.stages):
        return
    wants_results = not {*settings.stages} <= {"prepare"}
    lacks = [name for name in ("report.html", "run_card.md") if not has_content(folder / name)]
    lacks += ["results.json"] if wants_results and not is_readable(folder / "results.json") else []
    lacks += ["run_card.json"] if not is_readable(folder / "run_card.json", "finished") else []
    lacks += [str(card.relative_to(folder)) for card in missing_cards(folder)]
    lacks += [name for name in LOGS if any_damaged_line(folder / name)]
    refuse_lost_images(folder, print, [file.stem for file, whole in kept_images(folder) if whole])
    if done.sealed and not lacks:
        return
    print(f"{folder}: {', '.join(lacks) or 'the end'} is put in order")
    run = RunFolder(folder, settings.model_dump(mode="json"), sys.argv)
    with recorded_ending(run):
        if wants_results:
            run.results({**done.results, "wall_seconds": {k: round(v, 2) for k, v in done.seconds.items()}})
    write_report(folder)
    done.seal()


def lost_stages(done: RunState) -> tuple[set[str], set[str]]:
    """Finished stages whose files are missing or have changed, and results whose answers are; prints a line a file,
    also for a model of an earlier step (`rl.export_every`), which can't be made again and takes no stage with it.
    """
    lost: set[str] = set()
    unanswered: set[str] = set()
    for name, what in changed_files(done.folder, done.left):
        file, leaf = done.folder / name, Path(name).parts[0]
        if leaf.startswith(EXPORT):
            print(told(file, what))
        stage = next((name for name, left in LEAVES.items() if left == leaf), None)
        if stage is not None and stage in done.finished:
            print(f"{file} {what}: {stage} is taken up from its last checkpoint")
            lost.add(stage)
        answers = leaf.removeprefix("answers_").removesuffix(".jsonl")
        if stage is None and answers in done.results:
            print(f"{file} {what}: it is answered again")
            unanswered.add(answers)
            lost |= {answers} if answers in LEAVES else {*done.finished}  # the start's needs the first model
    return lost, unanswered


def is_in_order(folder: Path) -> bool:
    """Whether a finished run's folder, as far as it is one, has everything that it had when it was finished."""
    file = folder / "state.json"
    if not file.is_file():
        return _has_no_state(folder)
    try:
        state = json.loads(file.read_bytes())
        left, sealed = state["left"], state["sealed"]
    except (ValueError, KeyError, TypeError):
        return False
    whole = not changed_files(folder, left)
    logs = not any(any_damaged_line(folder / name) for name in LOGS)
    written = all(has_content(folder / name) for name in ("report.html", "run_card.md"))
    written = written and not missing_cards(folder) and (not left or is_readable(folder / "results.json"))
    return bool(sealed) and whole and logs and written and all(whole for _, whole in kept_images(folder))


def _has_no_state(folder: Path) -> bool:
    """Whether a folder without state.json is whole: a model alone, or a curation or evaluation with its results."""
    if not (folder / "run_card.json").is_file():
        return True
    written_by = folder / MARK
    kind = json.loads(written_by.read_bytes()).get("kind") if is_readable(written_by) else None
    return kind in ("curation", "evaluation") and all(
        is_readable(folder / name, status) for name, status in (("run_card.json", "finished"), ("results.json", None))
    )
