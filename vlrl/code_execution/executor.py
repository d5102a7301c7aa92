"""One place for all programs of a run: `executor()` is made once, from the settings that `configure` was given."""

from __future__ import annotations

import atexit
import threading

from vlrl.code_execution.box_pool import BoxPool, check_host
from vlrl.code_execution.drawing import DrawingSandbox
from vlrl.code_execution.outcome import Executor
from vlrl.code_execution.remote.remote_executor import RemoteExecutor
from vlrl.code_execution.sandbox_settings import SandboxSettings

_settings = SandboxSettings()
_made: tuple[SandboxSettings, Executor] | None = None
_drawings: tuple[SandboxSettings, DrawingSandbox] | None = None
_lock = threading.Lock()


def configure(settings: SandboxSettings) -> None:
    """How programs run from here on."""
    global _settings
    _settings = settings


def make(settings: SandboxSettings) -> Executor:
    """An executor of its own; the caller closes it. Raises ConfigError where the host or the service refuses."""
    if settings.url is not None:
        return RemoteExecutor(settings)
    return BoxPool(settings)


def executor() -> Executor:
    """The run's executor. Raises ConfigError where the host can't isolate, with what to install."""
    global _made
    with _lock:
        if _made is None or _made[0] != _settings:
            if _made is not None:
                _made[1].close()
            _made = (_settings, make(_settings))
        return _made[1]


def drawing_sandbox() -> DrawingSandbox:
    """What draws the run's drawings. Raises ConfigError where they can't be drawn as programs are run."""
    global _drawings
    with _lock:
        if _drawings is None or _drawings[0] != _settings:
            if _drawings is not None:
                _drawings[1].close()
            _drawings = (_settings, DrawingSandbox(_settings, _programs))
        return _drawings[1]


def _programs() -> BoxPool:
    made = executor()
    assert isinstance(made, BoxPool)  # a remote service draws nothing: `DrawingSandbox.check`
    return made


def check() -> None:
    """Raises ConfigError where programs can't be run as configured; starts nothing that stays."""
    if _settings.url is None:
        check_host(_settings)
    else:
        executor()


def close() -> None:
    """Ends the run's executor and what draws its drawings, where they were made."""
    global _made, _drawings
    with _lock:
        if _drawings is not None:
            _drawings[1].close()
            _drawings = None
        if _made is not None:
            _made[1].close()
            _made = None


atexit.register(close)
