"""What an actor refuses, and a model that its node can't see: RolloutActor in this process, without Ray."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from ray_cases import Prompt, written

from vlrl.config import Settings
from vlrl.errors import EngineError
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.ray.ray_actor import RolloutActor, files_of
from vlrl.rollout.ray.ray_weights import ship

REQUESTS = [Request(Prompt("p"), 1, Sampling(max_tokens=20), 0)]


class Engine:
    """Writes with the version that it was given last, and keeps the weights that it was given."""

    def __init__(self, loaded):
        self.loaded, self.version, self.weights = loaded, 0, {}

    def load_weights(self, weights, version):
        self.weights, self.version = dict(weights), version

    def generate(self, requests):
        return [written(request, self.version) for request in requests]

    def pop_metrics(self):
        return {}

    def sleep(self):
        pass

    wake = close = sleep


class EngineOf(Settings):
    def open(self, loaded):
        return Engine(loaded)


@pytest.fixture(scope="module")
def folder(model_folders):
    return model_folders["tiny-qwen3-vl"]


def model_at(path):
    return {"path": str(path), "dtype": "float32", "device": "cpu", "context": 64}


@pytest.fixture
def actor(folder):
    opened = RolloutActor()
    assert opened.open(model_at(folder), EngineOf(), torch.get_num_threads())
    return opened


def transfer(actor, serial, version, value):
    weights = {name: torch.full(shape, value) for name, shape in actor._shapes.items()}
    shards = []
    manifest, _ = ship(weights.items(), serial, version, 2**14, shards.append)
    assert len(shards) > 2
    return manifest, shards


def damaged(shard):
    name, (shape, dtype, data) = next(iter(shard.tensors.items()))
    changed = data.copy()
    changed[0] ^= 1
    return replace(shard, tensors={**shard.tensors, name: (shape, dtype, changed)})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda new, old: [new[0], damaged(new[1]), *new[2:]], "shard 1: its checksum"),
        (lambda new, old: [*new[:-1], old[-1]], r"is of transfer 1, the others of 2"),
        (lambda new, old: new[:-1], r"shards came, the manifest has"),
    ],
    ids=["damaged", "of two transfers", "one missing"],
)
def test_a_transfer_that_is_not_whole_changes_nothing(actor, spoil, said):
    first, old = transfer(actor, serial=1, version=5, value=0.5)
    second, new = transfer(actor, serial=2, version=6, value=0.25)
    assert actor.load_weights(first, *old) == 1
    with pytest.raises(EngineError, match=said):
        actor.load_weights(second, *spoil(new, old))
    assert all((tensor == 0.5).all() for tensor in actor._engine.weights.values())
    answer = actor.generate(1, REQUESTS)
    assert (answer.serial, answer.version) == (1, 5)
    assert answer.responses == (written(REQUESTS[0], 5),)
    assert actor.load_weights(second, *new) == 2
    assert all((tensor == 0.25).all() for tensor in actor._engine.weights.values())


def test_weights_of_another_model_are_refused_before_the_engine_sees_one(actor):
    shards = []
    manifest, _ = ship([("model.nothing", torch.zeros(1))], 1, 5, 2**20, shards.append)
    with pytest.raises(EngineError, match=r"no parameter 'model.nothing'"):
        actor.load_weights(manifest, *shards)
    assert actor._engine.weights == {}
    assert actor.generate(0, REQUESTS).version == 0


def test_an_actor_answers_with_the_transfer_that_is_asked_for_and_no_other(actor):
    manifest, shards = transfer(actor, serial=3, version=9, value=0.5)
    with pytest.raises(EngineError, match="has weights of transfer 0, asked for 3"):
        actor.generate(3, REQUESTS)
    actor.load_weights(manifest, *shards)
    with pytest.raises(EngineError, match="has weights of transfer 3, asked for 0"):
        actor.generate(0, REQUESTS)
    assert actor.generate(3, REQUESTS).version == 9


def test_a_node_that_does_not_see_the_model_folder_asks_for_its_files_and_opens_the_same_model(actor, folder, tmp_path):
    far, away = RolloutActor(), model_at(tmp_path / "not here")
    threads = torch.get_num_threads()
    assert far.open(away, EngineOf(), threads) is False
    (tmp_path / "model" / "inner").mkdir(parents=True)
    (tmp_path / "model" / "inner" / "note.txt").write_text("kept in its folder")
    files = files_of(folder) | files_of(tmp_path / "model")
    assert files["inner/note.txt"] == b"kept in its folder"
    assert far.open(away, EngineOf(), threads, files) is True
    here, there = (dict(one._engine.loaded.model.named_parameters()) for one in (actor, far))
    assert here.keys() == there.keys()
    assert all(torch.equal(here[name], there[name]) for name in here)
    assert far._engine.loaded.context == 64
    assert far.generate(0, REQUESTS).responses == (written(REQUESTS[0]),)
