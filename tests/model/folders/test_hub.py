"""Hub ids: what is in the cache loads without network; what isn't is refused in seconds, by every reader."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import datasets
import pytest
from huggingface_hub import constants

from vlrl.data.tables import hub_data
from vlrl.data.tables.hub_data import load_hub_data
from vlrl.errors import ConfigError
from vlrl.model.folders.hub import local_folder
from vlrl.model.load import ModelSettings, load_folder
from vlrl.model.sizes import find_architecture

NAME = "owner/name"
READERS: dict[str, Callable[[], object]] = {
    "model": lambda: local_folder(NAME, "here"),
    "data": lambda: load_hub_data(NAME, None, "here"),
    "stream": lambda: load_hub_data(NAME, None, "here", "train", streaming=True),
}


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def cached(folder: Path, cache: Path) -> Path:
    """The folder as a snapshot of NAME in a hub cache."""
    repository = cache / f"models--{NAME.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    return Path(shutil.copytree(folder, repository / "snapshots" / ("0" * 40)))


@pytest.fixture
def unreached(monkeypatch, tmp_path) -> Path:
    """No hub, and an empty cache."""
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("reader", READERS)
def test_without_network_a_hub_id_is_refused_at_once(unreached, reader):
    began = time.monotonic()
    with pytest.raises(ConfigError, match=f"{NAME} is neither here nor in the cache") as told:
        READERS[reader]()
    assert time.monotonic() - began < 10
    assert told.value.place == "here"
    assert "HF_HOME" in told.value.remedy
    assert not constants.HF_HUB_OFFLINE
    assert not datasets.config.HF_HUB_OFFLINE


@pytest.mark.parametrize("reader", READERS)
def test_a_hub_that_never_answers_costs_its_time_limit_once(unreached, silent, monkeypatch, reader):
    monkeypatch.setattr(constants, "ENDPOINT", silent)
    monkeypatch.setattr(hub_data, "ANSWER_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(ConfigError, match="timed out"):
        READERS[reader]()
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("reader", READERS)
def test_where_the_network_is_forbidden_the_message_says_so(unreached, monkeypatch, reader):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match="HF_HUB_OFFLINE"):
        READERS[reader]()


def test_a_cached_model_is_used_without_network(unreached, model_folders):
    snapshot = cached(model_folders["tiny-qwen3-vl"], unreached)
    assert local_folder(NAME, "model.path") == snapshot
    assert load_folder(NAME, ModelSettings(path=NAME, device="cpu")).context == 160
    assert find_architecture(ModelSettings(path=NAME), list).origin == f"local cache: {NAME}"


def test_half_a_model_in_the_cache_is_not_taken_for_one(unreached, model_folders):
    (cached(model_folders["tiny-qwen3-vl"], unreached) / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=NAME):
        local_folder(NAME, "model.path")
