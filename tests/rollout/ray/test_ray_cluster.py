"""Clusters: a node that goes away, a cluster of our own that leaves nothing behind, the user's that is left alone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from ray_cases import LightActor, Prompt, TracedEngineSettings, alive, written
from small_models import fresh

from vlrl.errors import ConfigError, EngineError
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.ray import ray_cluster as clusters
from vlrl.rollout.ray import ray_pool
from vlrl.rollout.ray.ray_cluster import RayCluster, store_bytes
from vlrl.rollout.ray.ray_pool import RayPoolSettings

REQUESTS = [Request(Prompt(f"p{i}"), 1, Sampling(max_tokens=20), i) for i in range(30)]
LAUNCH = Path(__file__).parents[3] / "scripts" / "launch"

# Opens a cluster of its own, says what runs in it, and ends in the way that is asked for.
DRIVER = """
import os, sys, time
from vlrl.rollout.ray.ray_cluster import RayCluster
way, address = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
cluster = RayCluster(address, 100 * 2**20)
ray = cluster.ray
pid, nice = ray.get(ray.remote(lambda: (os.getpid(), os.getpriority(os.PRIO_PROCESS, 0))).remote())
print("started", pid, cluster._folder or "-", ray.cluster_resources().get("object_store_memory", 0), nice, flush=True)
if way == "error":
    raise RuntimeError("as users' code does")
if way == "killed":
    time.sleep(600)
cluster.close()
"""


def gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rsplit(") ", 1)[1].startswith("Z")


def processes_of(folder: str) -> list[int]:
    """Processes that name the folder on their command line: raylet, head, agents."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if folder in (entry / "cmdline").read_text() and not gone(int(entry.name)):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come true"
        time.sleep(0.1)


@pytest.mark.ray
@pytest.mark.slow
def test_a_node_that_goes_away_takes_its_actors_and_nothing_else(ray_cluster, model_folders, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_pool, "RolloutActor", LightActor)
    second = ray_cluster.add_node(num_cpus=1, resources={"second": 1}, object_store_memory=80 * 2**20)
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    engine = TracedEngineSettings(folder=str(tmp_path), seconds=0.1)
    pool = RayPoolSettings(actors=4, engine=engine, cpus_per_actor=0.1).open(loaded)
    try:
        wait_for(lambda: len(alive(tmp_path)) == 4 and pool.generate(REQUESTS) is not None)
        here = set(alive(tmp_path))
        wait = pool._ray.wait
        calls = []

        def losing_a_node(*arguments, **more):
            calls.append(1)
            if len(calls) == 2:
                ray_cluster.remove_node(second, allow_graceful=False)
            return wait(*arguments, **more)

        pool.load_weights(loaded.model.named_parameters(), 1)
        monkeypatch.setattr(pool._ray, "wait", losing_a_node)

        def an_actor_went_with_it():  # its processes end a while after the node's own; answers are right all along
            assert pool.generate(REQUESTS) == [written(request, 1) for request in REQUESTS]
            return here - set(alive(tmp_path))

        wait_for(an_actor_went_with_it)
        assert pool.generate(REQUESTS) == [written(request, 1) for request in REQUESTS]
    finally:
        pool.close()
        # Until the cluster knows that the node is gone it may send actors of the next test there.
        wait_for(lambda: sum(node["Alive"] for node in pool._ray.nodes()) == 1)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("way", ["close", "error", "killed"])
def test_a_cluster_of_our_own_leaves_no_process_and_no_token_behind(ray_cluster, tmp_path, way):
    variables = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    home = tmp_path / "home"
    home.mkdir()
    politely = ["nice", "-n", "3", sys.executable]  # as who starts a run beside other work does
    driver = subprocess.Popen(
        [*politely, "-c", DRIVER, way], stdout=subprocess.PIPE, text=True, env={**variables, "HOME": str(home)}
    )
    assert driver.stdout is not None
    _, pid, folder, store, nice = driver.stdout.readline().split()
    assert abs(float(store) - 100 * 2**20) < 2**20, "the object store is bounded"
    own = os.getpriority(os.PRIO_PROCESS, driver.pid)
    assert int(nice) == own == os.getpriority(os.PRIO_PROCESS, 0) + 3, "actors give way to nothing that we don't"
    assert processes_of(folder)
    if way == "killed":
        driver.send_signal(signal.SIGKILL)
    driver.wait(timeout=120)
    wait_for(lambda: gone(int(pid)) and not processes_of(folder), seconds=60)
    assert not (home / ".ray").exists()
    assert way == "killed" or not Path(folder).exists()


@pytest.mark.ray
@pytest.mark.slow
def test_the_users_cluster_is_joined_and_goes_on(ray_cluster):
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, "close", ray_cluster.address], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[2] == "-"
    nodes = ray_cluster.list_all_nodes()
    assert nodes
    assert all(node.remaining_processes_alive() for node in nodes)
    held = RayCluster(None, 0)  # a connection that this process has is used and left
    held.close()
    assert held.ray.is_initialized()


def test_without_ray_the_error_names_the_extra(monkeypatch, loaded):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match="the extra ray"):
        RayPoolSettings().open(loaded)


def test_an_address_without_a_cluster_is_an_error_that_says_how_to_start_one(monkeypatch):
    class Absent:
        def is_initialized(self):
            return False

        def init(self, **settings):
            raise ConnectionError("nobody there")

    monkeypatch.setattr(clusters, "import_ray", Absent)
    with pytest.raises(EngineError, match=r"no Ray cluster at 'auto': nobody there[\s\S]*ray_head.sh"):
        RayCluster("auto", 0)


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        ({}, None),
        ({"RAY_AUTH_TOKEN": "t"}, "token"),
        ({"RAY_AUTH_TOKEN_PATH": "/file"}, "token"),
        ({"RAY_AUTH_TOKEN": "t", "RAY_AUTH_MODE": "disabled"}, "disabled"),
        ("a file in the home", "token"),
    ],
)
def test_who_joins_a_cluster_sends_the_token_that_there_is(monkeypatch, tmp_path, given, mode):
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    if isinstance(given, str):
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text("t")
        given = {}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    modes = []

    class Joined:
        def is_initialized(self):
            return False

        def init(self, **settings):
            pass

    def import_ray():
        modes.append(os.environ.get("RAY_AUTH_MODE"))  # Ray reads it when it is imported
        return Joined()

    monkeypatch.setattr(clusters, "import_ray", import_ray)
    RayCluster("first:6379", 0)
    assert modes == [mode]


def test_shared_memory_holds_old_and_new_weights_at_once():
    assert store_bytes(10**9, None) == 2_200_000_000 + 256 * 2**20
    assert store_bytes(10**9, 0.5) == 2**29


@pytest.mark.parametrize("script", ["ray_head.sh", "ray_worker.sh", "ray_slurm.sh"])
def test_launch_scripts_stop_at_the_first_error_and_say_what_they_want(script):
    file = LAUNCH / script
    assert "set -euo pipefail" in file.read_text()
    assert os.access(file, os.X_OK)
    subprocess.run(["bash", "-n", str(file)], check=True)


def test_launch_scripts_start_a_head_and_join_it(tmp_path):
    ray = tmp_path / "ray"
    ray.write_text('#!/usr/bin/env bash\necho "ray $*"; echo "token ${RAY_AUTH_TOKEN:-none} ${RAY_AUTH_MODE:-unset}"\n')
    ray.chmod(0o755)
    variables = {"PATH": os.environ["PATH"], "RAY": str(ray), "RAY_PORT": "7000"}
    head = subprocess.run([LAUNCH / "ray_head.sh", "--num-gpus=8"], env=variables, capture_output=True, text=True)
    assert "ray start --head --port=7000 --include-dashboard=false --disable-usage-stats --num-gpus=8" in head.stdout
    token = head.stdout.split("RAY_AUTH_TOKEN=")[1].split()[0]
    assert len(token) == 64
    assert f"export RAY_AUTH_MODE=token RAY_AUTH_TOKEN={token}" in head.stdout
    assert f"token {token} token" in head.stdout
    for given, said in (
        ({"RAY_AUTH_TOKEN": "t"}, "token t token"),
        ({"RAY_AUTH_TOKEN_PATH": "/file"}, "token none token"),
        ({"RAY_AUTH_TOKEN": "t", "RAY_AUTH_MODE": "disabled"}, "token t disabled"),
        ({}, "token none unset"),
    ):
        command = [LAUNCH / "ray_worker.sh", "first:7000"]
        worker = subprocess.run(
            command, env={**variables, "VLRL_RAY_WAIT": "1", **given}, capture_output=True, text=True
        )
        assert worker.stdout.splitlines() == ["ray start --address=first:7000 --disable-usage-stats --block", said]
    none = subprocess.run([LAUNCH / "ray_worker.sh"], env=variables, capture_output=True, text=True)
    assert none.returncode == 2
    assert "HOST:PORT" in none.stderr


# Joins the cluster whose address is given, waits for two nodes, and runs a task on each.
JOINED = """
import sys, time
from vlrl.rollout.ray.ray_cluster import RayCluster
cluster = RayCluster(sys.argv[1], 0)
ray = cluster.ray
while sum(node["Alive"] for node in ray.nodes()) < 2:
    time.sleep(0.2)
where = ray.remote(num_cpus=0)(lambda: ray.get_runtime_context().get_node_id())
nodes = ray.get([where.options(resources={name: 1}).remote() for name in ("first", "second")])
print("nodes", len(set(nodes)))
cluster.close()
"""


@pytest.mark.ray
@pytest.mark.slow
def test_the_launch_scripts_start_a_cluster_that_a_pool_can_join():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="vlrl-ray-") as folder:  # a short path: it holds sockets
        variables = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        variables |= {"HOME": folder, "RAY": str(Path(sys.executable).parent / "ray"), "RAY_PORT": port}
        variables |= {"RAY_AUTH_TOKEN": "0123456789abcdef" * 4, "VLRL_RAY_WAIT": "1"}
        small = ["--num-cpus=1", f"--object-store-memory={80 * 2**20}", "--node-ip-address=127.0.0.1"]
        address = f"127.0.0.1:{port}"
        commands = [
            [LAUNCH / "ray_head.sh", *small, '--resources={"first": 1}', f"--temp-dir={folder}/ray", "--block"],
            [LAUNCH / "ray_worker.sh", address, *small, '--resources={"second": 1}'],
        ]
        started: list[subprocess.Popen[str]] = []
        try:
            for command in commands:
                log = open(f"{folder}/{len(started)}.txt", "w")  # noqa: SIM115
                started.append(subprocess.Popen(command, env=variables, stdout=log, stderr=log, text=True))
                wait_for(lambda log=log: "Ray runtime started" in Path(log.name).read_text())
            joined = subprocess.run(
                [sys.executable, "-c", JOINED, address], env=variables, capture_output=True, text=True, timeout=300
            )
            assert "nodes 2" in joined.stdout, joined.stderr
        finally:
            for process in reversed(started):
                process.terminate()
            for process in started:
                process.wait(timeout=120)
            wait_for(lambda: not processes_of(folder))
