"""Commands as they are seen from outside of a process, without the seconds that each would spend on imports.

A server, started once a session, has imported what runs need. Each command gets a fork of it: a process of its own with
its arguments, variables, folder and streams, of which nothing comes back but exit code, output and files.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PRELOADED = ["torch", "vlrl.cli", "vlrl.experiments.pipeline.pipeline", "vlrl.training.run"]


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code (minus the number of a signal that ended it) and its output."""

    returncode: int
    stdout: str
    stderr: str


class ForkedCommands:
    """`python …` in forks of a server that has imported PRELOADED."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)

    def __call__(
        self,
        program: str | Path,
        *arguments: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 600,
    ) -> Done:
        """Run a script, or a module (a name without .py) as `python -m` does. Raises TimeoutError after `timeout` s."""
        with tempfile.TemporaryDirectory() as folder:
            streams = [Path(folder) / name for name in ("stdout", "stderr")]
            asked = (str(program), arguments, str(cwd or Path.cwd()), dict(os.environ if env is None else env), streams)
            process = self._context.Process(target=_become, args=asked)
            process.start()
            process.join(timeout)
            if process.exitcode is None:
                process.kill()
                process.join()
                raise TimeoutError(f"{program} {' '.join(arguments)}: still there after {timeout} s")
            return Done(process.exitcode, *(file.read_text() for file in streams))


def _become(
    program: str, arguments: Sequence[str], folder: str, variables: dict[str, str], streams: Sequence[Path]
) -> None:
    """The fork: ends with the exit code that the interpreter would have."""
    for number, file in enumerate(streams, start=1):
        os.dup2(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND), number)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    sys.argv = [program, *arguments]
    code: object = 0
    try:
        if program.endswith(".py"):
            sys.path.insert(0, str(Path(program).parent))
            runpy.run_path(program, run_name="__main__")
        else:
            runpy.run_module(program, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)
