import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hairline.pipeline import retry
from hairline.pipeline.fetch import fetch
from hairline.pipeline.presence import OURS
from hairline.pipeline.storage import WORK, Folder, filesystem
from hairline.stages.errors import HairlineError, PictureError
from hairline.stages.limits import Limits
from kit import Web, as_nobody

LIMITS = Limits(max_bytes=1000)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BASE_S", 0.001)


def reason(uri: str, size: int = -1) -> str:
    with pytest.raises(PictureError) as caught:
        fetch(uri, LIMITS, size)
    return caught.value.reason


def test_local_sources(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1000)
    (tmp_path / "big").write_bytes(b"x" * 1001)
    (tmp_path / "loop").symlink_to("loop")
    assert fetch(str(tmp_path / "a"), LIMITS) == (b"x" * 1000, 1)
    assert fetch(f"file://{tmp_path}/a", LIMITS)[0] == b"x" * 1000
    (tmp_path / "a b%.jpg").write_bytes(b"1")
    assert fetch(f"file://localhost{tmp_path}/a%20b%25.jpg", LIMITS)[0] == b"1"
    assert reason(f"file://elsewhere{tmp_path}/a") == "fetch"
    assert reason(str(tmp_path / "big")) == "too_many_bytes"
    assert reason(str(tmp_path / "nothing")) == "not_found"
    assert reason(str(tmp_path / "loop")) == "not_found"
    assert reason(str(tmp_path / "a" / "b")) == "not_found"
    assert reason(str(tmp_path / ("x" * 300))) == "not_found"
    assert reason(str(tmp_path / "a\0b")) == "not_found"
    assert reason(str(tmp_path)) == "not_a_file"


def test_permission(open_tmp: Path) -> None:
    (open_tmp / "a").touch(mode=0)
    with as_nobody():
        assert reason(str(open_tmp / "a")) == "permission"


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(1 << 40)
    assert reason(str(tmp_path / "huge")) == "too_many_bytes"


def test_http(web: Web) -> None:
    web.files = {
        "/a.jpg": b"picture",
        "/big.jpg": b"x" * 2000,
        "/slow.jpg": b"slow",
        "/cut.jpg": b"whole",
        "/bad.jpg": b"",
    }
    web.failures = {"/slow.jpg": [503, 429, 500], "/cut.jpg": [0], "/bad.jpg": [503] * 99, "/no.jpg": [403]}
    assert fetch(f"{web.url}/a.jpg", LIMITS) == (b"picture", 1)
    assert fetch(f"{web.url}/slow.jpg", LIMITS) == (b"slow", 4)
    assert fetch(f"{web.url}/cut.jpg", LIMITS) == (b"whole", 2)
    assert reason(f"{web.url}/big.jpg") == "too_many_bytes"
    assert reason(f"{web.url}/missing.jpg") == "not_found"
    assert reason(f"{web.url}/no.jpg") == "permission"
    assert reason(f"{web.url}/bad.jpg") == "fetch"
    assert web.requests.count("/bad.jpg") == retry.ATTEMPTS
    assert web.requests.count("/missing.jpg") == 1
    assert reason("http://127.0.0.1:9/closed.jpg") == "fetch"
    assert reason("nonsense://x/y") == "fetch"
    assert reason("ftp://x/y") == "fetch"


def test_s3(bucket: str) -> None:
    files = filesystem("s3")
    files.pipe_file(f"{bucket[5:]}/a b/猫*.jpg", b"picture")
    files.pipe_file(f"{bucket[5:]}/big.jpg", b"x" * 2000)
    assert fetch(f"{bucket}/a b/猫*.jpg", LIMITS) == (b"picture", 1)
    assert fetch(f"{bucket}/a b/猫*.jpg", LIMITS, size=7) == (b"picture", 1)
    assert reason(f"{bucket}/big.jpg") == "too_many_bytes"
    assert reason(f"{bucket}/big.jpg", size=2000) == "too_many_bytes"
    assert reason(f"{bucket}/missing.jpg") == "not_found"
    assert reason(f"{bucket}/missing.jpg", size=5) == "not_found"
    assert reason(f"{bucket}-not/a.jpg") == "not_found"


def test_a_throttling_s3(web: Web, monkeypatch: pytest.MonkeyPatch, new_connections: Callable[[], None]) -> None:
    for name, value in {"ENDPOINT_URL": web.url, "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    new_connections()
    web.files["/bucket/a.jpg"] = b"picture"
    web.failures["/bucket/a.jpg"] = [503, 500, 503]
    assert fetch("s3://bucket/a.jpg", LIMITS, size=7) == (b"picture", 4)
    web.failures["/bucket/a.jpg"] = [503] * 99
    assert reason("s3://bucket/a.jpg", size=7) == "fetch"
    assert web.requests.count("/bucket/a.jpg") == 4 + retry.ATTEMPTS


@pytest.mark.parametrize("kind", ["local", "s3"])
def test_an_output_folder(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    root = str(tmp_path / "out") if kind == "local" else f"{request.getfixturevalue('bucket')}/out"
    folder = Folder(root, "run")
    folder.mark_unfinished()
    folder.write("cutout/a b/猫[1]*.png", b"1")
    folder.write("cutout/a b/猫[1]*.png", b"2")
    folder.write("cutout/c.png", b"3")
    assert folder.names("cutout") == ["cutout/a b/猫[1]*.png", "cutout/c.png"]
    assert folder.read("cutout/a b/猫[1]*.png") == b"2"
    folder.rename("cutout/c.png", "cutout/a b/猫[1]*.png")
    assert folder.names("cutout") == ["cutout/a b/猫[1]*.png"]
    assert folder.read("cutout/a b/猫[1]*.png") == b"3"
    folder.delete("cutout/c.png")
    folder.delete("cutout/a b/猫[1]*.png")
    assert folder.names("cutout") == [] == folder.names("nothing")
    with pytest.raises(FileNotFoundError):
        folder.read("cutout/c.png")
    assert folder.names(WORK) == [f"{WORK}/run/unfinished"]
    folder.clear(WORK, OURS)
    assert folder.names(WORK) == []
    assert folder.uri("a/b.png") == f"{root}/a/b.png"


def test_an_output_folder_given_as_a_url(tmp_path: Path) -> None:
    Folder(f"file://{tmp_path}/my%20cuts").write("a.png", b"1")
    assert (tmp_path / "my cuts" / "a.png").read_bytes() == b"1"


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(str(tmp_path), "run")
    folder.write("a.png", b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        folder.write("a.png", b"new")
    assert (tmp_path / "a.png").read_bytes() == b"old"
    with pytest.raises(HairlineError, match=r"cannot be written: .*No space left"):
        folder.mark_unfinished()


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HairlineError, match="cannot be written"):
        Folder(str(tmp_path / "file" / "out")).mark_unfinished()


def test_a_bucket_that_is_not_there(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HairlineError, match="cannot be written"):
        Folder(f"{bucket}-not/out").mark_unfinished()
