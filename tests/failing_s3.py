"""A way to an S3 server, on loopback, that fails as it is told: for the tests and for benchmarks/faults.py."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Answer(NamedTuple):
    """An S3 error in place of the server's answer."""

    status: int
    code: str
    text: str = "as told"


class Request(NamedTuple):
    """What was asked: `path` without its query, `key` the access key that signed it, `partial` for a range of bytes."""

    method: str
    path: str
    key: str
    partial: bool = False


class FailingS3:
    """Passes requests on to a server, but for those that it is to answer itself.

    Attributes:
        url: the endpoint.
        rule: asked for each request: an `Answer` to give instead of the server's, or None.
        away: while it is true connections are broken off without an answer.
        flowing: while it is not set requests wait, as if the server stood still.
        asked: the requests so far, also those that were not passed on.
        failed: how many of them were not.
        most: how many were under way at the same time.
    """

    def __init__(
        self, target: str, rule: Callable[[Request], Answer | None] = lambda request: None, host: str = "127.0.0.1"
    ) -> None:
        self.rule, self.away = rule, False
        self.flowing = threading.Event()
        self.flowing.set()
        self.asked: list[Request] = []
        self.failed = self.most = self.busy = 0
        self.lock = threading.Lock()
        to, proxy = urlsplit(target), self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            server_connection: http.client.HTTPConnection | None = None

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                key = self.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
                request = Request(self.command, urlsplit(self.path).path, key, "Range" in self.headers)
                with proxy.lock:
                    proxy.asked.append(request)
                    proxy.busy += 1
                    proxy.most = max(proxy.most, proxy.busy)
                try:
                    proxy.flowing.wait()
                    answer = None if proxy.away else proxy.rule(request)
                    if proxy.away or answer:
                        with proxy.lock:
                            proxy.failed += 1
                    if proxy.away:
                        self.close_connection = True
                    elif answer:
                        self.give_error(answer)
                    else:
                        self.pass_on(body)
                finally:
                    with proxy.lock:
                        proxy.busy -= 1

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any

            def give_error(self, answer: Answer) -> None:
                text = f"<Error><Code>{answer.code}</Code><Message>{answer.text}</Message></Error>".encode()
                self.give(answer.status, [("Content-Type", "application/xml")], b"" if self.command == "HEAD" else text)

            def pass_on(self, body: bytes) -> None:
                if self.server_connection is None:
                    self.server_connection = http.client.HTTPConnection(to.hostname or "", to.port, timeout=60)
                try:
                    self.server_connection.request(self.command, self.path, body, dict(self.headers.items()))
                    answer = self.server_connection.getresponse()
                    data = answer.read()
                except (OSError, http.client.HTTPException):
                    self.server_connection = None
                    self.close_connection = True
                    return
                headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP]
                length = answer.getheader("Content-Length") if self.command == "HEAD" else None
                self.give(answer.status, headers, data, length)

            def give(self, status: int, headers: list[tuple[str, str]], data: bytes, length: str | None = None) -> None:
                self.send_response_only(status)
                for name, value in headers:
                    self.send_header(name, value)
                if status not in (204, 304):
                    self.send_header("Content-Length", length or str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:  # the client left
                    pass
                finally:
                    if self.server_connection:
                        self.server_connection.close()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((host, 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://{host}:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.flowing.set()
        self._server.shutdown()
        self._server.server_close()
