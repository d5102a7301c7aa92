"""The machine: instructions, threads, memory, shared memory, file limits, disks and folders that must be writable."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vlrl.code_execution.memory_control import memory_control
from vlrl.doctor.finding import Finding, note, ok, problem
from vlrl.installation.instruction_set import instruction_set

GIB = 2**30
CGROUP = Path("/sys/fs/cgroup")


def check_instructions(cpuinfo: Path = Path("/proc/cpuinfo")) -> Finding:
    """Vector instructions of the CPU; what the environment forbids is said."""
    found = instruction_set(cpuinfo)
    has, limits = list(found["cpu"]), list(found.get("limit", []))
    said = f"{found['machine']}, {', '.join(has) or 'no vector instructions are named'}"
    if limits:
        names = " ".join(one.partition("=")[0] for one in limits)
        return note("instructions", f"{said}; limited by {', '.join(limits)}", f"unset {names} for full speed")
    if found["machine"] in ("x86_64", "AMD64") and cpuinfo.is_file() and "AVX2" not in has:
        return note("instructions", said, "without AVX2 a run on this CPU takes several times as long")
    return ok("instructions", said)


def allowed_cores(cgroup: Path = CGROUP) -> float:
    """Cores that this process may use: its affinity, and what its control group grants it."""
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    file = cgroup / "cpu.max"
    if file.is_file():
        quota, _, period = file.read_text().strip().partition(" ")
        if quota.isdigit() and period.isdigit():
            cores = min(cores, int(quota) / int(period))
    return cores


def check_threads(threads: int | None, cores: float) -> Finding:
    """CPU threads that torch would start (`threads` of a config, OMP_NUM_THREADS, or all) against the cores granted."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked and not asked.split(",")[0].isdigit():
        return problem(
            "threads", f"OMP_NUM_THREADS={asked!r} is no number", "export OMP_NUM_THREADS=a number, or unset it"
        )
    wanted = threads or (int(asked.split(",")[0]) if asked else (os.cpu_count() or 1))
    said = f"{wanted} threads on {cores:g} of {os.cpu_count()} cores"
    if wanted > max(1.0, cores):
        return note(
            "threads",
            f"{said}: they wait for each other",
            f"threads: {max(1, int(cores))} in the config, or OMP_NUM_THREADS",
        )
    return ok("threads", said)


def check_memory(cgroup: Path = CGROUP, meminfo: Path = Path("/proc/meminfo")) -> Finding:
    """Memory that is free, and the limit of the control group."""
    held = {}
    for line in meminfo.read_text().splitlines() if meminfo.is_file() else ():
        name, _, rest = line.partition(":")
        held[name] = int(rest.split()[0]) * 1024
    free = held.get("MemAvailable")
    limit = cgroup / "memory.max"
    said = f"{free / GIB:.1f} GiB free" if free is not None else "unknown"
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        current = cgroup / "memory.current"
        granted = int(text) - (int(current.read_text()) if current.is_file() else 0)
        free = granted if free is None else min(free, granted)
        said += f"; the control group grants {int(text) / GIB:.1f} GiB"
    if free is not None and free < GIB:
        return problem(
            "memory", f"{said}, {free / GIB:.1f} GiB for a run", "end other work; the quickstart takes about 1.5 GiB"
        )
    return ok("memory", said)


def check_sandbox_memory() -> Finding:
    """Whether the memory of programs that the sandbox runs is limited by a control group, too."""
    found = memory_control()
    return (
        note("sandbox memory", found.said(), found.remedy()) if found.remedy() else ok("sandbox memory", found.said())
    )


def check_shared_memory(folder: Path = Path("/dev/shm"), needed_by: Sequence[str] = ()) -> Finding:
    """Shared memory, which Ray's object store, vLLM's workers and the workers of a data loader use."""
    if not folder.is_dir():
        return (
            note("shared memory", f"{folder} is missing", "engines in other processes need it")
            if needed_by
            else ok("shared memory", "none")
        )
    free = shutil.disk_usage(folder).free
    said = f"{free / GIB:.2f} GiB free in {folder}"
    if free < GIB and needed_by:
        return note(
            "shared memory",
            f"{said}, used by {', '.join(needed_by)}",
            "docker run --shm-size=8g, or engine.object_store_gib",
        )
    return ok("shared memory", said)


def check_open_files() -> Finding:
    """How many files the process may hold open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 1024:
        return problem("open files", f"at most {soft}", f"ulimit -n {min(hard, 65536) if hard > 0 else 65536}")
    if soft < 4096:
        return note("open files", f"at most {soft}; Ray and many workers take more", "ulimit -n 65536")
    return ok("open files", f"at most {soft}")


def check_folders(folders: Mapping[str, Path], least_gib: float = 2.0) -> Iterator[Finding]:
    """Folders that a run writes: by a file that is really written, and the space there."""
    for name, folder in folders.items():
        place = folder.expanduser().absolute()
        while not place.exists() and place != place.parent:
            place = place.parent
        if not place.is_dir():
            yield problem(name, f"{place} is a file, {folder} can't be made", "name another folder")
            continue
        try:
            with tempfile.TemporaryFile(dir=place) as file:
                file.write(b"vlrl")
                file.flush()
        except OSError as error:
            yield problem(
                name,
                f"{folder} can't be written: {error.strerror or error}",
                "mend its permissions, or name another folder",
            )
            continue
        free = shutil.disk_usage(place).free / GIB
        said = f"{folder}, {free:.1f} GiB free"
        yield (
            note(name, said, "a checkpoint holds weights and optimiser: make room")
            if free < least_gib
            else ok(name, said)
        )
