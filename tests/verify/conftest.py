"""Busy machines are no counterexamples: properties have no deadline, workers a minute of wall clock.

The limit of processor time stays as it is; tests/verify/test_worker_pool.py tests the wall clock on pools of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from vlrl.verify.sandbox.worker_pool import WALL_SECONDS
from vlrl.verify.verifiers.mathematics import pool

settings.register_profile("verify", deadline=None, max_examples=60, derandomize=True)  # the same cases every time
settings.load_profile("verify")


@pytest.fixture(autouse=True, scope="session")
def _patient_workers() -> Iterator[None]:
    pool().wall_seconds = 60.0
    yield
    pool().wall_seconds = WALL_SECONDS
    pool().close()
