"""One pool of boxes for all tests of this folder."""

from __future__ import annotations

import pytest
from sandbox_fixture import small_pool


@pytest.fixture(scope="session")
def pool():
    """Two boxes with small limits."""
    pool = small_pool()
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
