"""A process that answers on the socket before there is an ingress: that the service is starting.

    python -m hairline.serve.starting SOCKET_FD

A load balancer that asks /healthz in these seconds learns that the process is well, one that asks /readyz that it must
wait, and a client of any other route when to come again. None of them hangs or is refused. It is a process of its own
because what is loaded meanwhile (torch, Ray) would keep a thread from answering, and it imports nothing of that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import subprocess
import sys
import threading

import uvicorn
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from .security import SECURITY, UVICORN

RETRY_S = 5
UPLOAD_S = 5.0  # for an upload to come in before it is turned away: a client that still sends may miss the answer
CONNECTIONS = 200
CLOSE_S = 2
STEP_S = 0.05
LINGER_S = 1.0  # for who has connected and is about to ask: uvicorn would close on them at once
TOLD = {
    "title": "The service is starting",
    "code": "starting",
    "detail": "its models are being loaded; /readyz says when",
}


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    headers = {**SECURITY, "X-Request-Id": secrets.token_hex(8), "Connection": "close"}
    if scope["path"] == "/healthz":
        response = JSONResponse({"status": "ok"}, 200, headers)
    else:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(UPLOAD_S):
                while (await receive()).get("more_body"):
                    pass
        body = {"status": "starting"} if scope["path"] == "/readyz" else {"errors": [TOLD]}
        response = JSONResponse(body, 503, {**headers, "Retry-After": str(RETRY_S)})
    await response(scope, receive, send)


class Server(uvicorn.Server):
    """Answers whoever it has accepted before it goes."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()  # the socket itself stays open in the parent, and with it what waits to be accepted
        for _ in range(int(LINGER_S / STEP_S)):
            await asyncio.sleep(STEP_S)  # before the first look, too: what was just accepted is not listed yet
            if not self.server_state.connections:
                break
        await super().shutdown(sockets)


class Starting:
    """The process, for as long as the block lasts or until `stop`. The socket itself stays open."""

    def __init__(self, listener: socket.socket) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hairline.serve.starting", str(listener.fileno())],
            stdin=subprocess.PIPE,  # its end tells the process that we are gone
            pass_fds=(listener.fileno(),),
            process_group=0,  # Ctrl-C is for us to pass on
        )

    def __enter__(self) -> Starting:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Lets it take no more connections, and waits until its last answer is out."""
        self._process.terminate()
        try:
            self._process.wait(CLOSE_S + 3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def main(arguments: list[str]) -> None:
    """The process. Ends on SIGTERM, or with its parent."""
    config = uvicorn.Config(
        answer,
        http="h11",
        lifespan="off",
        log_level="critical",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=CLOSE_S,
        **UVICORN,
    )
    threading.Thread(target=_end_with_parent, daemon=True).start()
    Server(config).run(sockets=[socket.socket(fileno=int(arguments[0]))])


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
