"""How long a mixture over a large parquet table takes to start, and what memory it takes.

    nice -n 19 python scripts/bench/rows.py --rows 1000000

Every case runs in a process of its own. Seconds are from the recipe's settings to the first 32 problems, imports not
counted: processor time and wall-clock; memory is what the process holds then, over what it held after its imports.
"cold" converts the parquet file to Arrow first, as the first run on a machine does; "warm" finds that done.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

MAX_SECONDS, MAX_MB = 2.0, 300.0
KINDS = ("text", "images by path")
ONE_START = """
import json, resource, sys, time
import datasets, pyarrow.compute, pyarrow.parquet
import vlrl.data.tables.row_source
from vlrl.data.mixture import Mixture
from vlrl.data.recipe import Recipe

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024

source = {"name": "rows", "kind": "file", "path": sys.argv[1], "modality": sys.argv[2], "verifier": "number"}
before, cpu, wall = resident(), time.process_time(), time.monotonic()
mixture = Mixture(Recipe.model_validate({"sources": [source]}), 0)
started = time.process_time() - cpu, time.monotonic() - wall
drawn = len(mixture.draw(32))
seconds = time.process_time() - cpu
print(json.dumps({"cpu": started[0], "wall": started[1], "drawn_cpu": seconds, "mb": resident() - before,
    "rows": mixture.sources[0].size, "drawn": drawn}))
"""


def write_table(path: Path, rows: int, with_images: bool) -> None:
    """A parquet table of short questions, four to an image where there are any; the images are one small file."""
    import pyarrow
    import pyarrow.parquet
    from PIL import Image

    columns = {
        "question": [f"What is {i} + {i * 7 % 1000}? Give a whole number." for i in range(rows)],
        "answer": [str(i + i * 7 % 1000) for i in range(rows)],
    }
    if with_images:
        columns["images"] = [[f"p/{i // 4 % 1000:03d}/../../image.png"] for i in range(rows)]
        (path.parent / "p").mkdir()
        for i in range(1000):
            (path.parent / "p" / f"{i:03d}").mkdir()
        Image.new("RGB", (32, 32), "red").save(path.parent / "image.png")
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def start(path: Path, modality: str, cache: Path) -> dict[str, float]:
    """The figures of one start in a process of its own."""
    environment = {**os.environ, "HF_DATASETS_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", ONE_START, str(path), modality]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print the table; exit code 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    print(f"{rows:,} rows; bars: {MAX_SECONDS:g} s, {MAX_MB:g} MB")
    print("| table | start | processor seconds | wall-clock seconds | with 32 draws, processor | MB over imports |")
    print("|---|---|---|---|---|---|")
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            place = Path(folder) / kind.replace(" ", "_")
            place.mkdir()
            write_table(place / "rows.parquet", rows, kind != "text")
            for heat in ("cold", "warm", "warm"):
                found = start(place / "rows.parquet", "text" if kind == "text" else "real", place / "cache")
                assert found["drawn"] == 32
                assert 0.7 * rows < found["rows"] < 0.9 * rows, "a tenth is held out for each of two splits"
                missed |= found["cpu"] >= MAX_SECONDS or found["mb"] >= MAX_MB
                cells = [f"{found[key]:.2f}" for key in ("cpu", "wall", "drawn_cpu")]
                print(f"| {kind} | {heat} | {' | '.join(cells)} | {found['mb']:.0f} |", flush=True)
    raise SystemExit(1 if missed else 0)


if __name__ == "__main__":
    main()
