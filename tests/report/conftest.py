"""One finished run for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests_report_fakes import write_fake_run


@pytest.fixture(scope="session")
def fake_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; tests read it and write only report.html and run_card.md into it."""
    return write_fake_run(tmp_path_factory.mktemp("runs") / "quickstart")
