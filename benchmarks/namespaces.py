"""Hosts of a Ray cluster on one Linux machine: each with an address, a network device and processes of its own.

A host is a network namespace that a pair of devices ties to a bridge, with one process that is number 1 in a process
namespace: `ray start --block`. Killing that kills all of the host at once, as pulling its plug would. A host whose
process ends is started again, as Kubernetes does with a pod. Nothing of it reaches the network of the machine: the
bridge has no way out. Needs root.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psutil

ROOT = Path(__file__).parents[1]
PORT = 6379
START_S = 120.0  # longest that a node may take to come up
AGAIN_S = 5.0  # until a host that has ended is started again
RAY = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # as urgent as anything else here
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_enable_metrics_collection": "0",
    "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
}
ASK = """
import json, ray
ray.init(log_to_driver=False, logging_level=50)
print(json.dumps([node["NodeName"] for node in ray.nodes() if node["Alive"]]))
"""


def sh(command: str) -> None:
    """Runs a command of the system. Raises CalledProcessError: it failed."""
    subprocess.run(command.split(), check=True, capture_output=True, text=True, timeout=30)


class Host:
    """One host.

    Attributes:
        address: its IP address.
        supposed: whether it is to be started again when it ends.
    """

    def __init__(self, hosts: Hosts, number: int) -> None:
        self.name, self.address = f"{hosts.prefix}-{number}", f"{hosts.subnet}.{number}"
        self.is_head, self.supposed = number == 1, False
        self._hosts, self._device = hosts, f"{hosts.prefix}v{number}"
        self.process: subprocess.Popen[bytes] | None = None
        sh(f"ip netns add {self.name}")
        sh(f"ip link add {self._device} type veth peer name eth0 netns {self.name}")
        sh(f"ip link set {self._device} master {hosts.bridge} up")
        for each in (f"addr add {self.address}/24 dev eth0", "link set eth0 up", "link set lo up"):
            sh(f"ip -n {self.name} {each}")
        sh(f"ip -n {self.name} route add unreachable default")

    def start(self) -> None:
        """Starts its Ray node."""
        folder = f"{self._hosts.folder}/{self.name[-1]}"
        ray = [str(Path(sys.executable).parent / "ray"), "start", "--block", "--disable-usage-stats", "--num-cpus=1"]
        ray += [f"--node-ip-address={self.address}", f"--temp-dir={folder}", "--object-store-memory=100000000"]
        ray += [f"--node-name={self.name}"]
        head = f"{self._hosts.subnet}.1:{PORT}"
        ray += ["--head", f"--port={PORT}", "--include-dashboard=false"] if self.is_head else [f"--address={head}"]
        inner = f"mount -t proc proc /proc; hostname {self.name}; exec {' '.join(ray)}"
        outer = f"setpriv --pdeathsig KILL ip netns exec {self.name}"
        outer += " unshare --mount --uts --pid --fork --kill-child=KILL sh -c"
        with open(f"{folder}.log", "ab") as log:
            self.process = subprocess.Popen(
                [*outer.split(), inner], stdin=-3, stdout=log, stderr=log, env=self._hosts.environ, cwd="/"
            )
        self.supposed = True

    @property
    def init(self) -> psutil.Process | None:
        """Its first process, as the machine sees it."""
        with suppress(psutil.NoSuchProcess, IndexError):
            return psutil.Process(self.process.pid).children()[0] if self.process else None
        return None

    def processes(self) -> list[psutil.Process]:
        init = self.init
        with suppress(psutil.NoSuchProcess):
            return [init, *init.children(recursive=True)] if init else []
        return []

    def workers(self) -> list[psutil.Process]:
        """Processes of Hairline's pools that run here."""
        found = []
        for each in self.processes():
            with suppress(psutil.NoSuchProcess):
                found += [each] if "MapWorker" in " ".join(each.cmdline()) else []
        return found

    def kill(self) -> None:
        """Ends it as a power failure would."""
        if init := self.init:
            init.kill()
        if self.process:
            self.process.wait(30)

    def cut(self, off: bool) -> None:
        """Cuts its network, or joins it again."""
        sh(f"ip link set {self._device} {'down' if off else 'up'}")

    def command(self, command: list[str], **environment: str) -> subprocess.Popen[str]:
        """Starts a command on it, as somebody does who is logged in there."""
        init = self.init
        assert init is not None, f"{self.name} is down"
        enter = ["nsenter", f"--target={init.pid}", "--mount", "--uts", "--net", "--pid", *command]
        environ = {**self._hosts.environ, "RAY_ADDRESS": f"{self._hosts.subnet}.1:{PORT}", **environment}
        return subprocess.Popen(enter, stdin=-3, stdout=-1, stderr=-1, text=True, env=environ, cwd="/")


class Hosts:
    """A bridge with hosts, the first of which is the head of a Ray cluster. Use it as a context.

    Attributes:
        prefix: of all that it makes; two of other numbers can be there at the same time.
        address: of the machine itself, as the hosts reach it.
    """

    def __init__(self, count: int = 3, number: int = 0) -> None:
        self.prefix, self.subnet = f"hlh{number}", f"10.213.{number}"
        self.bridge, self.address = f"{self.prefix}br", f"{self.subnet}.254"
        clean(number)
        self.environ = {**os.environ, **RAY, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.folder = tempfile.mkdtemp(prefix="hlh")  # a short path, for Ray's sockets
        self.all: list[Host] = []
        self._over = threading.Event()
        self._number = number
        try:
            sh(f"ip link add {self.bridge} type bridge")
            sh(f"ip addr add {self.address}/24 dev {self.bridge}")
            sh(f"ip link set {self.bridge} up")
            self.all = [Host(self, 1 + i) for i in range(count)]
        except BaseException:
            clean(number)
            raise
        self._tending = threading.Thread(target=self._tend, daemon=True)

    @property
    def head(self) -> Host:
        return self.all[0]

    def __enter__(self) -> Hosts:
        self._tending.start()
        for host in self.all:
            host.supposed = True
        self.wait()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._tending.join()
        for host in self.all:
            host.kill()
        clean(self._number)
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait(self) -> None:
        """Until all of them are in the cluster. Raises TimeoutError."""
        until, last = time.monotonic() + START_S, ""
        while time.monotonic() < until:
            with suppress(AssertionError, subprocess.TimeoutExpired, json.JSONDecodeError):
                asked = self.head.command([sys.executable, "-c", ASK])
                try:
                    said, last = asked.communicate(timeout=40)
                finally:
                    kill(asked)
                if set(json.loads(said or "[]")) == {host.name for host in self.all}:
                    return
            time.sleep(1)
        raise TimeoutError(f"the hosts are not up after {START_S:g} s: {last[-2000:]}")

    def _tend(self) -> None:
        """Starts what is supposed to run; the thread that does so must live as long as they do (PR_SET_PDEATHSIG)."""
        while not self._over.wait(0.2):
            for host in self.all:
                if host.supposed and (host.process is None or host.process.poll() is not None):
                    if host.process is not None and self._over.wait(AGAIN_S):
                        return
                    host.start()


def kill(command: subprocess.Popen[str]) -> None:
    """Kills what `Host.command` has started: nsenter's child. Without effect where that has ended."""
    with suppress(psutil.NoSuchProcess):
        for each in psutil.Process(command.pid).children():
            each.kill()


def clean(number: int = 0) -> None:
    """Removes what an earlier one of this number has left: its processes, namespaces and devices."""
    prefix = f"hlh{number}"
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.split()
    for name in [each for each in listed if each.startswith(f"{prefix}-")]:
        pids = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout.split()
        for pid in map(int, pids):
            with suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()
        psutil.wait_procs([psutil.Process(int(pid)) for pid in pids if psutil.pid_exists(int(pid))], timeout=10)
        sh(f"ip netns del {name}")
    for device in psutil.net_if_addrs():
        if device == f"{prefix}br" or device.startswith(f"{prefix}v"):
            with suppress(subprocess.CalledProcessError):  # it went with its namespace
                sh(f"ip link del {device}")
