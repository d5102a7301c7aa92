"""What of a folder goes to the hub: a whole model or a data set, its card, and nothing that names this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vlrl.errors import ConfigError
from vlrl.model.folders.weight_files import missing_files
from vlrl.model.optimization.adapter_files import CONFIG as ADAPTER_CONFIG
from vlrl.report.model_cards.base_model import README
from vlrl.training.lifecycle.config_kinds import run_folder_of

PLACE = "push"
_BASE = "base_model_name_or_path"


@dataclass(frozen=True)
class Parcel:
    """One folder on its way to the hub.

    kind   of the repository
    files  where each lies here, or what it holds instead, by its path in the repository
    """

    folder: Path
    kind: Literal["model", "dataset"]
    files: Mapping[str, Path | bytes]

    @property
    def card(self) -> str:
        """The text of README.md."""
        held = self.files[README]
        return (held.read_bytes() if isinstance(held, Path) else held).decode("utf-8", errors="replace")


def size_of(held: Path | bytes) -> int:
    """Bytes of a file of a parcel."""
    return len(held) if isinstance(held, bytes) else held.stat().st_size


def parcel_of(source: Path, model: str | None = None) -> Parcel:
    """What is pushed of a run (one of its models), a model's folder, or an exported data set.

    Raises ConfigError for a folder that holds neither, lacks files of a model, or has no card.
    """
    folder = folder_of(source, model)
    tables = sorted(folder.glob("data/*.parquet"))
    is_model = (folder / "config.json").is_file()
    if not is_model and not tables:
        raise ConfigError(
            f"{PLACE}, {folder}",
            "holds no model (config.json) and no exported data set (data/*.parquet)",
            "name a run, a model's folder, or a folder that `vlrl data export` wrote",
        )
    if is_model and (missing := missing_files(folder)):
        raise ConfigError(f"{PLACE}, {folder}", f"lacks {', '.join(missing)}", "let its run write it again")
    if not (folder / README).is_file():
        raise ConfigError(
            f"{PLACE}, {folder}",
            f"has no {README}",
            "`vlrl report RUN` writes the card of a run's models; for another model write one yourself",
        )
    found = [file for file in sorted(folder.rglob("*")) if file.is_file() and not _hidden(file.relative_to(folder))]
    files = {file.relative_to(folder).as_posix(): _sent(file) for file in found}
    return Parcel(folder, "model" if is_model else "dataset", files)


def folder_of(source: Path, model: str | None, place: str = PLACE) -> Path:
    """The folder that is meant: as it is given, or of a run one of its models. Raises ConfigError at `place`."""
    folder = run_folder_of(source)
    if not folder.is_dir():
        raise ConfigError(f"{place}, {folder}", "no such folder", "check the path")
    if (folder / "config.json").is_file() or any(folder.glob("data/*.parquet")):
        if model is not None:
            raise ConfigError("--model", f"{folder} is no run", "leave it out")
        return folder
    inside = sorted(file.parent.name for file in folder.glob("model*/config.json"))
    wanted = model or "model"
    if wanted not in inside:
        remedy = f"it has: {', '.join(inside)}" if inside else "train it first, or name a model's folder"
        raise ConfigError(f"{place}, {folder}", f"has no {wanted}/", f"{remedy} (`--model NAME`)" if inside else remedy)
    return folder / wanted


def _hidden(file: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in file.parts)


def _sent(file: Path) -> Path | bytes:
    """The file; of an adapter whose base is a folder of this machine, a configuration with that folder's last names."""
    if file.name != ADAPTER_CONFIG:
        return file
    held = json.loads(file.read_text(encoding="utf-8"))
    base = Path(str(held.get(_BASE) or ""))
    if not base.is_absolute() and not base.is_dir():
        return file
    held[_BASE] = "/".join(base.parts[-2:])
    return (json.dumps(held, indent=2) + "\n").encode()
