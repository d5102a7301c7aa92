"""Which vector instructions of this CPU are used: what a figure of speed needs beside the number of cores."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

FLAGS = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_bf16": "bfloat16", "amx_bf16": "AMX"}  # weakest first
_ONEDNN_LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")


def instruction_set(
    cpuinfo: Path = Path("/proc/cpuinfo"), environment: Mapping[str, str] = os.environ
) -> dict[str, str | list[str]]:
    """What the CPU has, and what PyTorch and oneDNN were told or found to use.

    cpu     names of FLAGS that the processor has; empty where no /proc/cpuinfo says so (macOS, Windows)
    torch   the kernels that PyTorch chose ("DEFAULT", "AVX2", "AVX512" …); absent while torch isn't loaded
    limit   environment variables that forbid instructions, as NAME=value; absent without any
    """
    found: dict[str, str | list[str]] = {"machine": platform.machine(), "cpu": _of_the_cpu(cpuinfo)}
    torch = sys.modules.get("torch")
    if torch is not None:
        found["torch"] = torch.backends.cpu.get_cpu_capability()
    names = ("ATEN_CPU_CAPABILITY", *_ONEDNN_LIMITS, "MKL_ENABLE_INSTRUCTIONS")
    if limits := [f"{name}={environment[name]}" for name in names if environment.get(name)]:
        found["limit"] = limits
    return found


def in_words() -> str:
    """One phrase for the head of a table: `AVX-512, bfloat16, AMX (PyTorch uses AVX512)`."""
    found = instruction_set()
    has = ", ".join(found["cpu"]) or str(found["machine"])
    used = f"PyTorch uses {found['torch']}" if "torch" in found else ""
    said = "; ".join([*([used] if used else []), *found.get("limit", [])])
    return f"{has} ({said})" if said else has


def _of_the_cpu(cpuinfo: Path) -> list[str]:
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    for line in text.splitlines():
        if line.startswith("flags"):
            has = set(line.partition(":")[2].split())
            return [name for flag, name in FLAGS.items() if flag in has]
    return []
