"""CUDA: driver against torch, what is visible. Asked of torch in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlrl.doctor.finding import Finding, note, ok, problem

ASK = """
import json, torch
cpu = torch.backends.cpu.get_cpu_capability()
held = {"built": torch.version.cuda, "cpu": cpu, "threads": torch.get_num_threads(), "devices": [], "error": None}
try:
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            of = torch.cuda.get_device_properties(i)
            held["devices"].append([of.name, of.total_memory, f"{of.major}.{of.minor}"])
        torch.zeros(8, device="cuda").add_(1).sum().item()
        held["archs"] = torch.cuda.get_arch_list()
except (RuntimeError, AssertionError) as error:
    held["error"] = str(error).splitlines()[0]
print(json.dumps(held))
"""


def ask_torch(timeout: float = 120.0) -> dict[str, Any] | None:
    """What torch says of CPU and devices; None where it can't be imported."""
    try:
        done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, timeout=timeout, check=False)
        return dict(json.loads(done.stdout.splitlines()[-1])) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        return None


def driver_version(file: Path = Path("/proc/driver/nvidia/version")) -> str | None:
    """The version of NVIDIA's kernel driver; None where there is none."""
    found = re.search(r"\b(\d{3}\.\d+(?:\.\d+)?)\b", file.read_text()) if file.is_file() else None
    return found[1] if found else None


def check_cuda(torch: dict[str, Any] | None, driver: str | None) -> Iterator[Finding]:
    """Whether the devices of this host are what torch sees."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if torch is None:
        return
    yield ok("torch on CPU", f"{torch['cpu']}, {torch['threads']} threads")
    built, devices = torch["built"], torch["devices"]
    if driver is None and not devices:
        yield ok("cuda", "no driver, no device: everything runs on the CPU")
    elif built is None:
        yield note(
            "cuda",
            f"driver {driver}, but this torch is built for CPU",
            "scripts/setup cuda, or install a torch for CUDA",
        )
    elif torch["error"]:
        yield problem(
            "cuda",
            f"driver {driver}, torch for CUDA {built}: {torch['error']}",
            "install a torch for this driver and device, or take model.device: cpu",
        )
    elif not devices:
        hidden = f"; CUDA_VISIBLE_DEVICES={visible!r}" if visible is not None else ""
        yield problem(
            "cuda",
            f"driver {driver}, torch for CUDA {built} sees no device{hidden}",
            "a newer driver, an older CUDA build of torch, or another CUDA_VISIBLE_DEVICES",
        )
    else:
        shown = ", ".join(f"{name} ({memory / 2**30:.0f} GiB, {level})" for name, memory, level in devices)
        yield ok("cuda", f"driver {driver}, torch for CUDA {built}: {shown}")
