"""What a run card says of where a run ran: hardware, versions, and the commit of the code."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import vlrl
from vlrl.installation.instruction_set import in_words

_PACKAGES = ("vlrl", "torch", "transformers", "numpy", "pillow", "opencv-python-headless", "datasets")


def describe_machine() -> dict[str, Any]:
    """Hardware as the run card states it."""
    memory_gib = None
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory_gib = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": cores,
        "memory_gib": memory_gib,
        "system": platform.system(),
        "processor": platform.machine(),
        "instruction_set": in_words(),
    }


def describe_versions(packages: Sequence[str] = _PACKAGES) -> dict[str, str]:
    """Versions of Python and of those packages that are installed; by default the ones that decide the numbers."""
    found = {"python": sys.version.split()[0]}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def describe_code() -> dict[str, Any]:
    """The commit of this checkout and its uncommitted changes; of a wheel, the commit that it was built from.

    Empty where neither is known: a repository that merely lies around an installed package says nothing of it.
    """
    package = Path(vlrl.__file__).resolve().parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", *arguments], cwd=package, capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if not (package.parent / ".git").exists():
        built_from = package / "commit.txt"
        return {"commit": built_from.read_text().strip(), "changed_files": []} if built_from.is_file() else {}
    commit = git("rev-parse", "HEAD")
    return {"commit": commit, "changed_files": (git("status", "--porcelain") or "").splitlines()} if commit else {}
