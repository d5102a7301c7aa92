"""A model's name as a folder on this machine: a local folder, a snapshot in the hub's cache, or a download of it.

What is in the cache is used as it is, without network. A name that isn't there is asked for once, with the hub's own
time limits, so that a machine without network says so in seconds.
"""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from vlrl.data.tables.hub_data import ask_hub, unreachable
from vlrl.errors import ConfigError
from vlrl.model.folders.weight_files import missing_files

# no second copy of the weights, no code; README.md says the licence
PATTERNS = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", "README.md")


def is_local(path: str) -> bool:
    """Whether a path can only mean this machine. `owner/name` is a hub id, unless a folder `owner` is here."""
    return path.startswith((".", "/", "~")) or path.count("/") != 1 or Path(path).parent.is_dir()


def local_folder(path: str, place: str) -> Path:
    """The folder that holds the files of `path`, downloaded where they aren't here.

    Raises ConfigError at `place`: no such folder, a file, no such model, no network, a gated model.
    """
    if is_local(path):
        folder = Path(path).expanduser()
        if folder.is_dir():
            return folder
        what = "is a file, not a folder" if folder.is_file() else "no such folder"
        raise ConfigError(place, f"{what}: {path}", "give a Hugging Face model folder or a hub id")
    held = cached_folder(path)
    if held is not None and not missing_files(held):
        return held
    return _download(path, place)


def cached_folder(name: str) -> Path | None:
    """The snapshot of a hub id in the cache, whole or not; None where there is none. No network is used."""
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def _download(name: str, place: str) -> Path:
    ask_hub(name, place, "model", LOCAL_MODEL)
    try:
        folder = Path(snapshot_download(name, allow_patterns=list(PATTERNS)))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ConfigError(place, unreachable(name, error), LOCAL_MODEL) from error
    missing = missing_files(folder)
    if missing:  # where the hub is lost on the way, its library returns what there is, were it half a model
        raise ConfigError(
            place, f"{name} has no {missing[0]}, neither in the cache ({folder}) nor on the hub", LOCAL_MODEL
        )
    return folder


LOCAL_MODEL = (
    "give a folder (`model.path=/folder/of/the/model`), or download it where there is network "
    "(`hf download NAME`) and set HF_HOME to the cache that holds it"
)
