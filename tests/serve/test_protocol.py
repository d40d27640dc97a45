"""Connections that are no use to anybody: they end by themselves, and are counted."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import uvicorn

from hairline.serve import protocol
from hairline.serve.log import AccessLog
from hairline.serve.metrics import Metrics
from hostile import send

SIZE = 32 << 20  # more than the kernel holds for a connection
PIECE = 256 << 10


class Running:
    """The protocol with an application that sends a lot, in pieces, and notes how many were taken."""

    def __init__(self, log: Path) -> None:
        self.metrics, self.log = Metrics(), log
        self.sent = 0
        context: Any = SimpleNamespace(metrics=self.metrics, log=AccessLog(str(log)))
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        options: Any = {
            "http": partial(protocol.Protocol, context),
            "lifespan": "off",
            "log_config": None,
            "interface": "asgi3",
        }
        self.server = uvicorn.Server(uvicorn.Config(self.app, **options))
        self.thread = threading.Thread(target=asyncio.run, args=(self.server.serve([listener]),))
        self.thread.start()

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        while scope["method"] == "POST" and (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % SIZE)]})
        for start in range(0, SIZE, PIECE):
            await send({"type": "http.response.body", "body": bytes(PIECE), "more_body": start + PIECE < SIZE})
            self.sent += PIECE

    def refused(self, reason: str) -> float:
        return self.metrics.registry.get_sample_value("hairline_refused_total", {"reason": reason}) or 0.0


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(protocol, "STALL_S", 0.5)
    monkeypatch.setattr(protocol, "HEADERS_S", 0.5)
    monkeypatch.setattr(protocol, "CONNECTIONS", 3)
    found = Running(tmp_path / "log")
    yield found
    found.server.should_exit = True
    found.thread.join(20)


def test_who_does_not_take_the_answer_is_cut_off_before_it_is_all_made(running: Running) -> None:
    with socket.socket() as client:
        deadline = time.monotonic() + 20
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", int(running.url.rpartition(":")[2])))
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        while running.refused("slow_reader") == 0:
            sent = running.sent  # after that it goes nowhere
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert 0 < sent < SIZE / 2


def test_who_takes_it_gets_all(running: Running) -> None:
    answer = requests.get(running.url, timeout=60)
    assert answer.status_code == 200 and len(answer.content) == SIZE and running.refused("slow_reader") == 0


def test_half_headers_are_not_waited_for(running: Running) -> None:
    answer = send(running.url, b"GET / HTTP/1.1\r\nHost: a\r\nX-Sl")
    assert answer.status == 0 and running.refused("timeout") == 1
    assert json.loads(running.log.read_text())["code"] == "request_timeout"


def test_connections_beyond_all_places_are_told_so(running: Running) -> None:
    port = int(running.url.rpartition(":")[2])
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
    for each in held:
        each.sendall(b"GET / HTTP/1.1\r\n")
    deadline = time.monotonic() + 10
    while len(running.server.server_state.connections) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    answer = send(running.url, b"")
    assert answer.status == 503 and "retry-after: 5" in answer.head.lower() and "x-request-id" in answer.head.lower()
    assert running.refused("connections") == 1
    for each in held:
        each.close()


@pytest.mark.parametrize(("size", "status"), [(1, 400), (200, 200)])
def test_a_body_in_crumbs_is_refused(size: int, status: int, running: Running) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    crumb = b"%x\r\n" % size + b"a" * size + b"\r\n"
    with socket.create_connection(("127.0.0.1", int(running.url.rpartition(":")[2])), timeout=20) as client:
        client.sendall(head + crumb * 3000 + b"0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 %d" % status)
    assert (running.refused("malformed") == 1) == (status == 400)
