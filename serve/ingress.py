"""The ingress: a process that deploys the pools and answers on a socket that it was given.

    python -m hairline.serve.ingress SERVICE.yaml SOCKET_FD READY_FD [a.b=c …]

It is started by `server.py`, joins the Ray at RAY_ADDRESS, and writes one line to READY_FD when it answers, or when
it cannot. On SIGTERM (a successor answers) and SIGINT (none does) it takes no new connections, lets what is inside
end, and goes. The end of its standard input, with which its parent goes, counts as SIGINT.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from ..cluster.placement import allocate
from ..cluster.session import Cluster
from ..configs.service import Service, load_service
from ..stages.errors import HairlineError
from .app import build
from .context import ServiceContext
from .keys import Keys, demand_keys
from .memory import room
from .protocol import Protocol
from .security import UVICORN
from .startup_checks import check_folders

LINGER_S = 3.0  # for kept connections, whose next answer tells the client to open a new one
HEADER_BYTES = 32 << 10


class Server(uvicorn.Server):
    """Says when it is ready, and goes in two steps."""

    def __init__(self, config: uvicorn.Config, context: ServiceContext, ready_fd: int) -> None:
        super().__init__(config)
        self.context, self._ready_fd = context, ready_fd
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin.fileno(), self._parent_gone)
        drain = self.context.service.times.drain
        pools = [pool.name for pool in self.context.service.pools]
        report(self._ready_fd, {"ready": True, "model": self.context.model, "drain": drain, "pools": pools})

    def handle_exit(self, sig: int, frame: Any) -> None:
        if self.context.draining:
            return
        if self._loop is None:
            self.should_exit = True
        else:
            linger = LINGER_S if sig == signal.SIGTERM else 0.0
            self._loop.call_soon_threadsafe(self._leave, self._loop, linger)

    def _leave(self, loop: asyncio.AbstractEventLoop, linger: float) -> None:
        self.context.left.set()
        for server in self.servers:
            server.close()  # the socket itself stays open in the parent, and with it what waits to be accepted
        loop.call_later(linger, setattr, self, "should_exit", True)

    def _parent_gone(self) -> None:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        self.handle_exit(signal.SIGINT, None)


def report(fd: int, facts: dict[str, Any]) -> None:
    """One line to who started us."""
    os.write(fd, json.dumps(facts).encode() + b"\n")
    os.close(fd)


def _refuse(ready_fd: int, error: str) -> int:
    with contextlib.suppress(OSError):  # closed: it had been ready
        report(ready_fd, {"ready": False, "error": " ".join(error.split())})
    return 2


def serve(service: Service, cluster: Cluster, listener: socket.socket, ready_fd: int) -> None:
    """Deploys and answers until SIGTERM. Raises HairlineError: the pools do not start."""
    from . import pools

    keys = Keys(Path(service.keys).expanduser()) if service.keys else None
    demand_keys(service.host, keys)
    check_folders(service)
    nodes, at_most = cluster.room(service.nodes)
    # before anything is started that does not fit
    placements = allocate(service.pools, nodes, at_most=at_most, one_card=True)
    pixels = room(service, placements, pools.memory())
    context = ServiceContext(service, pools.Pools(service, pools.deploy(service, placements), pixels), keys)
    config = uvicorn.Config(
        build(context),
        http=partial(Protocol, context),  # type: ignore[arg-type]
        lifespan="on",
        log_level="error",
        h11_max_incomplete_event_size=HEADER_BYTES,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=int(service.times.drain),
        **UVICORN,
    )
    Server(config, context, ready_fd).run(sockets=[listener])


def main(arguments: list[str]) -> int:
    """The process: 0 it has drained, 2 it could not start."""
    path, socket_fd, ready_fd, *changes = arguments
    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger(__package__).setLevel(logging.WARNING)
    try:
        service = load_service(path, changes)
        cluster = Cluster.of_environment()
        with cluster.session():
            serve(service, cluster, socket.socket(fileno=int(socket_fd)), int(ready_fd))
    except HairlineError as error:
        return _refuse(int(ready_fd), str(error))
    except KeyboardInterrupt:  # asked to go while it started
        return 1
    except Exception as error:  # code of the user's, such as a stage, may raise whatever it likes
        return _refuse(int(ready_fd), f"the service does not start: {type(error).__name__}: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
