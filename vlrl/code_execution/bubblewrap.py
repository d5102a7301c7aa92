"""The command line that puts the box's server into bubblewrap, and whether this host allows it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from vlrl.code_execution.languages import SYSTEM, toolchain_folders
from vlrl.code_execution.sandbox_settings import SandboxSettings
from vlrl.errors import ConfigError

UID = 1000  # inside
UNPRIVILEGED = 65534  # what a trainer that runs as root becomes for its boxes: nobody
INSTALL = (
    "install it: apt-get install bubblewrap libseccomp2 (Debian, Ubuntu), dnf install bubblewrap libseccomp (Fedora); "
    "or run programs elsewhere with sandbox: {isolation: remote, url: …}"
)
ALLOW = (
    "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, or kernel.apparmor_restrict_unprivileged_userns"
    "=0; in a container: --security-opt seccomp=unconfined --security-opt systempaths=unconfined), or run programs "
    "elsewhere with sandbox: {isolation: remote, url: …}"
)
# of toolchains and fonts, for reading
CONFIGURATION = (
    *("/etc/alternatives", "/etc/ld.so.cache", "/etc/php", "/etc/mono"),
    *("/etc/fonts", "/etc/matplotlibrc", "/etc/texmf", "/var/lib/texmf"),
)
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
INSIDE = {name: Path(__file__).parent / "inside" / name for name in ("box_server.py", "cell.py", "job_processes.py")}


def drops_to() -> int | None:
    """The user that boxes run as where the trainer is root; None: its own."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def box_python(settings: SandboxSettings) -> str:
    """The interpreter of the boxes: the named one, the system's, or vlrl's own where the boxes' user may read it.

    Raises ConfigError where there is none.
    """
    if settings.python is not None:
        found = shutil.which(settings.python)
        if found is None:
            raise ConfigError("sandbox, python", f"no program {settings.python!r}", "give the path of a Python ≥ 3.9")
        return found
    for candidate in ("/usr/bin/python3", "/usr/local/bin/python3", os.path.realpath(sys.executable)):
        if os.access(candidate, os.X_OK) and _may_be_read(candidate):
            return candidate
    raise ConfigError("sandbox, python", "no interpreter that the boxes' user may read", "apt-get install python3")


def _may_be_read(program: str) -> bool:
    """Whether the boxes' user reaches it: as root, every folder above has to be open to all."""
    if drops_to() is None:
        return True
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in Path(program).resolve().parents)


def wrapped(command: list[str], files: Mapping[str, int]) -> list[str]:
    """The command inside of bubblewrap; `files` are descriptors of what lies at a path. Raises ConfigError without
    bubblewrap."""
    program = shutil.which("bwrap")
    if program is None:
        raise ConfigError("sandbox", "bubblewrap is missing, which keeps programs of models from this host", INSTALL)
    line = [program, "--unshare-all", "--uid", str(UID), "--gid", str(UID), "--hostname", "sandbox"]
    line += ["--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SETPCAP"]  # to make cells; no program has them
    line += ["--new-session", "--die-with-parent", "--clearenv"]
    for name, value in ENVIRONMENT.items():
        line += ["--setenv", name, value]
    for place in SYSTEM:
        if os.path.islink(place):
            line += ["--symlink", os.readlink(place), place]
        elif os.path.isdir(place):
            line += ["--ro-bind", place, place]
    shown = [*CONFIGURATION, *(str(path) for path in sorted(Path("/etc").glob("java-*")))]
    for place in (*shown, *toolchain_folders(), *_interpreter_folders(command[0])):
        line += ["--ro-bind-try", place, place]
    line += ["--proc", "/proc", "--dev", "/dev", "--dir", "/tmp", "--chdir", "/"]
    for path, descriptor in files.items():
        line += ["--perms", "0444", "--ro-bind-data", str(descriptor), path]
    line += ["--remount-ro", "/dev", "--remount-ro", "/"]
    return [*line, "--", *command]


def _interpreter_folders(program: str) -> list[str]:
    """Where an interpreter that isn't the system's keeps its library."""
    folder = Path(program).resolve().parent.parent
    return [] if str(folder).startswith(SYSTEM) else [str(folder)]


@cache
def refusal() -> tuple[str, str] | None:
    """(what is wrong, what to do) where this host can't isolate programs; None where it can. Tried once."""
    program = shutil.which("bwrap")
    if program is None:
        return "bubblewrap is missing, which keeps programs of models from this host", INSTALL
    line = [program, "--unshare-all", "--uid", str(UID), "--gid", str(UID), "--ro-bind", "/", "/"]
    line += ["--proc", "/proc", "--dev", "/dev", "--", "/bin/true"]
    user = drops_to()
    dropped = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    try:
        tried = subprocess.run(line, capture_output=True, timeout=30, cwd="/", **dropped)  # type: ignore[call-overload]
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap doesn't start: {error}", ALLOW
    if tried.returncode != 0:
        said = tried.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        return f"bubblewrap is not allowed to isolate here: {said[-1]}", ALLOW
    return None
