"""Weights behind URLs: fetched once, kept by their hash."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from safetensors.torch import save_file
from torch import nn

from hairline.pipeline.storage import filesystem
from hairline.stages import checkpoints, downloads
from hairline.stages.errors import HairlineError
from hairline.stages.networks.user_model import UserModelSettings
from kit import Web


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HAIRLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "WAIT_S", 0.001)
    return tmp_path / "cache"


@pytest.fixture
def data(tmp_path: Path) -> bytes:
    save_file(nn.Linear(3, 2).state_dict(), tmp_path / "net.safetensors")
    return (tmp_path / "net.safetensors").read_bytes()


def test_they_are_fetched_once_however_many_ask(web: Web, cache: Path, data: bytes) -> None:
    web.files["/a/net.safetensors"] = data
    digest = hashlib.sha256(data).hexdigest()
    url = f"{web.url}/a/net.safetensors"
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: checkpoints.find(url, "", digest.upper()), range(8)))
    assert found == {cache / "weights" / f"{digest}.safetensors"} and found.pop().read_bytes() == data
    assert checkpoints.find(f"{url}#sha256={digest}", "").read_bytes() == data
    assert web.requests.count("/a/net.safetensors") == 1
    assert checkpoints.by_route("x", f"{url}#sha256={digest}", {"hair": f"{url}#sha256={digest}"}).keys() == {
        "general",
        "hair",
    }
    checkpoints.load(nn.Linear(3, 2), checkpoints.find(url, "", digest))


def test_from_a_bucket(bucket: str, data: bytes) -> None:
    filesystem("s3").pipe_file(f"{bucket[5:]}/w/net.onnx", data)
    settings = UserModelSettings(path=f"{bucket}/w/net.onnx#sha256={hashlib.sha256(data).hexdigest()}")
    assert settings.kind == "onnx" and settings.file().read_bytes() == data
    assert settings.check() == hashlib.sha256(data).hexdigest()
    with pytest.raises(HairlineError, match="unknown kind"):
        UserModelSettings(path=f"{bucket}/w/net.exe#sha256={'0' * 64}").file()


def test_a_damaged_copy_is_fetched_anew(web: Web, cache: Path, data: bytes) -> None:
    web.files["/net"] = data
    url, digest = f"{web.url}/net", hashlib.sha256(data).hexdigest()
    path = checkpoints.find(url, "", digest)
    path.write_bytes(data[:-10])
    assert checkpoints.find(url, "", digest).read_bytes() == data
    assert web.requests.count("/net") == 2


def test_a_server_that_fails_at_first(web: Web, data: bytes) -> None:
    web.files["/net"] = data
    web.failures["/net"] = [503, 0]
    assert checkpoints.find(f"{web.url}/net", "", hashlib.sha256(data).hexdigest()).read_bytes() == data


def test_what_is_not_to_be_had(web: Web, cache: Path, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    web.files["/net"] = data
    for sha256 in ("", "abc"):
        with pytest.raises(HairlineError, match=rf"^weights {web.url}/net: name the sha256"):
            checkpoints.find(f"{web.url}/net", "", sha256)
    with pytest.raises(HairlineError, match=r"have sha256 .*…, but 000000000000… is expected: another file lies there"):
        checkpoints.find(f"{web.url}/net", "", "0" * 64)
    with pytest.raises(HairlineError, match=rf"^weights {web.url}/none: cannot be fetched: "):
        checkpoints.find(f"{web.url}/none", "", "0" * 64)
    with pytest.raises(HairlineError, match=r"^weights nonsense://x: cannot be fetched: "):
        checkpoints.find("nonsense://x", "", "0" * 64)
    assert [path for path in (cache / "weights").iterdir() if path.suffix != ".lock"] == []
    (cache / "file").touch()
    monkeypatch.setenv("HAIRLINE_CACHE", str(cache / "file"))
    with pytest.raises(HairlineError, match=r"cannot be kept in .*: Not a directory; set HAIRLINE_CACHE"):
        checkpoints.find(f"{web.url}/net", "", hashlib.sha256(data).hexdigest())


def test_where_they_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HAIRLINE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert downloads.folder() == tmp_path / "hairline"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert downloads.folder() == Path.home() / ".cache" / "hairline"
