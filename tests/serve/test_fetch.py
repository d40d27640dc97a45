"""Fetching by URL, against a server on loopback that one exception names; nothing else is ever connected to."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest

from hairline.configs.network import FetchLimits
from hairline.serve.fetch import FetchError, fetch
from hairline.stages.errors import PictureError

BODY = bytes(range(256)) * 40


class Handler(BaseHTTPRequestHandler):
    """Answers by path; `/to/URL` redirects there."""

    seen: list[str]

    def do_GET(self) -> None:
        type(self).seen.append(self.path)
        match self.path.split("/")[1]:
            case "ok":
                self._send(200, BODY)
            case "to":
                self._send(302, b"", Location=unquote(self.path.removeprefix("/to/")))
            case "nowhere":
                self._send(302, b"")
            case "status":
                self._send(int(self.path.split("/")[2]), b"not this")
            case "long":  # says nothing of its length
                self.send_response(200)
                self.end_headers()
                for _ in range(40):
                    self.wfile.write(BODY)
            case "lies":
                self._send(200, BODY, **{"Content-Length": "999999999999"})
            case "short":
                self._send(200, BODY, **{"Content-Length": str(len(BODY) + 9)})
            case "gzip":
                self._send(200, BODY, **{"Content-Encoding": "gzip"})
            case "slow":
                self.send_response(200)
                self.end_headers()
                for _ in range(2000):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.05)
            case "cookie":
                self._send(200, str(self.headers.get("Cookie")).encode(), **{"Set-Cookie": "a=b"})

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # the client has seen enough
            super().handle()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    Handler.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def get(url: str, port: int = 0, **limits: Any) -> bytes:
    allow = [f"127.0.0.1:{port}"] if port else []
    return asyncio.run(fetch(url, FetchLimits(**{"allow": allow, "seconds": 5, **limits})))


def refusal(url: str, port: int = 0, **limits: Any) -> str:
    with pytest.raises(FetchError) as caught:
        get(url, port, **limits)
    assert isinstance(caught.value, PictureError)
    assert caught.value.detail and "\n" not in caught.value.detail
    return caught.value.reason


def test_a_file_comes_as_it_is(port: int) -> None:
    assert get(f"http://127.0.0.1:{port}/ok", port) == BODY
    assert get(f"  http://127.0.0.1:{port}/ok#part ", port) == BODY
    assert get(f"http://127.0.0.1:{port}/to//to//to//ok", port) == BODY  # relative redirects, three


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0x0.0x0.0x1", "0x7f.1", "0177.0.0.01"),
        *("017700000001", "127.000.000.001", "0", "0.0.0.0", "localhost", "LOCALHOST", "①②⑦.⓪.⓪.①", "127。0。0。1"),
        *("169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "10.1", "192.168.257", "172.16.1"),
        *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]"),
        *("[2002:7f00:1::]", "[fe80::1]", "[fd00:ec2::254]", "[0:0:0:0:0:ffff:a9fe:a9fe]", "[ff02::1]"),
    ],
)
def test_no_notation_of_an_inner_address_is_reached(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    monkeypatch.setattr("hairline.serve.fetch.socket", SimpleNamespace(socket=lambda *a: opened.append(a)))
    assert refusal(f"http://{host}/") in ("refused_url", "invalid_url")
    assert refusal(f"https://{host}:443/latest/meta-data/") in ("refused_url", "invalid_url")
    assert not opened  # not even a socket


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        *((url, "invalid_url") for url in ("", "a", "/etc/passwd", "file:///etc/passwd", "ftp://127.0.0.1/x")),
        *((url, "invalid_url") for url in ("gopher://127.0.0.1:80/_x", "data:image/png;base64,AA", "http:///x")),
        *((url, "invalid_url") for url in ("http://", "http:x", "//127.0.0.1/", "http://127%2e0%2e0%2e1/")),
        *((url, "invalid_url") for url in ("http://[::1", "http://[fe80::1%25lo]/", "http://exa mple/", "http://h:x/")),
        *((url, "invalid_url") for url in ("http://a\\@127.0.0.1/", "http://x\r\nHost: y/", "http://h\x00/", "http://h:99999/")),
        *((url, "invalid_url") for url in ("http://-x/", "http://../", "http://" + "a" * 5000, "jar:http://h!/", "s3://b/k")),
        ("http://" + "a" * 64 + ".org/", "invalid_url"),
        *((url, "refused_url") for url in ("http://u:p@127.0.0.1/", "http://u@127.0.0.1/", "http://8.8.8.8@127.0.0.1/")),
    ],
)  # fmt: skip
def test_other_urls_are_refused(url: str, reason: str) -> None:
    assert refusal(url) == reason


def test_a_trailing_dot_changes_nothing() -> None:
    for host in ("127.0.0.1.", "localhost.", "2130706433."):  # some resolvers take them for unknown names
        assert refusal(f"http://{host}/") in ("refused_url", "invalid_url", "fetch")


def test_only_the_named_port_is_open(port: int) -> None:
    assert refusal(f"http://127.0.0.1:{port}/ok", port + 1) == "refused_url"
    assert refusal("http://8.8.8.8:22/") == "refused_url"
    assert refusal(f"http://8.8.8.8:{port}/", port) == "refused_url"  # the exception's port is open there alone


@pytest.mark.parametrize(
    "location",
    [
        *("http://169.254.169.254/latest/", "http://127.0.0.1/", "http://[::1]/", "//10.0.0.1/x", "http://0x7f.1/"),
        *("https://192.168.0.1/", "http://localhost:22/", "file:///etc/passwd", "gopher://x/", "http://u:p@8.8.8.8/"),
    ],
)
def test_redirects_are_judged_like_the_first_url(location: str, port: int) -> None:
    assert refusal(f"http://127.0.0.1:{port}/to/{location}", port) in ("refused_url", "invalid_url")
    assert len(Handler.seen) == 1


def test_redirects_end(port: int) -> None:
    assert refusal(f"http://127.0.0.1:{port}/to/to//to//to//ok", port) == "fetch"
    assert len(Handler.seen) == 4
    assert refusal(f"http://127.0.0.1:{port}/to//ok", port, redirects=0) == "fetch"


def test_a_name_that_changes_its_answer_is_judged_each_time(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["127.0.0.1", "10.0.0.1"])
    asked = []

    async def rebinding(_: Any, host: str, port: int, **more: Any) -> list[tuple[Any, ...]]:
        address = host if host[0].isdigit() else next(answers)
        asked.append(address)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", rebinding)
    assert refusal(f"http://rebind.example:{port}/to//ok", port) == "refused_url"
    assert asked == ["127.0.0.1", "10.0.0.1"]  # one question a hop: what was checked is what was connected to
    assert len(Handler.seen) == 1


@pytest.mark.parametrize("mixed", [["10.0.0.1", "8.8.8.8"], ["127.0.0.1", "10.0.0.1"]])
def test_a_name_with_an_inner_address_in_front(mixed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def several(_: Any, host: str, port: int, **more: Any) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (a, port)) for a in mixed]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", several)
    assert refusal("http://two.example/") == "refused_url"


@pytest.mark.parametrize(
    ("path", "reason", "limits"),
    [
        ("nowhere", "fetch", {}),
        ("status/404", "fetch", {}),
        ("status/500", "fetch", {}),
        ("status/206", "fetch", {}),
        ("long", "too_many_bytes", {"max_bytes": 100_000}),
        ("lies", "too_many_bytes", {}),
        ("short", "fetch", {}),
        ("gzip", "fetch", {}),
        ("slow", "fetch", {"seconds": 0.5}),
    ],
)
def test_answers_that_are_not_taken(path: str, reason: str, limits: dict[str, Any], port: int) -> None:
    started = time.monotonic()
    assert refusal(f"http://127.0.0.1:{port}/{path}", port, **limits) == reason
    assert time.monotonic() - started < 30  # the slow answer takes more than three times as long


def test_nothing_is_kept_between_requests(port: int) -> None:
    assert get(f"http://127.0.0.1:{port}/cookie", port) == b"None"
    assert get(f"http://127.0.0.1:{port}/cookie", port) == b"None"


def test_a_server_that_is_not_there(port: int) -> None:
    with socket.socket() as closed:  # bound, so that nobody else takes the port, and not listening
        closed.bind(("127.0.0.1", 0))
        free = closed.getsockname()[1]
        assert refusal(f"http://127.0.0.1:{free}/", free) == "fetch"


def test_a_proxy_of_the_environment_is_not_used(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    assert refusal("http://169.254.169.254/", port) == "refused_url"
    assert Handler.seen == []
