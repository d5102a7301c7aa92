"""A pool of boxes for tests that run programs; without bubblewrap they are skipped by name, or fail in CI."""

from __future__ import annotations

import os

import pytest

from vlrl.code_execution import bubblewrap, seccomp
from vlrl.code_execution.box_pool import BoxPool
from vlrl.code_execution.sandbox_settings import Limits, SandboxSettings

SMALL = Limits(cpu_seconds=2.0, wall_seconds=5.0, memory_mib=256, output_mib=2, disk_mib=16)


def require_sandbox():
    """Skip, or fail where VLRL_REQUIRE_SUITES is set, on a host that can't isolate programs."""
    refused = bubblewrap.refusal()
    message = None if refused is None else f"{refused[0]}: {refused[1]}"
    if message is None and seccomp.library() is None:
        message = "libseccomp2 is missing"
    if message is not None:
        if os.environ.get("VLRL_REQUIRE_SUITES"):
            pytest.fail(message)
        pytest.skip(message)


def small_pool():
    """Two boxes with small limits; the caller closes it."""
    require_sandbox()
    return BoxPool(SandboxSettings(boxes=2, limits=SMALL))
