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
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from faults import Faults
from run_cases import STAGES, Case, Ended, call, prepare
from same_run import difference

from vlrl.training.lifecycle.checkpoint import damage_of

DISK_MIB = 96


def go_on(case: Case, folder: Path) -> str:
    """Call the command again; what came of it."""
    ended = call(case, folder)
    if "Traceback" in ended.said:
        return f"traceback: {ended.said[-600:]}"
    if ended.code:
        return f"ended with {ended.code}: {ended.said[-600:]}"
    return difference(case.whole, folder) or "identical"


def killed(case: Case, folder: Path, rng: random.Random) -> str:
    """SIGKILL at a moment or in a write, once or twice, then to the end."""
    for _ in range(rng.choice([1, 1, 2])):
        if rng.random() < 0.5:
            moment = rng.uniform(0, case.seconds)
            call(case, folder, lambda child, seconds, at=moment: seconds > at and _signal(child, signal.SIGKILL))
        else:
            call(case, folder, faults=Faults(folder, rng.randint(1, case.events), "kill"))
    return go_on(case, folder)


def stopped(case: Case, folder: Path, rng: random.Random) -> str:
    """SIGTERM, then to the end."""
    moment = rng.uniform(0, case.seconds)
    ended = call(case, folder, lambda child, seconds: seconds > moment and _signal(child, signal.SIGTERM))
    if ended.code not in (0, 143) or "Traceback" in ended.said:
        return f"ended with {ended.code}: {ended.said[-600:]}"
    return go_on(case, folder)


def _signal(child: int, number: int) -> bool:
    os.kill(child, number)
    return True


def without_room(case: Case, folder: Path, rng: random.Random) -> str:
    """No room from a random write on, then to the end."""
    return _after_full_disk(
        case, folder, call(case, folder, faults=Faults(folder, rng.randint(1, case.events), "full"))
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


def full_disk(case: Case, folder: Path, rng: random.Random) -> str:
    """A disk that is full at a random place of the run, then has room."""
    size = sum(one.stat().st_size for one in case.whole.rglob("*") if one.is_file())
    with small_disk(folder.parent, int(size * rng.uniform(0.02, 0.95))):
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


def tear(file: Path, rng: random.Random) -> str:
    """Damage a file in one of five ways; returns which."""
    data = file.read_bytes()
    how = rng.choice(["cut off", "emptied", "flipped", "zeroed at the end", "removed"])
    place = rng.randrange(max(len(data), 1))
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


def torn(case: Case, folder: Path, rng: random.Random) -> str:
    """A run that was killed, or is finished, one of whose files is then damaged; to the end, or refused by name."""
    if rng.random() < 0.3:
        shutil.copytree(case.whole, folder)
    else:
        call(case, folder, faults=Faults(folder, rng.randint(case.events // 4, case.events), "kill"))
    files = sorted(one for one in folder.rglob("*") if one.is_file() and one.name != ".lock") if folder.is_dir() else []
    if not files:
        return go_on(case, folder)
    file = rng.choice(files)
    how = tear(file, rng)
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
    found = difference(case.whole, folder)
    if found is None:
        return "mended"
    if named and (".jsonl" in found or found == f"{file.relative_to(folder)} is missing"):
        return "told, and lost"  # a line, an image, a file of an earlier step's model
    return f"{file.relative_to(folder)} {how}: {found}"


GOOD = ("identical", "mended", "refused by name", "told, and lost")
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
                rng = random.Random(f"{given.seed} {deed} {number}")
                outcome = DEEDS[deed](case, folder, rng)
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
