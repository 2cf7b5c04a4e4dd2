"""A data set that a Ray cluster of two nodes builds while it loses a worker and then a node."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exposurebench import engine
from exposurebench.errors import MissingError

CLUSTER = """
import json, os, signal, sys, threading, time
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
from exposurebench.errors import InputError
from exposurebench.make_dataset import make_dataset
from exposurebench.recipe import dataset_recipe

out, root, document = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
said = {}

def stopped_worker(node):
    "A worker of a node, stopped in the middle of a task."
    raylet = node.all_processes["raylet"][0].process.pid
    while True:
        for child in Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split():
            name = Path(f"/proc/{child}/cmdline")
            try:
                if name.read_bytes().startswith(b"ray::_do_on_ray"):
                    os.kill(int(child), signal.SIGSTOP)
                    time.sleep(0.05)
                    if name.read_bytes().startswith(b"ray::_do_on_ray"):
                        return int(child)
                    os.kill(int(child), signal.SIGCONT)
            except OSError:
                pass
        time.sleep(0.002)

def markers():
    return len(list(out.glob(".exposurebench/shard-*.json")))

def disturb(cluster, nodes):
    worker = stopped_worker(nodes[0])
    said["shards when a worker is killed"] = markers()
    os.kill(worker, signal.SIGKILL)
    worker = stopped_worker(nodes[1])
    said["shards when a node is killed"] = markers()
    cluster.remove_node(nodes[1], allow_graceful=False)
    os.kill(worker, signal.SIGKILL)

if __name__ == "__main__":
    soon = {"health_check_initial_delay_ms": 500, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": soon})
    try:
        nodes = [cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)]
        thread = threading.Thread(target=disturb, args=(cluster, nodes), daemon=True)
        thread.start()
        make_dataset(dataset_recipe(document), out, root=root, cluster=cluster.address, card=False)
        thread.join(10)
        said["disturbed"] = not thread.is_alive()
        try:
            Path(root, "empty.jpg").touch()
            make_dataset(dataset_recipe(document), out.parent / "b", root=root, cluster=cluster.address, on_error="fail")
        except InputError as error:
            said["refused"] = str(error)
        print(json.dumps(said))
    finally:
        cluster.shutdown()
"""


@pytest.mark.slow
def test_a_worker_and_a_node_are_lost_and_the_bytes_are_those_of_one_process(
    build: Callable[..., Any], write_photographs: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    root, settings = write_photographs(tmp_path / "in", 120, 600, 800), {"tau": "0.3,0.6", "size": 300}
    one = build(tmp_path / "one", root, **settings)
    (tmp_path / "cluster.py").write_text(CLUSTER)
    command = [sys.executable, tmp_path / "cluster.py", tmp_path / "set", root]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    ran = subprocess.run(
        [*command, json.dumps({"source": "folder", **settings})],
        env=environment, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    said = json.loads(ran.stdout.splitlines()[-1])
    assert said["disturbed"]
    assert said["shards when a worker is killed"] < 60
    assert said["shards when a node is killed"] < 60
    assert said["refused"] == "'empty.jpg' is empty (0 bytes); leave it out with --on-error skip"
    files = {
        p.relative_to(one.folder) for p in one.folder.rglob("*") if p.is_file() and ".exposurebench" not in p.parts
    }
    assert len(files) > 300
    for name in files:
        assert (tmp_path / "set" / name).read_bytes() == (one.folder / name).read_bytes(), name


def test_a_machine_without_ray_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingError, match=r"--engine ray needs Ray: pip install 'exposurebench\[cluster\]'"):
        next(engine.run_on_ray(abs, [1], "auto"))


@pytest.mark.slow
def test_an_address_where_no_cluster_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    script = "from exposurebench import engine\nnext(engine.run_on_ray(abs, [1], 'auto'))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environment |= {"RAY_TMPDIR": "/nonexistent", "RAY_ADDRESS": ""}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert "MissingError: no Ray cluster at 'auto' (Could not find any running Ray instance" in ran.stderr
