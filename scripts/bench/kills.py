"""Kills, full disks and torn files against small runs of every kind, each compared with one that nothing happened to.

    python scripts/bench/kills.py --kills 60 --full-disks 20 --torn 20

kills       SIGKILL at a random moment, or in the middle of a random write; the same command is then called again
stops       SIGTERM at a random moment: exit code 143, and the same command again
full disks  a small disk of its own (a tmpfs, as root), full at a random place: exit code 1 with one message and every
            checkpoint readable; then it has room, and the same command again. And: no room from a random write on
torn files  a run is killed, then one of its files is cut off, flipped, zeroed or removed: the same command mends it, or
            names it and ends with exit code 2

Weights, metrics (but for times), rollouts, answers and results must be those of the undisturbed run bit for bit. One
thread, on the CPU. All processes are forks of this one, which has loaded the libraries.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import yaml
from faults import Faults, install

import vlrl.cli
from vlrl.commands import curate
from vlrl.data.mixture import Mixture
from vlrl.data.problem_files import write_problem_file
from vlrl.data.recipe import load_recipe
from vlrl.experiments.pipeline import pipeline
from vlrl.report.figures import svg_charts
from vlrl.training import run
from vlrl.training.lifecycle.checkpoint import damage_of
from vlrl.training.session import open_session
from vlrl.types import Preference

LOADED = (curate, pipeline, run)  # before the first fork

DISK_MIB = 96
PATIENCE_SECONDS = 600
CHOICES = [(a, b) for a in range(1, 7) for b in range(1, 7) if a != b]
RL = {
    "steps": 5,
    "problems_per_step": 4,
    "rollouts_per_problem": 4,
    "validate_every": 2,
    "checkpoint_every": 2,
    "log_every": 1,
    "skip_uninformative": False,
    "sampling": {"max_tokens": 6},
    "policy": {"optimizer": {"lr": 1e-3}},
}
FIXED = {"steps": 4, "batch": 4, "validate_every": 2, "checkpoint_every": 2}
STAGES: dict[str, dict[str, Any]] = {
    "sft + rl": {"stages": ["sft", "rl", "eval"], "sft": {**FIXED, "demonstrations": 16}},
    "over-sampling": {
        "rl": {
            **RL,
            "export_every": 3,
            "skip_uninformative": True,
            "over_sampling": {"informative": 3, "max_rounds": 3},
            "problem_sampler": {"weights": ["prioritised"]},
        }
    },
    "partial rollouts": {"rl": {**RL, "partial": {"budget": 3, "early_exit_below": 0.5}}},
    "dpo": {"stages": ["dpo", "eval"], "dpo": {**FIXED, "pairs": "pairs.jsonl"}},
}


@dataclass
class Case:
    """One kind of run: its config, and the undisturbed run with the number of its writes and its seconds."""

    name: str
    config: Path
    command: str
    whole: Path
    events: int = 0
    seconds: float = 0.0


@dataclass
class Ended:
    """How a command ended, and what it said."""

    code: int
    said: str
    seconds: float


def call(
    case: Case, folder: Path, watch: Callable[[int, float], bool] | None = None, faults: Faults | None = None
) -> Ended:
    """The command of a case in a fork of this process. `watch` is asked every 5 ms whether it has done its deed."""
    with tempfile.TemporaryFile("w+") as log:
        began = time.monotonic()
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            _become(case, folder, log.fileno(), faults)
        done = False
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            seconds = time.monotonic() - began
            if ended:
                log.seek(0)
                return Ended(os.waitstatus_to_exitcode(status), log.read(), seconds)
            if watch is not None and not done:
                done = watch(child, seconds)
            if seconds > PATIENCE_SECONDS:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.005)


def _become(case: Case, folder: Path, log: int, faults: Faults | None) -> None:
    """The child: never returns."""
    code = 1
    try:
        os.setsid()
        for descriptor in (1, 2):
            os.dup2(log, descriptor)
        sys.argv = ["vlrl", case.command, str(case.config), f"run_folder={folder}"]
        if faults is not None:
            install(faults)
        try:
            vlrl.cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        except BaseException:
            traceback.print_exc()
        if faults is not None and not faults.at:
            print(f"\nevents: {faults.events}")
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def prepare(work: Path, names: list[str]) -> list[Case]:
    """Recipe, a model that gets some answers right, and the undisturbed runs."""
    work.mkdir(parents=True, exist_ok=True)
    for left in ("whole", "disturbed", "taught"):
        shutil.rmtree(work / left, ignore_errors=True)
    open_session.TOKENIZER_TEXTS = 200
    svg_charts._finish = lambda figure, name: f'<svg id="{name}"></svg>'  # to draw charts is half of such a run
    rows = [
        {
            "question": f"Which is more? (A) {a} (B) {b}",
            "answer": "A" if a > b else "B",
            "response": f"<answer>{'A' if a > b else 'B'}</answer>",
        }
        for a, b in CHOICES
    ]
    (work / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = {"name": "more", "kind": "file", "path": "rows.jsonl", "modality": "text", "verifier": "choice"}
    text |= {"columns": {"response": "response"}, "held_out": 0.2}
    shapes = {"name": "shapes", "kind": "domain", "domain": {"name": "grid_compare", "size": 48}}
    recipe = {"image": {"min_pixels": 1024, "max_pixels": 4096}, "sources": [text, shapes]}
    (work / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    base = {
        "data": str(work / "recipe.yaml"),
        "threads": 1,
        "eval": {"problems": 4, "curve_problems": 4, "sampling": {"max_tokens": 6}},
    }
    shape = {
        "text_width": 32,
        "text_layers": 2,
        "vision_width": 32,
        "head_size": 16,
        "key_value_heads": 1,
        "mlp_width": 48,
    }
    taught = {**base, "name": "taught", "stages": ["sft"], "model": {"build": "tiny-qwen3-vl", "shape": shape}}
    taught["sft"] = {
        "steps": 120,
        "batch": 16,
        "demonstrations": 32,
        "validate_every": 120,
        "policy": {"optimizer": {"lr": 3e-3}},
    }
    teacher = Case("the model", write(work / "taught.yaml", taught), "run", work / "taught")
    finish(teacher, teacher.whole)
    base["model"] = {"path": str(work / "taught/model_sft")}
    cases = []
    for name in names:
        settings = {**base, "name": "disturbed", "stages": ["rl", "eval"], "rl": RL, **STAGES.get(name, {})}
        config, command = work / f"{name.replace(' ', '_')}.yaml", "run"
        if name == "dpo":
            settings["dpo"] = {**settings["dpo"], "pairs": str(_pairs(work))}
        if name == "curation":
            settings, command = _curation(base), "curate"
        if name == "chain":
            config = _chain(work, base)
        else:
            write(config, settings)
        case = Case(name, config, command, work / "whole" / config.stem)
        ended = finish(case, case.whole, Faults(case.whole))
        case.seconds, case.events = ended.seconds, int(ended.said.rsplit("events: ", 1)[1])
        print(f"{name}: {case.seconds:.1f} s, {case.events} writes", flush=True)
        cases.append(case)
    return cases


def write(path: Path, settings: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return path


def _pairs(work: Path) -> Path:
    problems = Mixture(load_recipe(str(work / "recipe.yaml")), 1, []).draw(8)
    pairs = [Preference(one, "<answer>A</answer>", f"<answer>{i}</answer>") for i, one in enumerate(problems)]
    write_problem_file(work / "pairs.jsonl", pairs)
    return work / "pairs.jsonl"


def _curation(base: dict[str, Any]) -> dict[str, Any]:
    ask = {
        "name": "difficulty",
        "samples": 2,
        "sampling": {"temperature": 1.0, "max_tokens": 6},
    }
    return {
        **{key: base[key] for key in ("data", "threads", "model")},
        "name": "curated",
        "problems": 48,
        "recipe_held_out": 0.2,
        "batch": 6,
        "held_out": 4,
        "stages": [{"name": "formats", "multiple_choice": "keep"}, ask],
        "warmup": {"samples": 2, "sampling": {"temperature": 1.0, "max_tokens": 6}},
    }


def _chain(work: Path, base: dict[str, Any]) -> Path:
    curation = write(work / "chain_curate.yaml", _curation(base))
    learned = write(
        work / "chain_run.yaml", {**base, "name": "learned", "stages": ["rl", "eval"], "rl": {**RL, "steps": 3}}
    )
    links = [
        {"name": "curated", "does": "curate", "config": str(curation)},
        {"name": "learned", "config": str(learned), "set": {"data": "{curated}/curated_recipe.yaml"}},
    ]
    return write(work / "chain.yaml", {"name": "chain", "pipeline": links})


def finish(case: Case, folder: Path, faults: Faults | None = None) -> Ended:
    """The command, undisturbed, to its end. Exits where it fails."""
    ended = call(case, folder, faults=faults)
    if ended.code:
        sys.exit(f"{case.name} ended with {ended.code} though nothing happened to it:\n{ended.said[-3000:]}")
    return ended


def difference(case: Case, folder: Path) -> str | None:
    """The first thing in which a folder is not that of the undisturbed run, None where there is none."""
    for file in sorted(one for one in case.whole.rglob("*") if one.is_file()):
        name = file.relative_to(case.whole)
        if any(part.startswith((".", "checkpoints", "built_model")) for part in name.parts):
            continue
        mine = folder / name
        if not mine.is_file():
            return f"{name} is missing"
        try:
            same = _same(file, mine)
        except ValueError:
            return f"{name} can't be read"
        if not same:
            return f"{name} differs"
    return None


def _same(file: Path, mine: Path) -> bool:
    if file.suffix in (".safetensors", ".png", ".jpg"):
        return file.read_bytes() == mine.read_bytes()
    if file.suffix == ".jsonl":
        return _lines(file) == _lines(mine)
    if file.name == "results.json":
        return bool(_results(file) == _results(mine))
    return True  # cards, reports and settings hold paths, times and sessions


def _lines(file: Path) -> list[dict[str, Any]]:
    dropped = ("seconds", "tokens/rollout_per_second", "images")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return [
        {k: v for k, v in row.items() if not k.startswith(("time/", "colocated/")) and k not in dropped} for row in rows
    ]


def _results(file: Path) -> Any:
    return _without(json.loads(file.read_text()))


def _without(held: Any) -> Any:
    """Without times, and without what says how often a model was asked."""
    dropped = ("wall_seconds", "seconds", "asked_in_this_session", "answers_from_disk")
    if isinstance(held, dict):
        return {key: _without(value) for key, value in held.items() if key not in dropped}
    return [_without(value) for value in held] if isinstance(held, list) else held


def go_on(case: Case, folder: Path) -> str:
    """Call the command again; what came of it."""
    ended = call(case, folder)
    if "Traceback" in ended.said:
        return f"traceback: {ended.said[-600:]}"
    if ended.code:
        return f"ended with {ended.code}: {ended.said[-600:]}"
    return difference(case, folder) or "identical"


def killed(case: Case, folder: Path, guess_rate: random.Random) -> str:
    """SIGKILL at a moment or in a write, once or twice, then to the end."""
    for _ in range(guess_rate.choice([1, 1, 2])):
        if guess_rate.random() < 0.5:
            moment = guess_rate.uniform(0, case.seconds)
            call(case, folder, lambda child, seconds, at=moment: seconds > at and _signal(child, signal.SIGKILL))
        else:
            call(case, folder, faults=Faults(folder, guess_rate.randint(1, case.events), "kill"))
    return go_on(case, folder)


def stopped(case: Case, folder: Path, guess_rate: random.Random) -> str:
    """SIGTERM, then to the end."""
    moment = guess_rate.uniform(0, case.seconds)
    ended = call(case, folder, lambda child, seconds: seconds > moment and _signal(child, signal.SIGTERM))
    if ended.code not in (0, 143) or "Traceback" in ended.said:
        return f"ended with {ended.code}: {ended.said[-600:]}"
    return go_on(case, folder)


def _signal(child: int, number: int) -> bool:
    os.kill(child, number)
    return True


def without_room(case: Case, folder: Path, guess_rate: random.Random) -> str:
    """No room from a random write on, then to the end."""
    return _after_full_disk(
        case, folder, call(case, folder, faults=Faults(folder, guess_rate.randint(1, case.events), "full"))
    )


@contextmanager
def small_disk(place: Path, bytes_free: int) -> Iterator[None]:
    """A disk of its own for a folder; more room comes with `remount`."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={max(bytes_free, 4096)}", "tmpfs", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def full_disk(case: Case, folder: Path, guess_rate: random.Random) -> str:
    """A disk that is full at a random place of the run, then has room."""
    size = sum(one.stat().st_size for one in case.whole.rglob("*") if one.is_file())
    with small_disk(folder.parent, int(size * guess_rate.uniform(0.02, 0.95))):
        ended = call(case, folder)
        said = _unreadable(folder) if ended.code else None
        subprocess.run(["mount", "-o", f"remount,size={DISK_MIB}m", folder.parent], check=True)
        return said or _after_full_disk(case, folder, ended)


def _after_full_disk(case: Case, folder: Path, ended: Ended) -> str:
    if ended.code not in (0, 1) or "Traceback" in ended.said:
        return f"ended with {ended.code}: {ended.said[-800:]}"
    if ended.code and ("no space left" not in ended.said or str(folder) not in ended.said):
        return f"doesn't say what is full: {ended.said[-600:]}"
    return _unreadable(folder) or go_on(case, folder)


def _unreadable(folder: Path) -> str | None:
    for one in folder.rglob("step_*"):
        if one.is_dir() and one.parent.name.startswith("checkpoints") and (damage := damage_of(one)):
            return f"{one.name}: {damage}"
    return None


def tear(file: Path, guess_rate: random.Random) -> str:
    """Damage a file in one of five ways; returns which."""
    data = file.read_bytes()
    how = guess_rate.choice(["cut off", "emptied", "flipped", "zeroed at the end", "removed"])
    place = guess_rate.randrange(max(len(data), 1))
    if how == "removed":
        file.unlink()
    elif how == "cut off":
        file.write_bytes(data[:place])
    elif how == "emptied":
        file.write_bytes(b"")
    elif how == "flipped":
        file.write_bytes(data[:place] + bytes(255 - byte for byte in data[place : place + 16]) + data[place + 16 :])
    else:
        file.write_bytes(data[:place] + b"\0" * (len(data) - place))
    return how


def torn(case: Case, folder: Path, guess_rate: random.Random) -> str:
    """A run that was killed, or is finished, one of whose files is then damaged; to the end, or refused by name."""
    if guess_rate.random() < 0.3:
        shutil.copytree(case.whole, folder)
    else:
        call(case, folder, faults=Faults(folder, guess_rate.randint(case.events // 4, case.events), "kill"))
    files = sorted(one for one in folder.rglob("*") if one.is_file() and one.name != ".lock") if folder.is_dir() else []
    if not files:
        return go_on(case, folder)
    file = guess_rate.choice(files)
    how = tear(file, guess_rate)
    ended = call(case, folder)
    if "Traceback" in ended.said or ended.code not in (0, 2):
        return f"{file.relative_to(folder)} {how}: ended with {ended.code}: {ended.said[-800:]}"
    named = file.name in ended.said or file.parent.name in ended.said
    if ended.code:
        return (
            "refused by name"
            if named
            else f"{file.relative_to(folder)} {how}: refused without a name: {ended.said[-400:]}"
        )
    found = difference(case, folder)
    if found is None:
        return "mended"
    return "told, and a line is lost" if named and ".jsonl" in found else f"{file.relative_to(folder)} {how}: {found}"


GOOD = ("identical", "mended", "refused by name", "told, and a line is lost")
DEEDS = {"kills": killed, "stops": stopped, "no room": without_room, "full disks": full_disk, "torn files": torn}


def main() -> None:
    """Prints a table of what was done to which run and what came of it; exit code 1 where one isn't as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--stops", type=int, default=0)
    parser.add_argument("--no-room", type=int, default=0)
    parser.add_argument("--full-disks", type=int, default=2)
    parser.add_argument("--torn", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", nargs="*", default=[*STAGES, "curation", "chain"])
    parser.add_argument("--only", type=int, nargs="*", help="of each deed the trials of these numbers")
    parser.add_argument("--work", type=Path, help="where the runs lie and stay; by default a folder that is removed")
    given = parser.parse_args()
    torch.set_num_threads(1)
    counts = {
        "kills": given.kills,
        "stops": given.stops,
        "no room": given.no_room,
        "full disks": given.full_disks,
        "torn files": given.torn,
    }
    with tempfile.TemporaryDirectory() as temporary:
        work = (given.work or Path(temporary)).resolve()
        cases = prepare(work, given.cases)
        if counts["full disks"] and (reason := no_small_disk(work / "probe")):
            print(f"full disks are left out: {reason}")
            counts["full disks"] = 0
        failed = False
        found: Counter[tuple[str, str, str]] = Counter()
        for deed, count in counts.items():
            for number in (one for one in given.only or range(count) if one < count):
                case = cases[number % len(cases)]
                folder = work / "disturbed" / f"{deed.replace(' ', '_')}_{number}" / "run"
                guess_rate = random.Random(f"{given.seed} {deed} {number}")
                outcome = DEEDS[deed](case, folder, guess_rate)
                if outcome not in GOOD:
                    failed = True
                    print(f"{deed} {number}, {case.name}: {outcome}", flush=True)
                else:
                    shutil.rmtree(folder.parent, ignore_errors=True)
                found[deed, case.name, outcome if outcome in GOOD else "FAILED"] += 1
    print("\n| what | run | times | outcome |\n|---|---|---|---|")
    for (deed, name, outcome), times in found.items():
        print(f"| {deed} | {name} | {times} | {outcome} |")
    sys.exit(failed)


def no_small_disk(probe: Path) -> str | None:
    """Why no small disk can be made here, None where one can."""
    try:
        with small_disk(probe, 65536):
            return None
    except (OSError, subprocess.CalledProcessError) as error:
        return f"a tmpfs can't be mounted ({error})"


if __name__ == "__main__":
    main()
