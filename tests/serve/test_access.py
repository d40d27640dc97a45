"""A service with keys behind a proxy: what each key opens, whose jobs are whose, and what every answer carries."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hairline.serve.jobs import new_id
from hairline.serve.keys import add_key, remove_key
from hostile import HOST, request, send
from job_folders import foreign, old_json, tree
from serve_kit import Server, photo, serving

STAGES = "[quick_stages:Find, quick_stages:Refine, products]"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("keyed")
    (folder / "jobs").mkdir()
    foreign(folder / "jobs", folder / "outside")
    for name in ("shop", "other"):
        (folder / name).write_text(add_key(folder / "keys.json", name, 600, 16))
    (folder / "prometheus").write_text(add_key(folder / "keys.json", "prometheus", 600, 16, "metrics"))
    settings = [
        f"pools=[{{name: all, stages: {STAGES}, cpus: 0.5, workers: 1}}]",
        "products=[mask]",
        "limits.max_pixels=4000000",
        "limits.max_bytes=4000000",
        "proxies=[127.0.0.1/32]",
        f"keys={folder / 'keys.json'}",
        f"jobs.folder={folder / 'jobs'}",
        f"access_log={folder / 'access.log'}",
    ]
    with serving("service-laptop.yaml", *settings) as server:
        server.folder = folder
        yield server


def key(server: Server, name: str) -> dict[str, str]:
    return {"X-Api-Key": (server.folder / name).read_text()}


def test_each_key_opens_what_it_is_for(keyed: Server) -> None:
    files = {"image_file": photo()}
    shop, prometheus = key(keyed, "shop"), key(keyed, "prometheus")
    assert keyed.get("/metrics", headers=prometheus).status_code == 200
    assert keyed.post("/v1/mask", files=files, headers=shop).status_code == 200
    for headers in (shop, {}, {"X-Api-Key": "hl_wrong"}):
        assert keyed.get("/metrics", headers=headers).status_code == 403
    for path in ("/v1/mask", "/v1/analyze", "/v1/jobs"):
        answer = keyed.post(path, files=files, headers=prometheus)
        assert answer.status_code == 403 and answer.json()["errors"][0]["detail"] == "this key is for /metrics alone"
    assert 'hairline_refused_total{reason="unauthorised"} 6.0' in keyed.get("/metrics", headers=prometheus).text


def test_a_key_made_anew_under_an_old_name_has_none_of_its_jobs(keyed: Server) -> None:
    file = keyed.folder / "keys.json"
    first = {"X-Api-Key": add_key(file, "alice", 600, 16)}
    made = keyed.post("/v1/jobs", files={"image_file": photo()}, headers=first | {"X-Request-Id": "order-1"})
    place = made.headers["Location"]
    assert keyed.get(place, headers=first).status_code == 200
    assert keyed.get(place, headers=key(keyed, "other")).status_code == 404
    remove_key(file, "alice")
    second = {"X-Api-Key": add_key(file, "alice", 600, 16)}
    assert keyed.get(place, headers=second).status_code == 404
    assert keyed.get(place + "/results/0", headers=second).status_code == 404
    record = json.loads((keyed.folder / place.replace("/v1/", "")).joinpath("job.json").read_text())
    assert record["request_id"] == "order-1" and record["owner"].startswith("sha256:")


def test_jobs_from_before_keys_had_an_identity(tmp_path: Path) -> None:
    """They stand under the key's name: readable for the key that was there then, not for one made later."""
    from hairline.configs.service import Jobs
    from hairline.serve.jobs import Store
    from hairline.serve.jobs_api import _owned
    from hairline.serve.keys import Keys

    secret = add_key(tmp_path / "keys.json", "alice", 600, 16)
    alice = Keys(tmp_path / "keys.json").find(secret)
    before, after, others = new_id(), new_id(), new_id()
    for id, owner, created in (
        (before, "alice", time.time() - 60),
        (after, "alice", time.time() + 120),
        (others, "bob", time.time() + 120),
    ):
        (tmp_path / "jobs" / id).mkdir(parents=True)
        text = old_json(id, owner=owner, created=created, ended=time.time())
        (tmp_path / "jobs" / id / "job.json").write_text(text)
    store = Store(Jobs(folder=str(tmp_path / "jobs")))
    assert alice and _owned(store, after, alice)
    assert not _owned(store, before, alice) and not _owned(store, others, alice) and not _owned(store, after, None)


def test_the_proxys_word_for_who_asks(keyed: Server) -> None:
    headers = {"X-Forwarded-For": "6.6.6.6, 203.0.113.7", "X-Request-Id": "far"}
    keyed.get("/healthz", headers=headers)
    assert log(keyed, "far")["client"] == "203.0.113.7"
    keyed.get("/healthz", headers={"X-Forwarded-For": b'"}\n{'.hex(), "X-Request-Id": "odd"})
    assert log(keyed, "odd")["client"] == "127.0.0.1"


def test_every_answer_has_a_request_id_and_a_line_in_the_log(keyed: Server) -> None:
    shop = key(keyed, "shop")
    answers = [
        keyed.get("/nowhere", headers={"X-Request-Id": "id-404"}),
        keyed.get("/v1/mask", headers={"X-Request-Id": "id-405"}),
        keyed.post("/v1/mask", headers={"X-Request-Id": "id-403"}),
        keyed.post("/v1/mask", files={"image_file": bytes(9_000_000)}, headers=shop | {"X-Request-Id": "id-413"}),
        keyed.post("/v1/mask", data=b"x", headers=shop | {"X-Request-Id": "id-415", "Content-Type": "a/b"}),
        keyed.post("/v1/mask", files={"image_file": b"x"}, headers=shop | {"X-Request-Id": "id-422"}),
        keyed.post("/v1/mask", headers=shop | {"X-Request-Id": "id-400"}),
    ]
    for answer in answers:
        assert answer.headers["X-Request-Id"] == f"id-{answer.status_code}"
        assert log(keyed, f"id-{answer.status_code}")["status"] == answer.status_code
    insane = keyed.get("/healthz", headers={"X-Request-Id": "a b\tc;<script>"}).headers["X-Request-Id"]
    assert len(insane) == 16 and insane.isalnum()
    for wire in (
        b"\x16\x03\x01\0\r\n\r\n",
        b"GET / HTTP/1.1\r\nX : a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    ):
        answer = send(keyed.url, wire, half_close=True)
        id = next(line.split(": ")[1] for line in answer.head.lower().split("\r\n") if line.startswith("x-request-id"))
        assert answer.status == 400 and json.loads(answer.body)["errors"][0]["code"] == "malformed_request"
        assert log(keyed, id)["status"] == 400
    found = keyed.get("/metrics", headers=key(keyed, "prometheus")).text
    for reason in (
        "not_found",
        "method",
        "unauthorised",
        "too_large",
        "content_type",
        "picture",
        "bad_request",
        "malformed",
    ):
        assert f'hairline_refused_total{{reason="{reason}"}}' in found, reason


def test_a_client_that_does_not_wait_is_counted(keyed: Server) -> None:
    head = "Content-Type: multipart/form-data; boundary=x\r\nX-Api-Key: " + key(keyed, "shop")["X-Api-Key"] + "\r\n"
    send(keyed.url, request(head.encode(), b"--x\r\n", length=999), half_close=True)
    deadline = time.monotonic() + 20
    while 'reason="client_gone"' not in keyed.get("/metrics", headers=key(keyed, "prometheus")).text:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_with_keys_any_name_may_ask(keyed: Server) -> None:
    assert (
        send(keyed.url, b"GET /v1/products HTTP/1.1\r\n" + HOST.replace(b"localhost", b"a.example") + b"\r\n").status
        == 200
    )


def test_what_else_lay_in_the_jobs_folder_is_still_there(keyed: Server) -> None:
    jobs, fresh = keyed.folder / "jobs", keyed.folder / "fresh"
    fresh.mkdir(exist_ok=True)
    foreign(fresh, keyed.folder / "fresh-outside")
    contents = {name: facts[0] for name, facts in tree(fresh).items() if not name.startswith("e" * 32)}
    found = {name: facts[0] for name, facts in tree(jobs).items()}
    assert contents.items() <= found.items()
    assert (keyed.folder / "outside" / "precious").read_text() == "p"


def log(server: Server, id: str) -> dict[str, object]:
    """The line of a request, which is written when its answer has been sent."""
    deadline = time.monotonic() + 10
    while True:
        lines = [json.loads(line) for line in (server.folder / "access.log").read_text("utf-8").splitlines()]
        found = [line for line in lines if line["request_id"] == id]
        if found:
            return dict(found[0])
        assert time.monotonic() < deadline, f"{id} is not in the log"
        time.sleep(0.05)
