"""One Ray cluster for all suites that need one; pools that are opened in this process use it and leave it running."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def ray_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """`ray.cluster_utils.Cluster` with one node, joined by this process. CPUs are plenty: it is for counting only."""
    if importlib.util.find_spec("ray") is None:
        message = "Ray is missing; scripts/test installs it with the extra ray"
        if os.environ.get("VLRL_REQUIRE_SUITES"):
            pytest.fail(message)
        pytest.skip(message)
    from vlrl.rollout.ray.ray_cluster import import_ray, token_without_a_file

    ray = import_ray()
    token_without_a_file()
    here = Path(__file__).parent
    os.environ["PYTHONPATH"] = os.pathsep.join(  # actors import from here, too
        [str(here), str(here.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    # by itself Ray lowers its workers' priority: beside other work they starve
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 (Ray's own spelling)
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 1,
            "resources": {"rollout": 8},
            "object_store_memory": 128 * 2**20,
            "_system_config": {"health_check_period_ms": 500},  # how soon a node that went away is missed
        },
    )
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR", namespace="vlrl")
    yield cluster
    ray.shutdown()
    cluster.shutdown()
