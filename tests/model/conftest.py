"""What two ranks found, for all tests of backends: they are started once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def rank_models(model_folders, tmp_path_factory) -> tuple[Path, ...]:
    """Folders of the models that rank_layouts.py names."""
    from small_models import SHAPE, build_spread

    shape = SHAPE.model_copy(update={"text_layers": 1, "vision_layers": 1})
    shallow = build_spread("tiny-qwen3-vl", tmp_path_factory.mktemp("shallow"), shape=shape)
    return model_folders["tiny-qwen3-vl"], shallow, model_folders["tiny-idefics3"]


@pytest.fixture(scope="session")
def over_two_ranks(library, rank_models, tmp_path_factory) -> Path:
    """The folder with what rank_layouts.py wrote for every variant."""
    from rank_layouts import VARIANTS, write_begun

    library("deepspeed")
    out = tmp_path_factory.mktemp("ranks")
    for name in (name for name, variant in VARIANTS.items() if variant.begun_alone):
        write_begun(out, rank_models, name)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = [str(HERE / "rank_layouts.py"), str(out), *map(str, rank_models), *VARIANTS]
    paths = os.pathsep.join([str(HERE.parents[1]), str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    variables = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    done: Any = subprocess.run([*torchrun, *script], env=variables, capture_output=True, text=True)
    if done.returncode:
        last = "\n".join(file.read_text() for file in sorted(out.glob("at_*")))
        pytest.fail(f"the ranks failed or hung. Where they stood:\n{last}\n{done.stderr[-6000:]}")
    return out
