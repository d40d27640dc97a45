"""Hairline's own routes on a real service: products, analyze, errors, headers, and parity with the command line."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kit import jpeg
from serve_kit import Server, array, flat, opened, photo

NAMES = ("astronaut", "coffee", "chelsea", "motorcycle_left")


def files(data: bytes | None = None) -> dict[str, tuple[str, bytes]]:
    return {"image_file": ("<script>alert(1)</script>.jpg", photo() if data is None else data)}


def test_products_are_listed_and_have_routes(service: Server) -> None:
    products = service.get("/v1/products").json()["products"]
    assert {"cutout", "mask", "white_background"} <= {product["name"] for product in products}
    for product in products:
        assert product["title"] and "properties" in product["options"]
        answer = service.post(f"/v1/{product['name']}", files=files())
        if product["name"] == "id_photo":  # of a small picture
            assert answer.status_code == 422 and answer.json()["errors"][0]["code"] == "face_too_small"
            continue
        assert answer.status_code == 200, (product["name"], answer.text)
        if answer.headers["Content-Type"] != "image/svg+xml":
            assert opened(answer.content).size[0] > 0
        assert answer.headers["X-Hairline-Status"] == "ok" and answer.headers["X-Hairline-Category"]
        assert 0 <= float(answer.headers["X-Hairline-Confidence"]) <= 1


def test_options_of_a_product(service: Server) -> None:
    webp = service.post("/v1/cutout", files=files(), data={"format": "webp", "crop": "true", "margin": "0"})
    assert webp.headers["Content-Type"] == "image/webp" and opened(webp.content).size[1] <= 320
    white = service.post("/v1/white_background", files=files(), data={"canvas": "[300, 200]", "format": "jpeg"})
    assert white.headers["Content-Type"] == "image/jpeg" and opened(white.content).size == (300, 200)
    text = base64.b64encode(photo()).decode()
    as_json = service.post(
        "/v1/white_background", json={"image_file_b64": text, "canvas": [300, 200], "format": "jpeg"}
    )
    assert as_json.content == white.content
    unknown = service.post("/v1/cutout", files=files(), data={"formt": "webp"})
    assert unknown.status_code == 400 and unknown.json()["errors"][0]["code"] == "unknown_parameter"
    wrong = service.post("/v1/cutout", files=files(), data={"format": "gif"})
    assert wrong.status_code == 400 and wrong.json()["errors"][0]["code"] == "invalid_format"


def test_a_rejected_picture(service: Server) -> None:
    answer = service.post("/v1/cutout", files=files(jpeg(3, 200, 150, dark=True)))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] in ("too_dark", "low_information", "no_subject")
    facts = service.post("/v1/analyze", files=files(flat())).json()
    assert facts["status"] == "filtered" and facts["reason"] and facts["images"] == {}
    broken = service.post("/v1/analyze", files=files(b"%PDF-1.7"))
    assert broken.status_code == 200
    assert broken.json()["status"] == "failed" and broken.json()["reason"] == "not_a_picture"


def test_analyze(service: Server) -> None:
    wanted = {"include": "alpha,unsure,cutout", "products": json.dumps({"cutout": {"format": "webp"}})}
    answer = service.post("/v1/analyze", files=files(), data=wanted, headers={"X-Request-Id": "mine-1"})
    facts = answer.json()
    assert facts["coarse_model"] == "own"
    assert facts["request_id"] == "mine-1" == answer.headers["X-Request-Id"]
    assert facts["status"] == "ok" and (facts["width"], facts["height"]) == (320, 320)
    assert facts["boxes"] and {"x0", "y0", "x1", "y1", "label", "score"} <= facts["boxes"][0].keys()
    assert set(facts["seconds"]) >= {"filter", "classify", "detect", "coarse", "fine", "products"}
    images = {name: opened(base64.b64decode(image["data"])) for name, image in facts["images"].items()}
    assert set(images) == {"alpha", "unsure", "cutout"}
    assert images["alpha"].size == (320, 320) and images["alpha"].mode == images["unsure"].mode == "L"
    assert np.asarray(images["unsure"]).max() > 0
    assert images["cutout"].format == "WEBP"
    for data in ({"include": "nonsense"}, {"products": "{"}, {"products": '{"cutout": {}}'}, {"reject": "perhaps"}):
        assert service.post("/v1/analyze", files=files(), data=data).status_code == 400


def test_same_bytes_as_the_command_line(service: Server, tmp_path: Path) -> None:
    """A product of the service is the file that a run writes."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.jpg").write_bytes(photo(name, 640, 480))
    command = [
        sys.executable,
        "-m",
        "hairline",
        "run",
        "laptop.yaml",
        "--input",
        str(folder),
        "--output",
        str(tmp_path / "out"),
    ]
    settings = ["pools.0.workers=1", "products=[cutout, mask]", "limits.max_pixels=4000000"]
    done = subprocess.run([*command, *(w for s in settings for w in ("--set", s))], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    compared = 0
    for path in sorted(folder.iterdir()):
        for product in ("cutout", "mask"):
            made = tmp_path / "out" / product / f"{path.name}.png"
            answer = service.post(f"/v1/{product}", files={"image_file": path.read_bytes()})
            assert made.exists() == (answer.status_code == 200), (path.name, answer.text[:200])
            if made.exists():
                assert made.read_bytes() == answer.content, path.name
                compared += 1
    assert compared >= 6


def test_errors_have_one_shape(service: Server) -> None:
    assert service.get("/nowhere").json()["errors"][0]["code"] == "not_found"
    slashed = service.get("/v1/products/", allow_redirects=False)
    assert slashed.status_code == 404 and "Location" not in slashed.headers
    other = service.get("/v1/products/", headers={"Host": "evil.example"}, allow_redirects=False)
    assert other.status_code == 403 and "Location" not in other.headers
    assert service.get("/v1/cutout").status_code == 405
    assert service.post("/v1/cutout", data=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    large = service.post("/v1/cutout", files=files(photo() + b"\0" * 5_000_000))
    assert large.status_code == 413 and large.json()["errors"][0]["code"] == "file_too_large"
    pixels = service.post("/v1/cutout", files=files(flat(3000, 1500)))
    assert pixels.status_code == 422 and pixels.json()["errors"][0]["code"] == "too_many_pixels"


def test_a_slow_upload_is_given_up(service: Server) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    started = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=30) as client:
        head = "POST /v1/cutout HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        client.sendall((head + "Content-Length: 1000\r\n\r\n{").encode())
        assert client.recv(100).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - started > 7  # not before its time


def test_seen_from_outside(service: Server) -> None:
    assert service.get("/healthz").json() == {"status": "ok"}
    ready = service.get("/readyz")
    assert ready.status_code == 200 and ready.json()["pools"]["all"]["RUNNING"] == 1
    service.post("/v1/cutout", files=files(), headers={"X-Request-Id": "seen"})
    lines = service.get("/metrics").text.splitlines()
    assert any(line.startswith('hairline_pictures_total{reason="",status="ok"}') for line in lines)
    for name in ("hairline_requests_total", "hairline_stage_seconds_count", "hairline_batch_pictures_count"):
        assert any(line.startswith(name) for line in lines), name
    assert 'hairline_replicas{pool="all",state="running"} 1.0' in lines
    log = [json.loads(line) for line in (service.folder / "access.log").read_text().splitlines()]
    seen = next(line for line in log if line["request_id"] == "seen")
    assert seen["path"] == "/v1/cutout" and seen["status"] == 200 and seen["bytes_in"] > len(photo())


def test_openapi_describes_what_there_is(service: Server) -> None:
    api = service.get("/openapi.json").json()
    names = {product["name"] for product in service.get("/v1/products").json()["products"]}
    assert {f"/v1/{name}" for name in names} | {"/v1.0/removebg", "/v1/analyze", "/v1/jobs"} <= set(api["paths"])
    facts = service.post("/v1/analyze", files=files()).json()
    assert set(api["components"]["schemas"]["Facts"]["required"]) == set(facts)


def test_jobs(service: Server, pictures_on_the_web: object) -> None:
    uploads = [
        ("image_file", ("a.jpg", photo())),
        ("image_file", ("b.png", flat())),
        ("image_file", ("c.txt", b"text")),
    ]
    answer = service.post("/v1/jobs", files=uploads, data={"product": "cutout", "options": '{"format": "webp"}'})
    assert answer.status_code == 202
    told = wait_for(service, answer.headers["Location"])
    assert [p["status"] for p in told["pictures"]] == ["ok", "filtered", "failed"]
    assert told["counts"] == {"ok": 1, "filtered": 1, "failed": 1} and told["expires"] > time.time()
    result = service.get(told["pictures"][0]["result"])
    direct = service.post("/v1/cutout", files=files(), data={"format": "webp"})
    assert result.content == direct.content and result.headers["Content-Type"] == "image/webp"
    assert service.get(f"/v1/jobs/{told['id']}/results/1").status_code == 422
    assert service.get(f"/v1/jobs/{told['id']}/results/9").status_code == 404
    web = pictures_on_the_web
    web.files["/j.jpg"] = photo()  # type: ignore[attr-defined]
    urls = [web.url + "/j.jpg", "http://169.254.169.254/", web.url + "/gone"]  # type: ignore[attr-defined]
    told = wait_for(service, service.post("/v1/jobs", json={"image_urls": urls, "product": "mask"}).headers["Location"])
    assert [(p["status"], p.get("reason", "")) for p in told["pictures"]] == [
        ("ok", ""),
        ("failed", "refused_url"),
        ("failed", "fetch"),
    ]
    assert array(service.get(told["pictures"][0]["result"]).content).shape == (320, 320)


@pytest.mark.parametrize("id", ["0" * 32, "..%2f..%2fetc%2fpasswd", "x"])
def test_jobs_that_are_not_there(service: Server, id: str) -> None:
    assert service.get(f"/v1/jobs/{id}").status_code == 404


def test_wrong_jobs(service: Server) -> None:
    for body in (
        {},
        {"image_urls": "{"},
        {"image_urls": [1]},
        {"image_urls": ["http://a"] * 101},
        {"image_urls": ["http://a"], "product": "nothing"},
        {"image_urls": ["http://a"], "options": {"x": 1}},
    ):
        assert service.post("/v1/jobs", json=body).status_code == 400, body


def wait_for(service: Server, place: str) -> dict:
    deadline = time.monotonic() + 120
    while (told := service.get(place).json())["status"] != "done":
        assert time.monotonic() < deadline, told
        time.sleep(0.2)
    return told
