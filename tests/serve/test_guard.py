"""Whose names, pages and proxies the service believes."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from starlette.datastructures import Headers

from hairline.serve.guard import Guard, resolve_client
from hostile import send
from serve_kit import Server, photo

EVIL = "http://evil.example"


def refusal(guard: Guard, method: str = "POST", **headers: str) -> str:
    found = guard.refusal(method, Headers({name.replace("_", "-"): value for name, value in headers.items()}))
    return found.code if found else ""


OPEN = Guard(needs_key=False, hosts=(), origins=())
NAMED = Guard(needs_key=False, hosts=("cut.example.org",), origins=("https://shop.example",))


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1", "127.8.8.8:1", "[::1]", "[::1]:8000"),
        *("", "[0:0:0:0:0:0:0:1]:80"),
    ],
)
def test_names_of_this_machine(host: str) -> None:
    assert refusal(OPEN, host=host) == ""


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "evil"),
        *("0.0.0.0", "192.168.0.4:8000", "[::]", "localhost@evil.example", "localhost:80:80", "evil.example/localhost"),
        *("127.0.0.1#", "[::1", "localhost:999999", " ", "2130706433", "cut.example.org"),
    ],
)
def test_other_names_are_refused(host: str) -> None:
    for method in ("GET", "POST"):
        assert refusal(OPEN, method, host=host) == "forbidden_host"


def test_names_that_the_service_file_lists() -> None:
    assert refusal(NAMED, host="cut.example.org:443") == refusal(NAMED, host="Cut.Example.ORG.") == ""
    assert refusal(NAMED, host="x.cut.example.org") == "forbidden_host"
    assert refusal(NAMED, host="cut.example.org", origin="https://cut.example.org") == ""
    assert refusal(NAMED, host="127.0.0.1:8000", origin="https://cut.example.org") == ""  # a proxy that puts in its own
    assert refusal(NAMED, host="localhost", origin="https://shop.example", sec_fetch_site="cross-site") == ""
    assert refusal(NAMED, host="localhost", origin="http://shop.example") == "forbidden_origin"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": EVIL},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://localhost:3000"},  # another program of this machine
        {"origin": "http://localhost:8000.evil.example"},
        {"origin": "http://["},
        {"origin": "file://localhost:8000"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "Same-Site"},
    ],
)
def test_what_other_pages_send_is_refused(headers: dict[str, str]) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "FOO"):
        assert refusal(OPEN, method, host="localhost:8000", **headers) == "forbidden_origin"
    assert refusal(OPEN, "GET", host="localhost:8000", **headers) == ""  # a link may lead here; what comes is not shown


@pytest.mark.parametrize("name", ["origin", "sec-fetch-site"])
def test_of_a_header_that_comes_twice_each_must_be_ours(name: str) -> None:
    ours, other = {"origin": ("http://localhost:8000", EVIL), "sec-fetch-site": ("same-origin", "cross-site")}[name]
    for values, code in (((ours, other), "forbidden_origin"), ((other, ours), "forbidden_origin"), ((ours, ours), "")):
        raw = [(b"host", b"localhost:8000"), *((name.encode(), value.encode()) for value in values)]
        found = OPEN.refusal("POST", Headers(raw=raw))
        assert (found.code if found else "") == code


def test_an_origin_without_a_name_is_nobody() -> None:
    assert refusal(OPEN, host="", origin="http://") == "forbidden_origin"


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": "http://localhost:8000", "sec_fetch_site": "same-origin"}, {"sec_fetch_site": "none"}],
)
def test_the_own_page_and_programs_may_send(headers: dict[str, str]) -> None:
    assert refusal(OPEN, host="localhost:8000", **headers) == ""


def test_with_keys_names_count_only_where_they_are_listed() -> None:
    keyed = Guard(needs_key=True, hosts=(), origins=())
    assert refusal(keyed, host="evil.example", origin=EVIL) == ""
    listed = Guard(needs_key=True, hosts=("cut.example.org",), origins=())
    assert refusal(listed, host="evil.example") == "forbidden_host"
    assert refusal(listed, host="cut.example.org", origin=EVIL) == ""


def test_prometheus_asks_by_a_pods_address() -> None:
    guard = Guard(needs_key=True, hosts=("cut.example.org",), origins=(), keyed=("/metrics",))
    pod = Headers({"host": "10.0.3.7:8000"})
    assert guard.refusal("GET", pod, "/metrics") is None
    for path in ("/v1/products", "/metrics/", "/"):
        found = guard.refusal("GET", pod, path)
        assert found and found.code == "forbidden_host"


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "DELETE"])
def test_a_running_service_is_not_reached_under_another_name(method: str, service: Server) -> None:
    head = f"{method} /v1/products HTTP/1.1\r\nHost: evil.example\r\nX-Request-Id: rebound\r\n\r\n"
    answer = send(service.url, head.encode(), half_close=True)
    assert answer.status == 403 and "x-request-id: rebound" in answer.head.lower()
    assert b"evil" not in answer.body


def test_a_running_service_refuses_other_pages_and_says_so(service: Server) -> None:
    before = refused(service, "forbidden_origin")
    for headers in ({"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}):
        answer = service.post("/v1/mask", files={"image_file": photo()}, headers=headers)
        error = answer.json()["errors"][0]
        assert answer.status_code == 403 and error["code"] == "forbidden_origin" and "cors" in error["detail"]
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert refused(service, "forbidden_origin") == before + 2
    own = service.post("/v1/mask", files={"image_file": photo()}, headers={"Origin": service.url})
    assert own.status_code == 200


def refused(service: Server, reason: str) -> float:
    """What the metrics count."""
    name = f'hairline_refused_total{{reason="{reason}"}} '
    return sum(float(line.split()[1]) for line in service.get("/metrics").text.splitlines() if line.startswith(name))


PROXIES = tuple(map(ip_network, ("10.0.0.0/8", "fd00::/8", "127.0.0.1/32")))


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        ("6.6.6.6", {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https"}, ("6.6.6.6", "http")),
        ("10.0.0.1", {}, ("10.0.0.1", "http")),
        ("10.0.0.1", {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https"}, ("1.2.3.4", "https")),
        ("10.0.0.1", {"X-Forwarded-For": "9.9.9.9, 1.2.3.4, 10.3.3.3"}, ("1.2.3.4", "http")),  # the first is hearsay
        ("10.0.0.1", {"X-Forwarded-For": "1.2.3.4:5678"}, ("1.2.3.4", "http")),
        ("10.0.0.1", {"X-Forwarded-For": "10.0.0.9"}, ("10.0.0.9", "http")),
        ("10.0.0.1", {"X-Forwarded-For": "x\\n<script>"}, ("10.0.0.1", "http")),
        ("10.0.0.1", {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "gopher"}, ("1.2.3.4", "http")),
        ("fd00::2", {"Forwarded": 'for="[2001:db8::7]:80";proto=https, for=10.1.1.1'}, ("2001:db8::7", "https")),
        ("127.0.0.1", {"Forwarded": "For=1.2.3.4;Proto=https;by=x"}, ("1.2.3.4", "https")),
        ("10.0.0.1", {"X-Forwarded-For": "1.2.3.4", "Forwarded": "for=5.6.7.8"}, ("10.0.0.1", "http")),  # which one?
        ("10.0.0.1", {"Forwarded": "for=unknown"}, ("10.0.0.1", "http")),
        ("10.0.0.1", {"Forwarded": 'for="' * 999}, ("10.0.0.1", "http")),
    ],
)
def test_only_our_proxies_say_who_asks(peer: str, headers: dict[str, str], expected: tuple[str, str]) -> None:
    scope = {"type": "http", "client": (peer, 5), "scheme": "http", "headers": Headers(headers).raw}
    resolve_client(scope, PROXIES)
    assert (scope["client"][0], scope["scheme"]) == expected
    alone = {"type": "http", "client": (peer, 5), "scheme": "http", "headers": Headers(headers).raw}
    resolve_client(alone, ())
    assert (alone["client"][0], alone["scheme"]) == (peer, "http")
