"""Ray as the command line starts and joins it: what keeps it from that is one line, and soon."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hairline.cluster.join import check_cluster
from hairline.cluster.session import Cluster
from hairline.stages.errors import HairlineError
from kit import hairline, small_disk

REFUSAL = r"hairline: cannot join the Ray cluster at RAY_ADDRESS=[^\n]+\n"
LOOK = """
import json, os, sys
from pathlib import Path
import psutil
from hairline.cluster.nodes import Node
from hairline.cluster.session import Cluster, logs_folder
before = dict(os.environ)
with Cluster(Node(1)).session():
    import ray
    me = psutil.Process()
    facts = {
        "answer": ray.get(ray.remote(lambda: 7).remote()),
        "listens": sorted({c.laddr.ip for p in [me, *me.children(recursive=True)] for c in p.net_connections("tcp")
                           if c.status == "LISTEN"}),
        "logs": [logs_folder(), Path(logs_folder()).is_dir()],
    }
facts["left"] = {name: os.environ.get(name) for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")}
print(json.dumps(facts))
"""


def own_ray(**environment: str) -> dict[str, Any]:
    """What a Ray of our own looks like from inside, in a process of its own."""
    environ = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, env=environ, timeout=200)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_ray_of_our_own_is_nobody_elses(tmp_path: Path) -> None:
    """It listens on loopback, needs no token file and leaves none, and lives with a long temporary folder."""
    home, temporary = tmp_path / "home", tmp_path / ("long" * 30)
    home.mkdir()
    found = own_ray(HOME=str(home), TMPDIR=str(temporary), RAY_TMPDIR="")
    assert found["answer"] == 7
    assert {ip.removeprefix("::ffff:") for ip in found["listens"]} == {"127.0.0.1"}
    assert found["logs"][0].startswith(str(temporary)) and found["logs"][1]
    assert found["left"] == {"RAY_AUTH_MODE": None, "RAY_AUTH_TOKEN": None}
    assert list(home.rglob("*auth_token*")) == []


def join(job: Path, address: str, **environment: str) -> tuple[int, str, float]:
    """`hairline run` at a cluster; returns the exit code, what it said on standard error, and seconds."""
    started = time.monotonic()
    done = hairline("run", job, RAY_ADDRESS=address, **environment)
    assert done.stdout == "" or done.returncode in (0, 3)
    return done.returncode, done.stderr, time.monotonic() - started


def refused(job: Path, address: str, **environment: str) -> str:
    code, said, seconds = join(job, address, **environment)
    assert code == 2 and re.fullmatch(REFUSAL, said), said
    assert seconds < 30
    return said


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.socket() as server:
        server.bind(("", 0))
        server.listen(20)
        held: list[socket.socket] = []

        def take() -> None:
            try:
                while True:
                    held.append(server.accept()[0])
            except OSError:
                pass

        threading.Thread(target=take, daemon=True).start()
        yield server.getsockname()[1]


def test_nobody_at_the_address(job_file: Callable[..., Path], silent: int, tmp_path: Path) -> None:
    job = job_file()
    with socket.socket() as closed:
        closed.bind(("", 0))
        assert "nobody answers there" in refused(job, f"127.0.0.1:{closed.getsockname()[1]}")
    assert "does not answer as Ray does" in refused(job, f"127.0.0.1:{silent}")
    refused(job, "auto", RAY_AUTH_MODE="disabled", RAY_TMPDIR=str(tmp_path))  # whether or not some Ray runs here
    assert not (tmp_path / "out").exists()


def test_a_temporary_folder_without_room(job_file: Callable[..., Path]) -> None:
    with small_disk("200k") as disk:
        done = hairline("run", job_file(), TMPDIR=str(disk), RAY_TMPDIR="")
    assert done.returncode == 2
    told = f"hairline: Ray does not start on this machine: its temporary folder {disk} cannot be written: No space left"
    assert done.stderr.startswith(told) and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("no-such-host.invalid:6379", "nobody answers there"),
        ("no address", "that is no address; give HOST:PORT"),
        ("127.0.0.1", "that is no address"),
        ("127.0.0.1:x", "that is no address"),
        ("127.0.0.1:9", "that is no address"),  # Ray takes no port below 1024
        ("ray://127.0.0.1:10001", "not through Ray Client"),
    ],
)
def test_addresses_that_are_wrong(address: str, message: str) -> None:
    with pytest.raises(HairlineError, match=f"RAY_ADDRESS={re.escape(address)}: .*{re.escape(message)}"):
        check_cluster(address)


def test_local_is_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for address, joins in (("", False), ("local", False), ("auto", True), ("head:6379", True)):
        monkeypatch.setenv("RAY_ADDRESS", address)
        assert (Cluster.of_environment().machine is None) == joins


@pytest.fixture(scope="module")
def head() -> Iterator[str]:
    """The address of a cluster of one node that asks for a token."""
    with tempfile.TemporaryDirectory(prefix="h") as folder:  # short, for its sockets
        yield from run_head(Path(folder))


def run_head(folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray = str(Path(sys.executable).parent / "ray")
    command = [ray, "start", "--head", "--block", f"--port={port}", "--num-cpus=2", "--include-dashboard=false"]
    command += [f"--temp-dir={folder}", "--object-store-memory=100000000", "--disable-usage-stats"]
    environ = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "open-sesame", "HOME": str(folder)}
    with open(folder / "said", "wb") as said:
        process = subprocess.Popen(command, env=environ, stdout=said, stderr=said, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(folder.glob("session_latest/sockets/raylet")):  # the last that it makes
        assert process.poll() is None and time.monotonic() < deadline, (folder / "said").read_text()
        time.sleep(0.2)
    yield f"127.0.0.1:{port}"
    members = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(members, timeout=30)
    process.wait(30)


def test_a_cluster_with_a_token(job_file: Callable[..., Path], head: str, tmp_path: Path) -> None:
    job, home = job_file(), str(tmp_path)
    assert "it asks for a token, and none was sent" in refused(job, head, HOME=home)
    assert "RAY_AUTH_MODE is token, but there is none here" in refused(job, head, HOME=home, RAY_AUTH_MODE="token")
    told = refused(job, head, HOME=home, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="wrong")
    assert "its token is another than the one found here" in told
    right = {"HOME": home, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "open-sesame"}
    code, said, _ = join(job, head, **right)
    assert (code, said) == (0, "")
    relabel(head, right, {"ray_version": "2.1.0", "python_version": "3.9.1"})
    assert "the cluster has Ray 2.1.0 and Python 3.9.1, this environment Ray 2." in refused(job, head, **right)


def relabel(address: str, environment: dict[str, str], versions: dict[str, str]) -> None:
    """Lets a cluster say that it has other versions."""
    code = (
        "import sys; from ray._private import services; from ray._raylet import GcsClient;"
        "client = GcsClient(address=services.canonicalize_bootstrap_address(sys.argv[1]));"
        "client.internal_kv_put(b'CLUSTER_METADATA', sys.argv[2].encode(), True, b'cluster')"
    )
    command = [sys.executable, "-c", code, address, json.dumps(versions)]
    subprocess.run(command, env={**os.environ, **environment}, check=True, timeout=60, capture_output=True)
