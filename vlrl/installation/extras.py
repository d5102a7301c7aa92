"""How an extra is installed: the one text of all errors, right for a checkout and for a wheel."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import vlrl
from vlrl.errors import ConfigError
from vlrl.installation.shipped import root


def checkout() -> Path | None:
    """The folder of the checkout that this package is run from; None for an installed package."""
    package = Path(vlrl.__file__).resolve().parent
    return package.parent if root() == package.parent and (package.parent / "pyproject.toml").is_file() else None


def install(extra: str) -> str:
    """The command that adds an extra to this installation, from any folder: `pip install 'vlrl[ray]'`."""
    place = checkout()
    return f"pip install 'vlrl[{extra}]'" if place is None else f"pip install -e '{place}[{extra}]'"


def install_vllm() -> str:
    """How vLLM comes here: its CPU build is put together by a script of the checkout, the one for CUDA is an extra."""
    place = checkout()
    for_cpu = "scripts/setup vllm in a checkout of vlrl" if place is None else f"{place / 'scripts/setup'} vllm"
    return f"{for_cpu} (CPU), {install('vllm')} (CUDA)"


def require_library(library: str | None, remedy: str, place: str) -> None:
    """Raises ConfigError where a library that a setting asks for isn't installed. Looks, but imports nothing."""
    if library is not None and importlib.util.find_spec(library) is None:
        raise ConfigError(place, f"{library!r} is not installed", remedy)
