"""Data sets by hub id: from the cache of `datasets` without network, else from the hub, which is asked once first.

Left to itself the library asks a hub that isn't reached again and again, for minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

from vlrl.errors import ConfigError

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
