"""A pool of boxes for all tests of this folder; without bubblewrap they are skipped by name, or fail in CI."""

from __future__ import annotations

import os

import pytest

from vlrl.code_execution import bubblewrap, seccomp
from vlrl.code_execution.box_pool import BoxPool
from vlrl.code_execution.sandbox_settings import Limits, SandboxSettings


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


@pytest.fixture(scope="session")
def pool():
    """Two boxes with small limits."""
    require_sandbox()
    limits = Limits(cpu_seconds=2.0, wall_seconds=5.0, memory_mib=256, output_mib=2, disk_mib=16)
    pool = BoxPool(SandboxSettings(boxes=2, limits=limits))
    yield pool
    pool.close()


@pytest.fixture
def run(pool):
    """`run(language, source, stdin)` is how it ended; a language that is missing here skips the test by name."""
    from vlrl.code_execution.outcome import Execution, Program

    def go(language, source, stdin=b"", limits=None):
        program = Program(language, source)
        if program.entry.name in pool.missing():
            pytest.skip(f"{language} is missing: {pool.missing()[program.entry.name]}")
        prepared = pool.prepare(program, limits)
        return prepared if isinstance(prepared, Execution) else prepared.run(stdin)

    return go
