"""What limits the memory of this process and of all that it starts: the kernel's control groups, or nothing of them.

Programs in the sandbox have limits of their own beside it: the kernel's on each process, and the box's server, which
adds up all processes of a program every twentieth of a second. A control group around vlrl is exact, and bounds all of
its boxes together. Read from /proc: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of the kernel.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MIB = 1024 * 1024
_UNLIMITED = 1 << 60  # version 1 writes the largest multiple of a page for none
_FILES = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes"), 2: ("memory.max", "memory.current")}
_WRITTEN = {1: (".", "cgroup.procs"), 2: (".", "cgroup.procs", "cgroup.subtree_control")}
_SCOPE = "systemd-run --user --scope -p MemoryMax=8G -p Delegate=yes vlrl …, or docker run --memory 8g"
_BY_HAND = "as root: mkdir {root}/vlrl, a number of bytes to its memory.limit_in_bytes and this shell's id to its tasks"


@dataclass(frozen=True)
class MemoryControl:
    """The control group that counts this process's memory.

    version    of the hierarchy: 1 or 2; 0 where none has the controller `memory`
    root       where that hierarchy is mounted
    group      the group's path in it
    limit      bytes: the smallest of the group and of those above it; None without any
    held       bytes that count against that limit; None without a limit
    delegated  whether this user may make groups with limits of their own below it
    """

    version: int = 0
    root: str = ""
    group: str = ""
    limit: int | None = None
    held: int | None = None
    delegated: bool = False

    def record(self) -> dict[str, Any]:
        """As --json prints it."""
        return {**self.__dict__, "kind": "rlimit" if self.limit is None else "cgroup"}

    def said(self) -> str:
        """One line: what limits memory, and whether the group is delegated."""
        where = f"cgroup v{self.version} {self.group}" if self.version else "no cgroup has the controller memory"
        given = f", {'' if self.delegated else 'not '}delegated" if self.version else ""
        if self.limit is None:
            return f"by rlimit of each process and the box's sums alone ({where}{given}: no limit)"
        return f"by cgroup to {self.limit // MIB} MiB of all boxes together ({where}{given}); each program by rlimit"

    def remedy(self) -> str:
        """How to have a limit by control group; empty where there is one."""
        if self.limit is not None:
            return ""
        return _BY_HAND.replace("{root}", self.root) if self.version == 1 else _SCOPE


def memory_control(proc: Path = Path("/proc/self")) -> MemoryControl:
    """What the kernel says of this process. `proc` is a folder with `cgroup` and `mountinfo` (proc(5))."""
    try:
        groups = (proc / "cgroup").read_text().splitlines()
        mounts = (proc / "mountinfo").read_text().splitlines()
    except OSError:  # no Linux, or /proc is hidden
        return MemoryControl()
    named = {field: path for line in groups for _, fields, path in [line.split(":", 2)] for field in fields.split(",")}
    for version, field in ((1, "memory"), (2, "")):
        found = _mounted(mounts, version)
        if field in named and found is not None:
            top, root = found
            folder = _folder(top, root, named[field])
            if version == 1 or "memory" in _words(folder / "cgroup.controllers"):
                limit, held = _limit(folder, root, version)
                given = all(os.access(folder / name, os.W_OK) for name in _WRITTEN[version])
                return MemoryControl(version, str(root), named[field], limit, held, given)
    return MemoryControl()


def _mounted(mounts: list[str], version: int) -> tuple[str, Path] | None:
    """The path inside of the hierarchy that is mounted, and where: of version 1 the one with the controller memory."""
    for line in mounts:
        before, _, behind = line.partition(" - ")
        kind, options = behind.split(" ")[0], behind.split(" ")[-1].split(",")
        if kind == "cgroup2" if version == 2 else kind == "cgroup" and "memory" in options:
            return before.split(" ")[3], Path(before.split(" ")[4])
    return None


def _folder(top: str, root: Path, group: str) -> Path:
    """Where the group is seen here: a container may have its own group mounted as the root."""
    below = group.removeprefix(top) if top != "/" else group
    folder = root / below.lstrip("/")
    return folder if folder.is_dir() else root


def _limit(folder: Path, root: Path, version: int) -> tuple[int | None, int | None]:
    """The smallest limit from the group up to the root, and what counts against it."""
    limit_file, held_file = _FILES[version]
    found = []
    for one in (folder, *folder.parents):
        text = "".join(_words(one / limit_file))
        if text.isdigit() and int(text) < _UNLIMITED:
            held = "".join(_words(one / held_file))
            found.append((int(text), int(held) if held.isdigit() else None))
        if one == root:
            break
    return min(found, key=lambda pair: pair[0], default=(None, None))


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
