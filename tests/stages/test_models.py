"""Public models by name, fetched from a server of the tests' own: nothing here leaves the machine."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hairline.cli import main
from hairline.stages import models
from hairline.stages.coarse import CoarseSettings
from hairline.stages.errors import HairlineError
from hairline.stages.models import PublicModel

DATA = bytes(range(256)) * 12_000  # 3 MB
NAME = "u2net-v1.onnx"  # as published


@dataclass
class Server:
    """Serves `data` under any name; breaks off after `breaks[0]` bytes of the first answer, and so on.

    Attributes:
        asked: (path as it was asked for, Range) of every request.
    """

    data: bytes = DATA
    breaks: list[int] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range", "")
        self.asked.append((handler.path, wanted))
        start = int(wanted.removeprefix("bytes=").rstrip("-") or 0)
        body = self.data[start:]
        handler.send_response(206 if wanted else 200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: self.breaks.pop(0)] if self.breaks else body)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A server that holds the model u2net, as the catalogue now knows it."""
    made = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    made.url = f"http://127.0.0.1:{http.server_port}"
    for name in ("HAIRLINE_MODELS", "HAIRLINE_DOWNLOAD", "http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HAIRLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(models, "WAIT_S", 0.01)
    entry = models.catalogue()["u2net"].model_dump()
    known = {"url": f"{made.url}/released/{NAME}", "hash": f"sha256:{hashlib.sha256(DATA).hexdigest()}"}
    catalogue = {**models.catalogue(), "u2net": PublicModel(**{**entry, **known})}
    monkeypatch.setattr(models, "catalogue", lambda: catalogue)
    yield made
    http.shutdown()
    http.server_close()


def cached(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.joinpath("cache/models").glob("*") if path.suffix != ".lock")


def test_the_catalogue() -> None:
    assert len(models.catalogue()) >= 10
    for name, model in models.catalogue().items():
        algorithm, _, digest = model.hash.partition(":")
        assert len(digest) == {"md5": 32, "sha256": 64}[algorithm] and set(digest) <= set("0123456789abcdef")
        assert model.url.startswith("https://") and model.file.endswith(".onnx")
        settings = CoarseSettings.model_validate({"model": {"name": name, "accept_license": True}}).model
        assert settings and settings.kind == "onnx" and settings.size in (320, 512, 1024)
    assert [name for name, model in models.catalogue().items() if not model.commercial] == ["bria-rmbg"]


def test_a_broken_connection_is_resumed(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.breaks = [1 << 20, 1 << 19]
    assert main(["models", "pull", "u2net"]) == 0
    path = tmp_path / "cache/models" / NAME
    assert capsys.readouterr().out == f"{path}\n" and path.read_bytes() == DATA
    assert [wanted for _, wanted in server.asked] == ["", f"bytes={1 << 20}-", f"bytes={3 << 19}-"]
    assert cached(tmp_path) == [NAME]
    assert main(["models", "path", "u2net"]) == main(["models", "pull", "u2net"]) == 0
    assert len(server.asked) == 3


def test_what_had_come_is_kept_for_the_next_time(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "ATTEMPTS", 1)
    server.breaks = [1 << 21]
    with pytest.raises(HairlineError, match="cannot be fetched"):
        models.pull("u2net")
    assert cached(tmp_path) == [f"{NAME}.part"]
    assert models.pull("u2net").read_bytes() == DATA
    assert server.asked[-1][1] == f"bytes={1 << 21}-"


def test_another_file_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    server.data = DATA[:-1] + b"x"
    with pytest.raises(HairlineError, match="another file than was published, and was removed"):
        models.pull("u2net")
    assert cached(tmp_path) == []
    server.data = DATA
    models.pull("u2net").write_bytes(b"damaged")
    with pytest.raises(HairlineError, match=r"damaged or another file; delete it and run `hairline models pull u2net`"):
        models.find("u2net")


def test_a_mirror(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAIRLINE_MODELS", f"{server.url}/mirror/")
    assert models.pull("u2net").read_bytes() == DATA
    assert [path for path, _ in server.asked] == [f"/mirror/{NAME}"]


def test_a_proxy(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "address", lambda name: f"http://released.example/{NAME}")
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    assert models.pull("u2net").read_bytes() == DATA
    assert [path for path, _ in server.asked] == [f"http://released.example/{NAME}"]


@pytest.mark.parametrize("name", [NAME, "u2net.onnx"])
def test_a_folder_without_any_network(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = tmp_path / "by hand"
    monkeypatch.setenv("HAIRLINE_MODELS", str(folder))
    monkeypatch.setenv("HAIRLINE_DOWNLOAD", "1")
    with pytest.raises(HairlineError, match=f"holds no {NAME}; put it there"):
        models.pull("u2net")
    folder.mkdir()
    (folder / name).write_bytes(DATA)
    assert models.find("u2net") == models.pull("u2net") == folder / name
    assert server.asked == []


OWN = """
ours:
  task: shoes
  url: ours.onnx
  hash: HASH
  megabytes: 3
  code: MIT
  weights: ours
  commercial: true
  note: trained last week
  model: {size: 320}
"""


def test_models_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAIRLINE_MODELS", str(tmp_path))
    (tmp_path / "ours.onnx").write_bytes(DATA)
    own, known = tmp_path / models.OWN, OWN.replace("HASH", f"sha256:{hashlib.sha256(DATA).hexdigest()}")
    own.write_text(known)
    assert models.find("ours") == tmp_path / "ours.onnx" and "u2net" in models.catalogue()
    settings = CoarseSettings.model_validate({"model": "ours"}).model
    assert settings and settings.name == "ours" and settings.size == 320
    for changed, message in (
        (known.replace("ours:\n", "u2net:\n"), r"models.yaml:2: u2net is the name of a known model; give it another"),
        (OWN, r"models.yaml:5: ours.hash: String should match"),
        (known.replace("  note", "  notes"), r"models.yaml:10: ours.notes: unknown key; did you mean note\?"),
        ("- ours", r"models.yaml: this is no mapping of keys \(names of models\), as the list of public models is"),
    ):
        own.write_text(changed)
        with pytest.raises(HairlineError, match=message):
            models.catalogue()


def test_two_at_once_fetch_once(server: Server, tmp_path: Path) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(models.pull("u2net"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / "cache/models" / NAME] * 4
    assert len(server.asked) == 1


def test_nothing_is_fetched_unasked(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "pull", "u2nets"]) == 2
    assert "no known model is called u2nets; did you mean u2net" in capsys.readouterr().err
    with pytest.raises(HairlineError, match=r"not on this machine \(176 MB\): fetch it with `hairline models pull"):
        CoarseSettings.model_validate({"model": "u2net"}).model.check()  # type: ignore[union-attr]
    assert server.asked == []
    monkeypatch.setenv("HAIRLINE_DOWNLOAD", "1")
    settings = CoarseSettings.model_validate({"model": {"name": "u2net", "threads": 2}}).model
    assert settings and settings.check() == hashlib.sha256(DATA).hexdigest() and settings.threads == 2
    assert len(server.asked) == 1


def test_a_licence_that_forbids_commercial_use(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "pull", "bria-rmbg"]) == 2
    assert "forbids commercial use" in (said := capsys.readouterr().err) and "--accept-license" in said
    with pytest.raises(ValueError, match="set accept_license: true"):
        CoarseSettings.model_validate({"model": "bria-rmbg"})
    CoarseSettings.model_validate({"model": {"name": "bria-rmbg", "accept_license": True}})


def test_the_list(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    models.pull("u2net")
    assert main(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] == "yes" for line in lines if line.split()[0] in ("u2net", "modnet")] == [True, False]
    assert main(["models", "list", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(models.catalogue())
