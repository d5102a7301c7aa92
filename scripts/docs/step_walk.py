"""What a step of reinforcement learning enters, found by running one: how much of vlrl a reader has to know.

    python scripts/docs/step_walk.py          # examples/one_rl_step.py, as docs/one_step.md tells it
    python scripts/docs/step_walk.py --run    # the RL stage of the quickstart with one step, as `vlrl run` makes it

Counted is all that is entered: an upper bound, in which checks and properties stand beside the way itself.
docs/one_step.md names the way; tests/test_one_step.py holds its calls against these.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any
from unittest import mock

ROOT = Path(__file__).parents[2]
PASSED_OVER = ("<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>", "<lambda>", "<module>")


@dataclass
class Walk:
    """What was entered, in the order in which it was first.

    calls  by (module, function) the functions that it calls, others than vlrl's left out in between
    made   dataclasses of vlrl of which an instance was made, by name
    """

    calls: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=dict)
    made: dict[str, None] = field(default_factory=dict)

    @property
    def functions(self) -> list[tuple[str, str]]:
        """All that vlrl entered, `__init__` of dataclasses left out."""
        return [one for one in self.calls if one[0].startswith("vlrl") and not one[1].startswith("__create_fn__")]

    @property
    def modules(self) -> list[str]:
        """Those of the functions."""
        return list(dict.fromkeys(module for module, _ in self.functions))

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Within the block every call is noted."""
        before = sys.getprofile()
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(before)

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        if event != "call" or (called := named(frame)) is None or not called[0].startswith("vlrl"):
            return
        if called[1].startswith("__create_fn__") and "self" in frame.f_locals:
            self.made[type(frame.f_locals["self"]).__name__] = None
        by, caller = frame.f_back, None
        while by is not None and (caller := named(by)) is None:
            by = by.f_back
        self.calls.setdefault(called, [])
        if caller is not None and called not in self.calls.setdefault(caller, []):
            self.calls[caller].append(called)


def named(frame: FrameType) -> tuple[str, str] | None:
    """(module, qualified name) of a function of vlrl or of an example; None for others, and for parts of one."""
    module, name = frame.f_globals.get("__name__", ""), frame.f_code.co_qualname
    if not module.startswith(("vlrl", "one_rl_step")) or name.endswith(PASSED_OVER):
        return None
    return module, name


def module_at(path: Path) -> ModuleType:
    """A file as a module by its own name."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def walk_example(model: str | None = None) -> Walk:
    """examples/one_rl_step.py, without the loading of its model."""
    example, walk = module_at(ROOT / "examples/one_rl_step.py"), Walk()
    with mock.patch.object(example, "load_model", unnoted(example.load_model)), walk.noting():
        example.one_rl_step(model)
    return walk


def unnoted(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, of whose calls none is noted."""

    def called(*given: Any, **settings: Any) -> Any:
        before = sys.getprofile()
        sys.setprofile(None)
        try:
            return function(*given, **settings)
        finally:
            sys.setprofile(before)

    return called


def walk_run() -> Walk:
    """The RL stage of a quickstart with one step, from a model that has learned nothing.

    Its groups aren't informative, and would be left out of an update; here they run.
    """
    from vlrl.training import run

    walk, run_rl = Walk(), run.WORK["rl"]

    def noted(session: Any) -> Any:
        with walk.noting():
            return run_rl(session)

    small = {"threads": 1, "sft.steps": 1, "rl.steps": 1, "rl.problems_per_step": 4, "rl.skip_uninformative": "false"}
    small |= {"eval.problems": 4, "eval.curve_problems": 4}
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(run.WORK, rl=noted):
        run.start_run(
            ROOT / "configs/quickstart.yaml",
            [f"{name}={value}" for name, value in {**small, "run_folder": f"{folder}/run"}.items()],
        )
    return walk


def main() -> None:
    """Prints what was entered, by module, and how much that is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="store_true", help="the stage of a run, with all that surrounds the step")
    walk = walk_run() if parser.parse_args().run else walk_example()
    for module in walk.modules:
        print(f"{module}: {', '.join(name for of, name in walk.functions if of == module)}")
    print(f"made: {', '.join(walk.made)}")
    print(f"{len(walk.modules)} modules, {len(walk.functions)} functions, {len(walk.made)} types of which one was made")


if __name__ == "__main__":
    main()
