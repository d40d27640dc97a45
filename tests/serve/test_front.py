"""The service as an application of Serve's, as KubeRay starts it: from the rendered Serve config."""

from __future__ import annotations

import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
import yaml
from ray import serve
from ray.cluster_utils import Cluster

from hairline.cluster.render import render_into
from hairline.serve.front import Front, app

NODES = [{"name": "small", "cpus": 3, "min": 1, "max": 1}]
POOL = {
    "name": "all", "stages": ["filter", "classify", "detect", "coarse", "fine", "products"], "workers": 1,
}  # fmt: skip


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def ready(port: int) -> int:
    try:
        return int(urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10).status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_a_service_that_does_not_start_is_told() -> None:
    with pytest.raises(RuntimeError, match="ended with exit code 7"):
        Front([sys.executable, "-c", "raise SystemExit(7)"], free_port())


def test_the_front_stays_off_the_head_unless_told_otherwise() -> None:
    options = app({"command": ["x"], "port": 1})._bound_deployment.ray_actor_options
    assert options["label_selector"] == {"ray.io/node-group": "!headgroup"} and options["num_cpus"] == 0
    assert (
        "label_selector" not in app({"command": ["x"], "port": 1, "anywhere": True})._bound_deployment.ray_actor_options
    )


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    labels = {"ray.io/node-group": "headgroup"}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, "labels": labels})
    made.add_node(num_cpus=3, labels={"ray.io/node-group": "small"})
    ray.init(address=made.address, log_to_driver=False)
    try:
        yield made
    finally:
        serve.shutdown()
        ray.shutdown()
        made.shutdown()


@pytest.mark.slow
def test_the_rendered_application_answers_and_leaves(cluster: Cluster, tmp_path: Path) -> None:
    port = free_port()
    file = tmp_path / "service.yaml"
    file.write_text(yaml.safe_dump({"pools": [POOL], "nodes": NODES, "port": port}))
    render_into(str(file), [], str(tmp_path / "out"))
    (service,) = yaml.safe_load_all((tmp_path / "out" / "rayservice.yaml").read_text())
    (application,) = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]
    arguments: dict[str, Any] = application["args"]
    command = arguments["command"]
    # here there is no image: the file lies elsewhere, and without a secret there are no keys
    at = command.index("/etc/hairline/service.yaml")
    main = [sys.executable, "-m", "hairline", "serve", str(file), "--host", "127.0.0.1", "--port", str(port)]
    jobs = ["--set", f"jobs.folder={tmp_path}/jobs"]
    assert command[:at] == ["hairline", "serve"]
    environment = ["env", f"RAY_ADDRESS={cluster.address}"]
    serve.start(proxy_location="Disabled")
    running = app({**arguments, "command": [*environment, *main, *jobs]})
    serve.run(running, name=application["name"], route_prefix=None)
    assert ready(port) == 200
    names = serve.status().applications.keys()
    assert {application["name"], "hairline-all"} <= set(names)
    serve.delete(application["name"], _blocking=False)
    deadline = time.monotonic() + 300
    while (ready(port) or len(serve.status().applications)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert ready(port) == 0 and not serve.status().applications
