"""A model's name as a folder on this machine: a local folder, a snapshot in the hub's cache, or a download of it.

What is in the cache is used as it is, without network. A name that isn't there is asked for once, with the hub's own
time limits, so that a machine without network says so in seconds.
"""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from vlrl.errors import ConfigError
from vlrl.model.weight_files import missing_files

PATTERNS = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")  # no second copy of the weights, no code
ANSWER_SECONDS = 10.0  # what the hub has for its first answer


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
    try:
        folder = Path(
            snapshot_download(
                name, allow_patterns=list(PATTERNS), etag_timeout=min(ANSWER_SECONDS, constants.HF_HUB_ETAG_TIMEOUT)
            )
        )
    except HFValidationError as error:
        raise ConfigError(place, f"no such folder, and no hub id: {name!r}", "give a folder or owner/name") from error
    except GatedRepoError as error:
        raise ConfigError(
            place, f"{name} is gated on the hub", "accept its terms there and log in with `hf auth login`"
        ) from error
    except RepositoryNotFoundError as error:
        raise ConfigError(
            place,
            f"no such folder here and no such model on {constants.ENDPOINT}: {name}",
            "check the spelling; a private model needs `hf auth login`",
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ConfigError(place, unreachable(name, error), LOCAL_REMEDY) from error
    missing = missing_files(folder)
    if missing:  # without network the hub's library returns what the cache holds, were it half a model
        raise ConfigError(
            place, f"{name} has no {missing[0]}, neither in the cache ({folder}) nor on the hub", LOCAL_REMEDY
        )
    return folder


LOCAL_REMEDY = (
    "give a folder (`model.path=/folder/of/the/model`), or download it where there is network "
    "(`hf download NAME`) and set HF_HOME to the cache that holds it"
)


def unreachable(name: str, error: BaseException) -> str:
    """One line that says why the hub didn't give `name`."""
    reason = error.__cause__ or error
    text = " ".join(str(reason).split())[:160] or type(reason).__name__
    if constants.HF_HUB_OFFLINE:
        return f"{name} is not in the cache {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE forbids the network"
    return f"{name} is no folder, not in the cache {constants.HF_HUB_CACHE}, and {constants.ENDPOINT} gave: {text}"
