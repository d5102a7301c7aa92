"""What programs have left on the host: processes below the boxes, and files in the folders that all may write to."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from vlrl.code_execution.box_pool import BoxPool

OPEN_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")
OUR_NAMES = ("vlrl-trap-", "vlrl-programs-", "vlrl-x")
HERTZ = os.sysconf("SC_CLK_TCK")
PATIENCE_SECONDS = 2.0  # that the kernel has to take a process apart


def processes_left(pool: BoxPool) -> str:
    """Processes below the pool's boxes that aren't the boxes' own, in words; nothing where there are none."""
    own = 2 if pool.settings.isolation == "bubblewrap" else 0  # bubblewrap's inner process, and the server
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        alive = sum(max(0, len(below(process)) - own) for process in pool.process_ids())
        if alive == 0:
            return ""
        if time.monotonic() > until:
            return f"{alive} of its processes still run"
        time.sleep(0.02)


def processor_seconds(pool: BoxPool) -> dict[int, float]:
    """Process id → processor seconds so far of the boxes and all below, with those of children that they waited for."""
    found = {}
    for process in (one for root in pool.process_ids() for one in (root, *below(root))):
        try:
            fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        found[process] = sum(map(int, fields[11:15])) / HERTZ
    return found


def below(root: int) -> list[int]:
    """Living processes below one."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                fields = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
            except OSError:  # it has ended meanwhile
                continue
            if fields[0] != b"Z":
                parents[int(name)] = int(fields[1])
    found: list[int] = []
    waiting = [root]
    while waiting:
        parent = waiting.pop()
        children = [process for process, held in parents.items() if held == parent]
        found += children
        waiting += children
    return found


def files_now() -> frozenset[str]:
    """Files of ours and of attacks, by name, in the folders that all may write to."""
    return frozenset(
        str(path) for folder in OPEN_FOLDERS for name in OUR_NAMES for path in Path(folder).glob(f"{name}*")
    )


def alive(processes: Sequence[int]) -> list[int]:
    """Those of them that still run."""
    return [process for process in processes if Path(f"/proc/{process}").exists()]
