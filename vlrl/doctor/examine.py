"""`vlrl doctor [CONFIG]`: all findings in order, as a table or as JSON. Works where torch can't be imported."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from vlrl.config import apply_overrides, read_yaml
from vlrl.doctor.devices import ask_torch, check_cuda, driver_version
from vlrl.doctor.finding import Finding, problem
from vlrl.doctor.machine import (
    allowed_cores,
    check_folders,
    check_instructions,
    check_memory,
    check_open_files,
    check_sandbox_memory,
    check_shared_memory,
    check_threads,
)
from vlrl.doctor.media import check_fonts, check_images, check_processors, check_programs
from vlrl.doctor.of_config import check_config
from vlrl.doctor.packages import check_imports, check_pairs, check_python, check_requirements
from vlrl.doctor.surroundings import check_data, check_hub, check_trackers, hub_folder


def examine(config: Path | None, overrides: Sequence[str] = (), with_step: bool = True) -> Iterator[Finding]:
    """Findings about this host, then about a config on it."""
    values = {} if config is None else apply_overrides(read_yaml(config), overrides)
    threads = values.get("threads")
    yield check_python()
    yield from check_requirements()
    yield from check_pairs()
    imports = list(check_imports())
    yield from imports
    loads = not any(one.level == "problem" for one in imports)
    yield check_instructions()
    yield check_threads(threads if isinstance(threads, int) else None, allowed_cores())
    yield check_memory()
    yield check_sandbox_memory()
    yield check_shared_memory(needed_by=[name for name in ("ray", "vllm") if find_spec(name) is not None])
    yield check_open_files()
    run_folder = Path(str(values.get("run_folder") or "runs"))
    yield from check_folders(
        {"run folder": run_folder, "hub cache": hub_folder(), "temporary files": Path(tempfile.gettempdir())}
    )
    yield from check_cuda(ask_torch(), driver_version())
    yield from check_images()
    yield check_processors()
    yield check_fonts()
    yield from check_programs()
    yield check_hub()
    yield from check_data()
    yield from check_trackers(values.get("tracker", "none"))
    if config is not None and loads:
        yield from check_config(config, overrides, with_step)
    elif config is not None:
        yield problem("config", "wasn't looked at: a library that it needs can't be loaded", "mend that first")


def print_examination(config: Path | None, overrides: Sequence[str], as_json: bool, with_step: bool) -> int:
    """Print the findings as they come; 0 where none is a problem, else 1."""
    found: list[Finding] = []
    for one in examine(config, overrides, with_step):
        found.append(one)
        if not as_json:
            print(line_of(one), flush=True)
    counts = Counter(one.level for one in found)
    if as_json:
        print(json.dumps({"findings": [one.record() for one in found], "problems": counts["problem"]}, indent=1))
    else:
        print(f"{counts['ok']} ok, {counts['note']} notes, {counts['problem']} problems")
    sys.stdout.flush()
    return 1 if counts["problem"] else 0


def line_of(found: Finding) -> str:
    """`problem  torch: what was found` and the remedy on a line of its own."""
    return f"{found.level:<8} {found.name}: {found.said}" + (f"\n           → {found.remedy}" if found.remedy else "")
