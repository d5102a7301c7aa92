"""Data sets by hub id: from the cache of `datasets` without network, else from the hub, which is asked once first.

Left to itself the library asks a hub that isn't reached again and again, for minutes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

from vlrl.data.tables.file_text import TEXT_TABLES, kind_of
from vlrl.errors import ConfigError, did_you_mean

TEXT_BUILDERS = ("json", "csv")
ANSWER_SECONDS = 10.0  # what the hub has for its first answer
LOCAL_DATA = "give a file or folder, or load it once where there is network and set HF_HOME to the cache that holds it"


def load_hub_data(path: str, subset: str | None, place: str, split: str | None = None, streaming: bool = False) -> Any:
    """`datasets.load_dataset` of a hub id. What is in the cache is used as it is; a stream is always the hub's.

    Raises ConfigError at `place` where there is no such data set or no network; else what the library raises.
    """
    import datasets

    if not streaming:
        with _offline():
            try:
                return datasets.load_dataset(path, subset, split=split)
            except (OSError, ValueError, datasets.exceptions.DatasetsError):
                pass  # not in the cache, or without this subset: the hub has the last word
    ask_hub(path, place, "dataset", LOCAL_DATA)
    return datasets.load_dataset(path, subset, split=split, streaming=streaming)


def text_files_of(path: str, subset: str, split: str, place: str) -> list[Path] | None:
    """The files of JSON or CSV that a split of a folder or hub id consists of, on this disk; None for other data.

    The library would read them into columns of one type each: 7 beside 7.5 becomes 7.0, "2020-03-02" a time, a key that
    a row lacks null. What is in the library's cache alone has gone through this, and the log says so.

    Raises ConfigError at `place` for a split that there isn't, or where the hub isn't reached; else what the library
    raises.
    """
    import datasets
    from datasets.utils.file_utils import cached_path

    if Path(path).expanduser().is_dir():
        builder = datasets.load_dataset_builder(str(Path(path).expanduser()), subset or None)
    else:
        with _offline():
            try:
                held = datasets.load_dataset_builder(path, subset or None)
            except (OSError, ValueError, datasets.exceptions.DatasetsError):
                held = None
        if held is not None:
            if (held.info.builder_name or "") in TEXT_BUILDERS:
                log.warning("%s: %s comes from a cache that gave each column one type, so 7 may be 7.0", place, path)
            return None
        ask_hub(path, place, "dataset", LOCAL_DATA)
        builder = datasets.load_dataset_builder(path, subset or None)
    config = builder.config
    if builder.name not in TEXT_BUILDERS or getattr(config, "field", None) or getattr(config, "sep", ",") != ",":
        return None
    if split not in config.data_files:
        raise ConfigError(f"{place}, split", f"{path!r} has no split {split!r}", did_you_mean(split, config.data_files))
    files = [str(file) for file in config.data_files[split]]
    if not all(kind_of(Path(file)) in TEXT_TABLES for file in files):
        return None
    return [Path(cached_path(file)) for file in files]


def ask_hub(name: str, place: str, kind: Literal["model", "dataset"], remedy: str) -> None:
    """One request, not repeated: whether the hub has it and lets us read it. Raises ConfigError at `place`.

    remedy  where the hub isn't reached
    """
    try:
        HfApi(endpoint=constants.ENDPOINT).repo_info(name, repo_type=kind, timeout=ANSWER_SECONDS)
    except GatedRepoError as error:
        raise ConfigError(
            place, f"{name} is gated on the hub", "accept its terms there and log in with `hf auth login`"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ConfigError(
            place,
            f"no such file or folder here, and no such {kind} on {constants.ENDPOINT}: {name}",
            f"check the spelling; a private {kind} needs `hf auth login`",
        ) from error
    except Exception as error:  # httpx and its successor have errors of their own for each way to be unreached
        raise ConfigError(place, unreachable(name, error), remedy) from error


log = logging.getLogger(__name__)


@contextmanager
def _offline() -> Iterator[None]:
    """Both libraries without network, as with HF_HUB_OFFLINE=1."""
    import datasets

    before = datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before


def unreachable(name: str, error: BaseException) -> str:
    """One line that says why the hub didn't give `name`."""
    cause = error.__cause__ or error
    text = " ".join(str(cause).split())[:160] or type(cause).__name__
    if constants.HF_HUB_OFFLINE:
        return f"{name} is neither here nor in the cache, and HF_HUB_OFFLINE forbids the network"
    return f"{name} is neither here nor in the cache, and {constants.ENDPOINT} gave: {text}"
