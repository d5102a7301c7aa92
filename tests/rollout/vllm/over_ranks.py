"""A rank of several with vLLM, whose answers `test_vllm_ranks.py` looks at. Arguments: model folder, results."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
from small_models import ask, encode, fresh, prompts

from vlrl import dist
from vlrl.errors import EngineFailedError
from vlrl.model.optimization.lora import plain_weights
from vlrl.rollout.distributed_engine import open_engine
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.vllm.vllm_settings import VllmEngineSettings

SETTINGS = {"max_num_seqs": 32, "max_num_batched_tokens": 512, "cache_gib": 0.03}


def asked(loaded, k=1, **sampling):
    """Text, one and several images, as the test of one process asks too."""
    encoded = encode(loaded, *[ask(*pieces) for pieces in prompts()])
    return [Request(one, k, Sampling(**{"max_tokens": 10, **sampling}), i) for i, one in enumerate(encoded)]


def change(model):
    """Other weights, drawn whole and the same on every rank."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            factor = 1 + 0.2 * torch.randn(tuple(parameter.shape), generator=generator)
            if isinstance(parameter, DTensor):
                factor = distribute_tensor(factor, parameter.device_mesh, parameter.placements)
            parameter.mul_(factor)


def weights(loaded):
    shards = loaded.shards
    return plain_weights(loaded.model, loaded.model.named_parameters() if shards is None else shards.weights())


def break_one(engine, times):
    """The engine of the last rank, which may have been asked for nothing, fails at the end of its next calls."""
    own, left = engine._own, [times if dist.rank() == dist.world() - 1 else 0]
    plain = own._generate

    def answers(*given):
        done = plain(*given)
        if left[0]:
            left[0] -= 1
            raise RuntimeError("it broke")
        return done

    own._generate = answers


def opened(loaded, tensor_parallel):
    """Ends instead of sleeping; one failure is mended."""
    return open_engine(VllmEngineSettings(**SETTINGS, tensor_parallel_size=tensor_parallel, sleep="restart"), loaded)


def main(folder: Path, results: Path) -> None:
    """One engine a rank through all of its life, then one engine of all ranks; at the end a rank is killed."""
    dist.start(patience_minutes=5)
    loaded, found = fresh(folder, in_shards=True), {}
    greedy = asked(loaded, temperature=0.0)
    engine = opened(loaded, 1)
    found["one request"] = engine.generate(greedy[:1])  # the first call of all, without a request for most ranks
    found["greedy"] = engine.generate(greedy)
    found["sampled"], found["sampled again"] = (engine.generate(asked(loaded, k=3)) for _ in range(2))
    break_one(engine, times=1)
    found["replaced"] = engine.generate(greedy)
    found["restarts"] = engine.pop_metrics()["colocated/restarts"]
    engine.sleep()
    change(loaded.model)
    total = torch.tensor([float(dist.rank())])
    torch.distributed.all_reduce(total)
    found["added up while it slept"] = float(total)
    engine.wake()
    engine.load_weights(weights(loaded), 5)
    found["restarted"] = engine.generate(greedy)
    break_one(engine, times=1)
    engine._own._settings = engine._own._settings.model_copy(update={"restarts": 0})
    try:
        engine.generate(greedy)
    except EngineFailedError as error:
        found["failed"] = str(error)
    engine.close()
    together = opened(loaded, dist.world())
    found["together"] = together.generate(greedy)
    change(loaded.model)
    together.load_weights(weights(loaded), 6)
    found["refreshed"] = together.generate(greedy)
    torch.save(found, results / f"rank_{dist.rank()}.pt")
    (results / f"process_{dist.rank()}").write_text(str(os.getpid()))
    dist.barrier()
    if dist.rank() == dist.world() - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    together.generate(greedy)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
