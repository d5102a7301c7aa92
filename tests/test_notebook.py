"""The shipped notebook runs from its first cell to its last, in a kernel outside of the checkout, and is kept empty."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
SHORT = 'sft_steps, rl_steps, problems = 10, 2, 20\nrun_folder = "runs/short"'


def outputs_of(cell: Any, kind: str) -> list[str]:
    """What a cell shows of a kind: a MIME type, or `text` for what it prints."""
    if kind == "text":
        return [one["text"] for one in cell.outputs if one.output_type == "stream" and one.name == "stdout"]
    return [one.data[kind] for one in cell.outputs if kind in one.get("data", {})]


@pytest.mark.slow
def test_the_notebook_trains_shows_rollouts_with_images_and_evaluates(tmp_path: Path, library, monkeypatch):
    library("ipykernel")
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    notebook = nbformat.read(ROOT / "examples/first_run.ipynb", as_version=4)
    nbformat.validate(notebook)
    (settings,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    names = [line.partition(" =")[0] for line in SHORT.splitlines()]
    assert all(any(line.startswith(name + " =") for line in settings.source.splitlines()) for name in names)
    settings.source = SHORT
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()

    problems, training, curves, rollouts, results = [c for c in notebook.cells if c.cell_type == "code"][2:]
    assert len(outputs_of(problems, "text/markdown")) == 6
    assert outputs_of(problems, "image/png")
    assert len(outputs_of(curves, "image/png")) == 1
    assert len(outputs_of(rollouts, "image/png")) == 2
    shown = "".join(outputs_of(rollouts, "text"))
    assert "step 1, answer" in shown
    assert shown.count("wrong ") + shown.count("right ") == 8
    table = "".join(outputs_of(results, "text"))
    assert [line.split()[:2] for line in table.splitlines()[:-2]] == [
        [stage, modality]
        for stage in ("sft", "rl")
        for modality in ("text", "real", "synthetic", "rendered", "average")
    ]
    assert (tmp_path / "runs/short/report.html").is_file()
    assert (tmp_path / "runs/short/model/config.json").is_file()
    errors = [one for cell in notebook.cells for one in cell.get("outputs", ()) if one.output_type == "error"]
    assert training.execution_count
    assert not errors


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.name)
def test_a_notebook_is_shipped_without_outputs(file: Path):
    assert os.path.getsize(file) < 100_000
    for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
        assert cell["cell_type"] == "markdown" or (cell["outputs"], cell["execution_count"]) == ([], None)
