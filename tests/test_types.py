"""The package has types, and they fit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_types_of_the_package_fit():
    """A minute of a processor where nothing is cached: here, beside tests that wait, rather than before all of them."""
    pytest.importorskip("mypy")
    done = subprocess.run([sys.executable, "-m", "mypy", "vlrl"], cwd=TOP, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
