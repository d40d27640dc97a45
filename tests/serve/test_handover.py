"""What answers while a service starts, when it hands the socket over."""

from __future__ import annotations

import socket
import threading
import time

from hairline.serve.starting import Starting
from hairline.serve.startup_checks import listen

SOON = 60.0  # seconds; on a machine at rest it is one


def test_who_has_connected_gets_an_answer_while_it_leaves() -> None:
    with listen("127.0.0.1", 0) as listener, Starting(listener) as starter:
        with socket.create_connection(listener.getsockname(), SOON) as first:  # it answers from here on
            first.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
            assert first.recv(64).startswith(b"HTTP/1.1 200")
        clients = [socket.create_connection(listener.getsockname(), SOON) for _ in range(8)]
        time.sleep(0.2)
        leaving = threading.Thread(target=starter.stop)
        leaving.start()
        time.sleep(0.2)
        for client in clients:
            with client:
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
                assert client.recv(64).startswith(b"HTTP/1.1 200")
        leaving.join(SOON)
        assert not leaving.is_alive()
