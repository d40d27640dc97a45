"""`hairline serve`: holds Ray and the listening socket, and keeps an ingress running.

All that changes lives in the ingress and in the pools' processes. SIGHUP starts a second ingress from the service file
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
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ..configs.documents import read_config
from ..stages.errors import HairlineError
from .starting import Starting
from .startup_checks import address, check_folders, jobs_are_taken, listen_early

if TYPE_CHECKING:
    from ..cluster.session import Cluster
    from ..configs.service import Service

START_S = 900.0  # longest that an ingress and its pools may take to start
TOO_OFTEN_S = 5.0  # an ingress that ends by itself sooner than this after it answered is not started again


class Signals:
    """What signals asked for. Plain flags, for a handler may run between any two steps of who reads them.

    Attributes:
        end: SIGTERM or SIGINT has come.
        change: SIGHUP has come since this was last set to false.
    """

    def __init__(self) -> None:
        """Listens from now on; call it in the main thread."""
        self.end = self.change = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(self, "end", True))
        signal.signal(signal.SIGHUP, lambda *_: setattr(self, "change", True))


class IngressProcess:
    """One ingress process.

    Attributes:
        model: fingerprint of what it was started with.
        drain: seconds that it lets its requests have when it ends.
        pools: the names of the pools that it sends pictures to.
    """

    def __init__(self, path: str, changes: Sequence[str], listener: socket.socket, head: str, signals: Signals) -> None:
        """Starts it and waits until it answers.

        Raises:
            HairlineError: it does not.
            KeyboardInterrupt: we are to end meanwhile.
        """
        ready, said = os.pipe()
        command = [sys.executable, "-m", "hairline.serve.ingress", path, str(listener.fileno()), str(said), *changes]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # its end tells the ingress that we are gone
            pass_fds=(listener.fileno(), said),
            env={**os.environ, "RAY_ADDRESS": head},
            process_group=0,  # Ctrl-C is for us to pass on
        )
        os.close(said)
        self.started = time.monotonic()
        try:
            told = self._wait(ready, signals)
            self.model, self.drain = str(told["model"]), float(told["drain"])
            self.pools = frozenset(map(str, told["pools"]))
        except BaseException:
            self.end(10, signal.SIGTERM)  # it has no handler yet: an end without a word
            raise
        finally:
            os.close(ready)
        self.started = time.monotonic()

    def _wait(self, ready: int, signals: Signals) -> dict[str, Any]:
        line = b""
        while not line.endswith(b"\n"):
            if signals.end:
                raise KeyboardInterrupt
            if not select.select([ready], [], [], 0.5)[0]:
                if time.monotonic() - self.started > START_S:
                    raise HairlineError(f"the service did not start within {START_S:g} s")
                continue
            part = os.read(ready, 4096)
            if not part:
                raise HairlineError(f"the ingress ended while it started (exit code {self.process.wait()})")
            line += part
        told: dict[str, Any] = json.loads(line)
        if not told["ready"]:
            raise HairlineError(told["error"])
        return told

    def end(self, seconds: float, how: signal.Signals = signal.SIGINT) -> None:
        """Asks it to go, and waits so long. how: SIGTERM if a successor answers on the same socket."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(how)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def serve(path: str, changes: Sequence[str], console: Console) -> int:
    """Runs a service until SIGTERM or Ctrl-C.

    Args:
        console: is told the address and the model once requests are answered, and of every change after that. That it
            starts is told on standard error.

    Raises:
        HairlineError: a mistake in the file, an address that is taken, a folder that cannot be written, or pools that
            do not fit or start.
    """
    with contextlib.ExitStack() as stack:
        listener = listen_early(read_config(path, changes))
        if listener:
            starting = stack.enter_context(Starting(stack.enter_context(listener)))
        service, cluster = _checked(path, changes)
        assert listener, "an address that is wrong has been told of"
        _tell_of_the_start(service, path, address(listener))
        return _serve(service, path, changes, listener, starting, cluster, console)


def _checked(path: str, changes: Sequence[str]) -> tuple[Service, Cluster]:
    """The service of a file, and where its pools are to run."""
    from ..cluster.placement import allocate  # takes seconds, for it brings torch
    from ..cluster.session import Cluster
    from ..configs.service import load_service

    service = load_service(path, changes)
    service.model  # noqa: B018  (finds and checks the weights before anything starts)
    cluster = Cluster.of_environment()
    if cluster.machine:
        allocate(service.pools, cluster.nodes, one_card=True)
    check_folders(service)
    return service, cluster


def _serve(
    service: Service,
    path: str,
    changes: Sequence[str],
    listener: socket.socket,
    starting: Starting,
    cluster: Cluster,
    console: Console,
) -> int:
    from ..cluster.placement import allocate

    with cluster.session():
        import ray

        if not cluster.machine:
            nodes, at_most = cluster.room(service.nodes)
            allocate(service.pools, nodes, at_most=at_most, one_card=True)
        signals = Signals()
        head = ray.get_runtime_context().gcs_address
        ingress = IngressProcess(path, changes, listener, head, signals)
        starting.stop()
        console.print(f"{address(listener)}  model {ingress.model}", highlight=False, soft_wrap=True)
        try:
            ingress = _keep(ingress, path, changes, listener, head, signals, console)
        finally:
            listener.close()
            ingress.end(ingress.drain + 10)
            if not cluster.machine:  # a Ray of our own ends with everything in it
                _stop_pools()
    return 0


def _tell_of_the_start(service: Service, path: str, url: str) -> None:
    pools = "; ".join(f"{pool.name}: {', '.join(pool.stages)}" for pool in service.pools)
    print(f"hairline: starting {Path(path).name} on {url}, loading {pools}", file=sys.stderr, flush=True)
    if jobs_are_taken(service):
        folder = Path(service.jobs.folder).expanduser().absolute()
        told = f"jobs.folder {folder}: another service works on it, so there are no jobs here until that ends"
        print(f"hairline: {told}", file=sys.stderr, flush=True)


def _keep(
    ingress: IngressProcess,
    path: str,
    changes: Sequence[str],
    listener: socket.socket,
    head: str,
    signals: Signals,
    console: Console,
) -> IngressProcess:
    """Until it is asked to end: starts an ingress that died again, and on SIGHUP a new one from what is there now."""
    while True:
        if signals.end:
            return ingress
        if not signals.change:
            if ingress.process.poll() is None:
                time.sleep(0.2)
                continue
            if time.monotonic() - ingress.started < TOO_OFTEN_S:
                raise HairlineError(f"the ingress ended (exit code {ingress.process.returncode})")
        signals.change = False  # several hang-ups are one
        try:
            successor = IngressProcess(path, changes, listener, head, signals)
        except KeyboardInterrupt:
            return ingress
        except HairlineError as error:
            console.print(f"not changed: {error}", highlight=False, soft_wrap=True, markup=False)
            continue
        ingress.end(ingress.drain + 10, signal.SIGTERM)
        _retire(ingress.pools - successor.pools)
        ingress = successor
        console.print(f"model {ingress.model}", highlight=False)


def _retire(pools: frozenset[str]) -> None:
    """Pools that nobody sends pictures to any more would hold their cores for ever."""
    if pools:
        from .pools import retire

        with contextlib.suppress(Exception):  # what stays is idle
            retire(pools)


def _stop_pools() -> None:
    from .pools import stop

    with contextlib.suppress(Exception):  # Ray may be going down already
        stop()
