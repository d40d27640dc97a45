"""Hostile input: whatever is sent, the answer is a clear refusal or a result, soon, and tells nothing of the inside."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests
from PIL import Image

from hostile import (
    BODIES,
    FILE,
    HALF_CLOSED,
    HOST,
    LOOPBACK,
    METHODS,
    MULTIPART,
    NAMES,
    PATHS,
    WIRE,
    Answer,
    part,
    request,
    send,
)
from kit import Web
from serve_kit import PHOTOS, Server, photo
from zoo import KINDS, READABLE

INNER = (b"Traceback", b"site-packages", b'.py"', b"hairline/", str(Path(__file__).parents[2]).encode(), b"root:x:")
SOON = 60.0  # seconds for any answer, also on a machine with both cores busy: what hangs takes longer


@pytest.fixture(scope="module")
def victim() -> Iterator[Web]:
    """A server on loopback that nobody is allowed to ask."""
    server = Web()
    server.files["/"] = server.files["/a.jpg"] = photo()
    yield server
    assert server.requests == []
    server.server.shutdown()


@pytest.fixture(scope="module", autouse=True)
def well_afterwards(service: Server) -> Iterator[None]:
    """After everything: no 5xx in the log, each line of it whole, nothing beside the jobs, and the service well."""
    yield
    lines = [json.loads(line) for line in (service.folder / "access.log").read_text("utf-8").splitlines()]
    assert [line for line in lines if line["status"] >= 500] == []
    assert service.process.poll() is None
    assert service.post("/v1/mask", files={"image_file": photo()}).status_code == 200
    assert {path.name for path in service.folder.iterdir()} <= {"jobs", "access.log"}
    assert not list(Path("/tmp").glob("evil*")), "a file name led out"


def check(answer: Answer | requests.Response) -> None:
    """What holds for every answer."""
    if isinstance(answer, requests.Response):
        told = Answer(answer.status_code, str(answer.headers), answer.content, answer.elapsed.total_seconds())
    else:
        told = answer
    assert told.status < 500, (told.status, told.body[:300])
    assert told.seconds < SOON
    if told.status >= 400:
        assert not [word for word in INNER if word in told.body], told.body[:500]
        assert b"<" not in told.body or "application/json" in told.head  # user's text is never taken for markup


@pytest.mark.parametrize("kind", KINDS)
def test_odd_files(kind: str, service: Server) -> None:
    picture = np.asarray(Image.open(PHOTOS / "chelsea.png").convert("RGB").resize((160, 120)))
    data = KINDS[kind].make(picture, np.random.default_rng(0))
    expected = KINDS[kind].expectation(kind)
    answer = service.post("/v1/analyze", files={"image_file": (f"../../evil {kind}.jpg", data)})
    check(answer)
    if not data:  # an empty upload is no upload
        assert answer.status_code == 400 and answer.json()["errors"][0]["code"] == "missing_source"
        return
    found = answer.json()
    assert answer.status_code == 200 and found["status"] in expected.statuses
    if found["status"] == "failed":
        assert found["reason"] in expected.reasons
    if expected.statuses == READABLE and found["status"] == "ok":
        return
    for path in ("/v1/cutout", "/v1.0/removebg"):
        refused = service.post(path, files={"image_file": data})
        check(refused)
        assert refused.status_code in (200, 400, 422)


@pytest.mark.parametrize("name", BODIES)
def test_odd_bodies(name: str, service: Server) -> None:
    answer = send(service.url, BODIES[name])
    check(answer)
    if answer.status == 200:  # understood after all: then as a file that is no picture
        assert json.loads(answer.body)["status"] == "failed"
    else:
        assert answer.status in (400, 413, 415, 422), answer.head


@pytest.mark.parametrize("path", ["/v1/cutout", "/v1.0/removebg", "/v1/jobs"])
@pytest.mark.parametrize(
    "name", ["no end", "no UTF-8 in the name", "JSON deep", "JSON half a character", "2,000 parts"]
)
def test_odd_bodies_elsewhere(name: str, path: str, service: Server) -> None:
    answer = send(service.url, BODIES[name].replace(b"/v1/analyze", path.encode(), 1))
    check(answer)
    assert 400 <= answer.status < 500, answer.head


@pytest.mark.parametrize("name", WIRE)
def test_odd_bytes_on_the_wire(name: str, service: Server) -> None:
    answer = send(service.url, WIRE[name], half_close=name in HALF_CLOSED)
    check(answer)
    assert service.get("/healthz").status_code == 200


def redirects_here(answer: Answer) -> bool:
    return answer.status == 307 and "\nlocation: http://localhost/" in answer.head.lower()


@pytest.mark.parametrize("path", PATHS)
def test_paths_lead_nowhere(path: bytes, service: Server) -> None:
    answer = send(service.url, b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    check(answer)
    if path == b"/?<script>":
        assert answer.status == 200 and b"<script>" not in answer.body
    else:
        assert answer.status in (400, 404, 405) or redirects_here(answer), (answer.head, answer.body[:200])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/", "/v1/analyze", "/v1/jobs/x", "/page/app.js"])
def test_other_methods(method: str, path: str, service: Server) -> None:
    answer = requests.request(method, service.url + path, timeout=20)
    check(answer)
    readable = path in ("/", "/page/app.js") and method in ("GET", "HEAD")
    assert answer.status_code == 200 if readable else answer.status_code in (400, 404, 405, 501)


def loopback(port: int, own: int) -> list[str]:
    """Ways to name a port of this machine, and none beyond it; `own` is one that may be asked."""
    return [
        *(f"http://{host}:{port}/a.jpg" for host in LOOPBACK),
        f"http://user:pw@127.0.0.1:{port}/",
        f"http://127.0.0.1:{own}@127.0.0.1:{port}/a.jpg",
        f"//127.0.0.1:{port}/",
        f"gopher://127.0.0.1:{port}/_GET",
        f"http:\\\\127.0.0.1:{port}\\",
        f"http://127.0.0.1:{own}#@127.0.0.1:{port}/",
        *("file:///etc/passwd", "/etc/passwd", "http://", "http:///", "javascript:alert(1)", "data:image/png,a"),
    ]


@pytest.mark.parametrize("number", range(len(loopback(1, 2))))
def test_urls_reach_nothing(number: int, service: Server, victim: Web, pictures_on_the_web: Web) -> None:
    url = loopback(victim.server.server_port, pictures_on_the_web.server.server_port)[number]
    for path, body in (("/v1/analyze", {"image_url": url}), ("/v1.0/removebg", {"image_url": url})):
        answer = service.post(path, json=body)
        check(answer)
        assert answer.status_code == 400 and answer.json()["errors"][0]["code"] in (
            "invalid_image_url",
            "failed_image_download",
        )
    form = {"image_file": photo()}
    answer = service.post("/v1.0/removebg", files=form, data={"bg_image_url": url})
    check(answer)
    assert answer.status_code == 400
    assert victim.requests == []


def test_urls_in_jobs_reach_nothing(service: Server, victim: Web, pictures_on_the_web: Web) -> None:
    urls = loopback(victim.server.server_port, pictures_on_the_web.server.server_port)
    made = service.post("/v1/jobs", json={"image_urls": json.dumps(urls), "product": "mask"})
    check(made)
    if made.status_code >= 400:  # refused as a whole
        assert victim.requests == []
        return
    job = made.json()["id"]
    deadline = time.monotonic() + 120
    while (told := service.get(f"/v1/jobs/{job}").json())["status"] in ("waiting", "running", "pending"):
        assert time.monotonic() < deadline, told
        time.sleep(0.1)
    assert {entry["status"] for entry in told["pictures"]} == {"failed"} and victim.requests == []


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/analyze", {"include": "<script>alert(1)</script>"}),
        ("/v1/analyze", {"include": "mask," * 5000 + "x"}),
        ("/v1/analyze", {"include": "../mask"}),
        ("/v1/analyze", {"products": '{"mask": {"__class__": 1}}', "include": "mask"}),
        ("/v1/analyze", {"products": "{" * 9999}),
        ("/v1/analyze", {"products": '{"cutout": {"margin": 1e308}}', "include": "cutout"}),
        ("/v1/analyze", {"products": '{"cutout": {"margin": NaN, "crop": true}}', "include": "cutout"}),
        ("/v1/correct", {"keep": "[" * 9999}),
        ("/v1/correct", {"keep": "1e999,1"}),
        ("/v1/correct", {"keep": "-1,-1"}),
        ("/v1/correct", {"drop": "1,1 " * 65}),
        ("/v1/correct", {"box": "9,9,9,9"}),
        ("/v1/correct", {"box": "<script>"}),
        ("/v1/correct", {"matte_file_b64": "????"}),
        ("/v1/correct", {"matte_file_b64": "iVBORw0KGgo" + "A" * 999}),
        ("/v1/correct", {"strokes_file_b64": "R0lGODlh"}),
        ("/v1/correct", {"product": "../mask"}),
        ("/v1/correct", {"include": "alpha", "product": "mask"}),
        ("/v1/correct", {"include": "unsure"}),
        ("/v1/cutout", {"category": "<b>\r\nX: y"}),
        ("/v1/analyze", {"reject": "maybe"}),
        ("/v1/cutout", {"format": "<svg/onload=alert(1)>"}),
        ("/v1/cutout", {"format": "exe"}),
        ("/v1/cutout", {"quality": "-1"}),
        ("/v1/cutout", {"quality": "9" * 400}),
        ("/v1/cutout", {"margin": "nan", "crop": "true"}),
        ("/v1/cutout", {"per_subject": "true"}),
        ("/v1/cutout", {"<script>": "1"}),
        ("/v1/white_background", {"canvas": "[100000, 100000]"}),
        ("/v1/white_background", {"canvas": "[" * 9999}),
        ("/v1/white_background", {"canvas": "[1, 0]"}),
        ("/v1/white_background", {"fill": "1e-320"}),
        ("/v1.0/removebg", {"bg_color": "<script>"}),
        ("/v1.0/removebg", {"bg_color": "expression(1)" * 999}),
        ("/v1.0/removebg", {"roi": "0% 0% 1e99% nan"}),
        ("/v1.0/removebg", {"crop_margin": "-999999999px", "crop": "true"}),
        ("/v1.0/removebg", {"scale": "1e400%"}),
        ("/v1.0/removebg", {"position": "50% 50% 50%"}),
        ("/v1.0/removebg", {"size": "full\0"}),
        ("/v1.0/removebg", {"format": "../../etc/passwd"}),
    ],
)
def test_odd_parameters(path: str, fields: dict[str, str], service: Server) -> None:
    answer = service.post(path, files={"image_file": photo()}, data=fields)
    check(answer)
    assert 400 <= answer.status_code < 500, answer.status_code


@pytest.mark.parametrize("name", NAMES)
def test_file_names_are_not_used(name: str, service: Server) -> None:
    head = b'Content-Disposition: form-data; name="image_file"; filename="' + name.encode() + b'"'
    body = b"--x\r\n" + head + b"\r\n\r\n" + photo() + b"\r\n--x--\r\n"
    for path in (b"/v1/analyze", b"/v1/jobs"):
        answer = send(service.url, request(MULTIPART, body, path))
        check(answer)
        assert b"evil" not in answer.body and b"<script" not in answer.body


def test_too_much_is_refused_before_it_is_taken_in(service: Server) -> None:
    answer = send(service.url, request(MULTIPART, b"--x\r\n", length=50_000_000))
    assert answer.status == 413  # told by the length alone: the body never comes, and waiting for it would end as 408
    large = base64.b64encode(bytes(6_000_000)).decode()
    for response in (
        service.post("/v1/analyze", files={"image_file": bytes(6_000_000)}),
        service.post("/v1/analyze", json={"image_file_b64": large}),
        service.post("/v1/analyze", data=iter([b"a=" + b"x" * 1_000_000] * 20), headers={"Content-Type": FORM_TYPE}),
    ):
        check(response)
        assert response.status_code == 413


FORM_TYPE = "application/x-www-form-urlencoded"


def test_slow_bodies_are_cut_off_and_hold_nobody_up(service: Server) -> None:
    body = part(FILE, b"x" * 400)
    slow = request(MULTIPART, body)
    answers: list[Answer] = []

    def drip() -> None:
        answers.append(send(service.url, slow[:-400], *(slow[-400 + n : -399 + n] for n in range(60)), pause=0.2))

    threads = [threading.Thread(target=drip) for _ in range(24)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    assert service.post("/v1/mask", files={"image_file": photo()}).status_code == 200  # meanwhile, as ever
    for thread in threads:
        thread.join(30)
    assert len(answers) == 24 and all(answer.status in (408, 429) for answer in answers), [a.status for a in answers]
    assert all(answer.seconds < SOON for answer in answers)


def test_slow_headers_hold_nobody_up(service: Server) -> None:
    place = urlsplit(service.url)
    with ExitStack() as stack:
        for _ in range(100):
            stream = stack.enter_context(socket.create_connection((place.hostname, place.port), timeout=5))
            stream.sendall(b"POST /v1/analyze HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        assert service.get("/healthz").elapsed.total_seconds() < SOON
        assert service.post("/v1/mask", files={"image_file": photo()}).status_code == 200


def test_a_client_that_leaves_costs_nothing(service: Server) -> None:
    place = urlsplit(service.url)
    body = part(FILE, photo())
    for _ in range(20):
        with socket.create_connection((place.hostname, place.port), timeout=5) as stream:
            stream.sendall(request(MULTIPART, body))
    started = time.monotonic()
    for _ in range(60):
        answer = service.post("/v1/mask", files={"image_file": photo()})
        if answer.status_code == 200:
            break
        assert answer.status_code == 429
        time.sleep(0.5)
    assert answer.status_code == 200 and time.monotonic() - started < SOON


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/v1/products", "/nowhere"])
def test_no_cache_keeps_an_answer(path: str, service: Server) -> None:
    assert service.get(path).headers["Cache-Control"] == "private, no-cache"
