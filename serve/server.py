"""`hairline serve`: holds Ray and the listening socket, and keeps a front running.

All that changes lives in the front and in the pools' processes. SIGHUP starts a second front from the service file
and the code as they are now; it changes the pools process by process, and when it answers on the same socket the
first one lets its requests end. So neither new weights nor new code cost a request, and what does not start changes
nothing that a client would see.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ..pipeline.machine import place, this_machine
from ..pipeline.session import cluster_nodes, joins_cluster, ray_session
from ..stages.errors import HairlineError
from .keys import Keys, demand_keys
from .service import Service, load_service

START_S = 900.0  # longest that a front and its pools may take to start
TOO_OFTEN_S = 5.0  # a front that ends by itself sooner than this after it answered is not started again
BACKLOG = 512
ENDS = (signal.SIGTERM, signal.SIGINT)
Events = deque[int]  # signals that have come


class Front:
    """One front process."""

    def __init__(
        self, path: str, changes: Sequence[str], listener: socket.socket, address: str, events: Events
    ) -> None:
        """Starts it and waits until it answers.

        Raises:
            HairlineError: it does not.
            KeyboardInterrupt: we are to end meanwhile.
        """
        ready, said = os.pipe()
        command = [sys.executable, "-m", "hairline.serve.front", path, str(listener.fileno()), str(said), *changes]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # its end tells the front that we are gone
            pass_fds=(listener.fileno(), said),
            env={**os.environ, "RAY_ADDRESS": address},
            process_group=0,  # Ctrl-C is for us to pass on
        )
        os.close(said)
        self.started = time.monotonic()
        try:
            self.model = self._wait(ready, events)
        except BaseException:
            self.end(10)
            raise
        finally:
            os.close(ready)
        self.started = time.monotonic()

    def _wait(self, ready: int, events: Events) -> str:
        line = b""
        while not line.endswith(b"\n"):
            if any(event in ENDS for event in events):
                raise KeyboardInterrupt
            if not select.select([ready], [], [], 0.5)[0]:
                if time.monotonic() - self.started > START_S:
                    raise HairlineError(f"the service did not start within {START_S:g} s")
                continue
            part = os.read(ready, 4096)
            if not part:
                raise HairlineError(f"the front ended while it started (exit code {self.process.wait()})")
            line += part
        told = json.loads(line)
        if not told["ready"]:
            raise HairlineError(told["error"])
        return str(told["model"])

    def end(self, seconds: float, replaced: bool = False) -> None:
        """Asks it to go, and waits so long. replaced: a successor answers on the same socket."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM if replaced else signal.SIGINT)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def serve(path: str, changes: Sequence[str], console: Console) -> int:
    """Runs a service until SIGTERM or Ctrl-C.

    Raises:
        HairlineError: a mistake in the file, an address that is taken, or pools that do not fit or start.
    """
    service = load_service(path, changes)
    service.model  # noqa: B018  (finds and checks the weights before anything starts)
    demand_keys(service.host, Keys(Path(service.keys).expanduser()) if service.keys else None)
    nodes = None if joins_cluster() else [this_machine()]
    if nodes:
        place(service.pools, nodes)
    events: Events = deque()
    with _listen(service) as listener, ray_session(nodes[0] if nodes else None):
        import ray

        if nodes is None:
            place(service.pools, cluster_nodes())
        for number in (*ENDS, signal.SIGHUP):
            signal.signal(number, lambda given, _: events.append(given))
        address = ray.get_runtime_context().gcs_address
        front = Front(path, changes, listener, address, events)
        host, port = listener.getsockname()[:2]
        told = f"[{host}]" if ":" in host else host
        console.print(f"http://{told}:{port}  model {front.model}", highlight=False, soft_wrap=True)
        try:
            front = _keep(front, path, changes, listener, address, events, console)
        finally:
            listener.close()
            front.end(service.times.drain + 10)
            if nodes is None:  # a Ray of our own ends with everything in it
                _stop_pools()
    return 0


def _keep(
    front: Front,
    path: str,
    changes: Sequence[str],
    listener: socket.socket,
    address: str,
    events: Events,
    console: Console,
) -> Front:
    """Until it is asked to end: starts a front that died again, and on SIGHUP a new one from what is there now."""
    while True:
        if any(event in ENDS for event in events):
            return front
        if not events:
            if front.process.poll() is None:
                time.sleep(0.2)
                continue
            if time.monotonic() - front.started < TOO_OFTEN_S:
                raise HairlineError(f"the front ended (exit code {front.process.returncode})")
        events.clear()  # several hang-ups are one
        try:
            successor = Front(path, changes, listener, address, events)
        except KeyboardInterrupt:
            return front
        except HairlineError as error:
            console.print(f"not changed: {error}", highlight=False, soft_wrap=True, markup=False)
            continue
        front.end(load_service(path, changes).times.drain + 10, replaced=True)
        front = successor
        console.print(f"model {front.model}", highlight=False)


def _listen(service: Service) -> socket.socket:
    family = socket.AF_INET6 if ":" in service.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((service.host, service.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise HairlineError(f"cannot listen on {service.host}:{service.port}: {error.strerror or error}") from error
    return listener


def _stop_pools() -> None:
    from .pools import stop

    with contextlib.suppress(Exception):  # Ray may be going down already
        stop()
