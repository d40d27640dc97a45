"""Credentials that change while a process lives, and those that go from the driver to other nodes."""

from __future__ import annotations

import dataclasses
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from failing_s3 import Answer, FailingS3, Request
from hairline.cluster.stage_runner import PoolSpec
from hairline.pipeline import credentials, retry
from hairline.pipeline.credentials import Environment
from hairline.pipeline.fetch import fetch
from hairline.pipeline.preflight import Errand, own_versions
from hairline.pipeline.presence import present
from hairline.pipeline.storage import Folder, filesystem
from hairline.pipeline.worker import Worker, WorkerSpec
from hairline.stages.limits import Limits


def write(path: Path, key: str) -> None:
    path.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {'s' * 20}\n")


@pytest.mark.parametrize(("code", "status"), [("ExpiredToken", 400), ("InvalidAccessKeyId", 403)])
def test_credentials_of_a_file_are_read_anew(
    code: str,
    status: int,
    bucket: str,
    s3_server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    new_connections: Callable[[], None],
) -> None:
    if "HAIRLINE_S3_ENDPOINT" in os.environ:
        pytest.skip("that server knows one key alone")
    filesystem("s3").pipe_file(f"{bucket[5:]}/a", b"x")

    def rule(request: Request) -> Answer | None:
        return None if request.key == "newkey" else Answer(status, code, "The provided token has expired.")

    proxy = FailingS3(s3_server, rule)
    write(tmp_path / "credentials", "newkey")
    write(tmp_path / "old", "oldkey")
    monkeypatch.setattr(retry, "BASE_S", 0.01)
    monkeypatch.setattr(credentials, "RENEW_S", 0.0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "old"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    new_connections()
    with pytest.raises(Exception, match="permission"):
        fetch(f"{bucket}/a", Limits(), 1)
    assert {request.key for request in proxy.asked} == {"oldkey"}
    (tmp_path / "credentials").replace(tmp_path / "old")
    assert fetch(f"{bucket}/a", Limits(), 1) == (b"x", 2)
    assert {request.key for request in proxy.asked} == {"oldkey", "newkey"}
    write(tmp_path / "old", "oldkey")
    new_connections()
    output = Folder(f"{bucket}/out", "r1", 60.0)
    filesystem("s3").connect()
    write(tmp_path / "old", "newkey")
    assert output.look("negative/a.png") is None  # a HEAD, whose answer does not say what the matter is
    write(tmp_path / "old", "oldkey")
    new_connections()
    filesystem("s3").connect()
    write(tmp_path / "old", "newkey")
    assert fetch(f"{bucket}/a", Limits(), -1, 60.0) == (b"x", 2)
    proxy.close()


def test_the_driver_s_variables_reach_a_worker_and_are_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "drivers")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-secret")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    pool = PoolSpec("all", (), 1, 0, 8)
    there = str(tmp_path / "out")
    errand = Errand((), Limits(), (), {}, there, "r1", own_versions(), Environment.of_driver())
    spec = WorkerSpec(pool, Limits(), there, "f", "r1", errand=errand)
    sent = pickle.dumps(spec)
    for shown in (repr(spec), str(spec), str(dataclasses.asdict(spec))):
        assert "hidden-secret" not in shown and "AWS_SECRET_ACCESS_KEY" in shown
    here = {"AWS_ACCESS_KEY_ID": "nodes", "AWS_SESSION_TOKEN": "of another key", "AWS_CA_BUNDLE": "stays"}
    for name, value in here.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with present(Folder(there, "r1")):
        Worker(pickle.loads(sent))
    assert os.environ["AWS_ACCESS_KEY_ID"] == "drivers" and os.environ["AWS_SECRET_ACCESS_KEY"] == "hidden-secret"
    assert os.environ["AWS_CA_BUNDLE"] == "stays" and "AWS_SESSION_TOKEN" not in os.environ
