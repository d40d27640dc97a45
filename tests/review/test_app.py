"""The routes: who may come in, what they answer, what they refuse."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from hairline.serve.keys import add_key
from review_kit import Reviewed, output, reviewed


@pytest.fixture(scope="module")
def review(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reviewed]:
    with reviewed(output(tmp_path_factory.mktemp("review")).folder.root) as found:
        yield found


def image(review: Reviewed, path: str, status: int = 200) -> Image.Image:
    answer = requests.get(review.url + path, timeout=60)
    assert answer.status_code == status, answer.text
    return Image.open(io.BytesIO(answer.content))


def test_from_the_first_picture_to_the_decision(review: Reviewed) -> None:
    start = requests.get(f"{review.url}/api/start", timeout=60).json()
    assert (start["who"], start["total"], start["named"], start["sample"]) == ("nobody", 7, False, False)
    assert start["filters"]["reason"] == {"": 6, "too_dark": 1}
    told = review.ask("/api/next", filter={})
    picture = told["picture"]
    assert (picture["id"], picture["seen"], picture["error"]) == ("p05.jpg", 0, 0.3)
    given = {"id": picture["id"], "seen": 0, "key": "k1", "verdict": "rejected", "reason": "edge"}
    assert review.ask("/api/decide", **given) == {"number": 1, "verdict": "rejected"}
    assert review.ask("/api/decide", **given)["number"] == 1  # sent twice, it is one
    error = review.ask("/api/decide", who="ben", status=409, **(given | {"key": "k2"}))["errors"][0]
    assert error["code"] == "decided_meanwhile" and error["detail"] == "anna: rejected (edge)"
    assert review.ask("/api/next", filter={})["progress"]["judged"] == 1
    undone = review.ask("/api/undo", key="u1", filter={})
    assert undone["picture"]["id"] == "p05.jpg" and undone["picture"]["seen"] == 2
    assert review.ask("/api/undo", key="u2", who="nobody else")["picture"] is None


def test_source_and_cut_out_are_of_one_size(review: Reviewed) -> None:
    source, cut = (image(review, f"/api/{what}?id=p02.jpg") for what in ("source", "cut"))
    assert (source.size, source.mode, cut.size, cut.mode) == ((80, 60), "RGB", (80, 60), "RGBA")
    alpha = np.asarray(cut)[..., 3]
    assert set(np.unique(alpha)) == {0, 255} and alpha[30, 40] == 255 and alpha[2, 2] == 0
    answer = requests.get(f"{review.url}/api/cut?id=dark.jpg", timeout=60)
    assert answer.status_code == 422 and "no product" in answer.json()["errors"][0]["detail"]
    Path(review.desk.row_of("p01.jpg")["uri"]).unlink()  # type: ignore[index]
    assert requests.get(f"{review.url}/api/source?id=p01.jpg", timeout=60).status_code == 422


@pytest.mark.parametrize(
    ("path", "given", "status"),
    [
        ("/api/decide", {"id": "none", "seen": 0, "key": "k", "verdict": "accepted"}, 404),
        ("/api/decide", {"id": "p00.jpg", "seen": -1, "key": "k", "verdict": "accepted"}, 400),
        ("/api/decide", {"id": "p00.jpg", "seen": 0, "key": "k", "verdict": "corrected"}, 400),
        ("/api/decide", {"id": "p00.jpg", "seen": 0, "verdict": "accepted"}, 400),
        ("/api/next", {"filter": []}, 200),
        ("/api/next", {"filter": {"route": 7}}, 400),
        ("/api/next", {"who": "x" * 65}, 400),
        ("/api/next", {"without": 7}, 400),
        ("/api/hold", {"ids": [7]}, 400),
        ("/api/free", {"ids": {"p00.jpg": 1}}, 400),
        ("/api/hold", {"ids": ["\ud800"]}, 400),
        ("/api/decide", {"id": "p00.jpg", "seen": 50, "key": "k", "verdict": "accepted"}, 422),
        ("/api/nothing", {}, 404),
    ],
)
def test_what_is_refused(review: Reviewed, path: str, given: dict[str, object], status: int) -> None:
    told = review.ask(path, status=status, **given)  # type: ignore[arg-type]
    assert status == 200 or told["errors"][0]["title"]


def test_pages_of_others_get_nothing(review: Reviewed) -> None:
    strange = [{"Host": "example.org"}, {"Origin": "https://example.org"}, {"Sec-Fetch-Site": "cross-site"}]
    for headers in strange:
        answer = requests.post(f"{review.url}/api/next", headers=headers, json={"tab": "t"}, timeout=60)
        assert answer.status_code == 403
    for data, status in ((b"x" * 70_000, 413), (b"[" * 60_000, 400), (b"", 400)):
        assert requests.post(f"{review.url}/api/next", data=data, timeout=60).status_code == status
    form = {"id": (None, "p00.jpg"), "key": (None, "k"), "seen": (None, "9" * 5000)}
    assert requests.post(f"{review.url}/api/save", files=form, timeout=60).status_code == 400
    page = requests.get(review.url, timeout=60)
    assert "default-src 'self'" in page.headers["Content-Security-Policy"] and page.headers["X-Frame-Options"] == "DENY"


def test_a_stroke_mends_what_it_touches_and_is_saved(tmp_path: Path) -> None:
    with reviewed(output(tmp_path).folder.root) as review:
        sent = {"id": "p02.jpg", "who": "anna", "tab": "one", "seen": "0", "key": "k"}
        before = image(review, "/api/matte?id=p02.jpg")
        strokes = np.zeros((60, 80, 4), np.uint8)
        strokes[2:9, 30:50] = 255  # kept, above the subject
        given = {"strokes_file": png(strokes), "matte_file": png(np.asarray(before))}
        answer = requests.post(f"{review.url}/api/correct", data=sent, files=given, timeout=300)
        assert answer.status_code == 200, answer.text
        old, new = np.asarray(before), np.asarray(Image.open(io.BytesIO(answer.content)))
        assert (new[3:8, 32:48] > 200).all() and (old[3:8, 32:48] == 0).all()
        assert (new[30:] == old[30:]).all()  # far from the stroke
        assert review.desk.decisions.of("p02.jpg") == []  # nothing is saved yet
        saved = requests.post(f"{review.url}/api/save", data=sent, files={"matte_file": png(new)}, timeout=300)
        assert saved.json() == {"number": 1, "verdict": "corrected", "left": []}, saved.text
        assert (np.asarray(image(review, "/api/cut?id=p02.jpg"))[..., 3] == new).all()
        wrong = {"matte_file": png(np.zeros((6, 8), np.uint8))}
        refused = requests.post(f"{review.url}/api/save", data=sent | {"seen": "1"}, files=wrong, timeout=60)
        assert refused.status_code == 422 and "pixels" in refused.json()["errors"][0]["detail"]
        changes = ({"keep": "1,2,3"}, 400), ({"keep": "500,2"}, 422), ({"id": "none"}, 404), ({"id": "dark.jpg"}, 400)
        nothing = requests.post(f"{review.url}/api/correct", data=sent, files={"x": b""}, timeout=60)
        assert nothing.status_code == 400 and "the matte so far" in nothing.json()["errors"][0]["detail"]
        for more, status in changes:
            answer = requests.post(f"{review.url}/api/correct", data=sent | more, files=given, timeout=300)
            assert answer.status_code == status, answer.text


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_with_keys_nobody_comes_in_without_one(tmp_path: Path) -> None:
    root, keys = output(tmp_path).folder.root, tmp_path / "keys.json"
    secret, metrics = add_key(keys, "cora", 600, 16), add_key(keys, "prom", 600, 16, "metrics")
    with reviewed(root, keys) as review:
        for path in ("/api/start", "/api/source?id=p00.jpg", "/api/cut?id=p00.jpg"):
            for given in ({}, {"X-Api-Key": "hl_wrong"}, {"X-Api-Key": metrics}):
                assert requests.get(review.url + path, headers=given, timeout=60).status_code == 403
        for path in ("/api/next", "/api/save"):  # what a stranger sends is not read: neither looked at nor kept
            answer = requests.post(review.url + path, data=b"x" * 70_000, timeout=60)
            assert (answer.status_code, answer.headers["Connection"]) == (403, "close")
        told = requests.get(f"{review.url}/api/start", headers={"X-Api-Key": secret}, timeout=60).json()
        assert told["who"] == "cora" and told["named"]
        given = {"id": "p00.jpg", "seen": 0, "key": "k", "verdict": "accepted", "tab": "t", "who": "somebody else"}
        requests.post(f"{review.url}/api/decide", json=given, headers={"X-Api-Key": secret}, timeout=60)
    assert review.desk.decisions.standing("p00.jpg").top.who == "cora"  # type: ignore[union-attr]
