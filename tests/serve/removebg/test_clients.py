"""Clients of remove.bg as they are published, installed from their indexes and run unchanged, against a real service.

Their address, https://api.remove.bg, is fixed in their code. It stays: the environment names a proxy on loopback
(HTTPS_PROXY) and the authority that signed its certificate, as it would in a company's network, and the proxy hands
what is meant for api.remove.bg to the service. Nothing else gets through it. The client of npm knows no proxy; there
NODE_OPTIONS loads a few lines first that connect to the same place where it means api.remove.bg.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import trustme

from hairline.serve.keys import add_key
from kit import Web
from serve_kit import Server, array, photo, serving

pytestmark = pytest.mark.slow
CLIENTS = ["removebg==0.4", "remove_bg_api==0.2.1", "rembgpy==1.0.1"]
NODE_CLIENT = "remove.bg@1.3.0"
PER_MINUTE = 50
LEAD = """
delete process.env.HTTPS_PROXY;
const tls = require("tls");
const connect = tls.connect;
tls.connect = (options, ...rest) =>
  connect(options.host === "api.remove.bg" ? {...options, host: "127.0.0.1", port: %d} : options, ...rest);
"""


class Proxy:
    """An HTTPS proxy that leads api.remove.bg to a service, in a thread of its own."""

    def __init__(self, folder: Path, service: str) -> None:
        target = urlsplit(service)
        self.target = (target.hostname, target.port)
        authority = trustme.CA()
        self.authority = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self.authority))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("api.remove.bg").configure_cert(self.tls)
        self.refused: list[str] = []
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.url = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(20)

    def environment(self) -> dict[str, str]:
        """What leads a client here."""
        lead = self.authority.with_name("lead.js")
        lead.write_text(LEAD % self.inner[1])
        kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        return kept | {
            "HTTPS_PROXY": self.url,
            "REQUESTS_CA_BUNDLE": str(self.authority),
            "NODE_OPTIONS": f"--require {lead}",
            "NODE_EXTRA_CA_CERTS": str(self.authority),
        }

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _start(self) -> str:
        inner = await asyncio.start_server(self._plain, "127.0.0.1", 0, ssl=self.tls)
        self.inner = inner.sockets[0].getsockname()[:2]
        outer = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return f"http://127.0.0.1:{outer.sockets[0].getsockname()[1]}"

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if not head.startswith("CONNECT api.remove.bg:443 "):
            self.refused.append(head.splitlines()[0])
            writer.close()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await self._join(reader, writer, *await asyncio.open_connection(*self.inner))

    async def _plain(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._join(reader, writer, *await asyncio.open_connection(*self.target))

    async def _join(self, reader: object, writer: object, other: object, to_other: object) -> None:
        async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, ssl.SSLError):
                while part := await source.read(1 << 16):
                    sink.write(part)
                    await sink.drain()
            sink.close()

        await asyncio.gather(pass_on(reader, to_other), pass_on(other, writer))  # type: ignore[arg-type]


@dataclass
class Setup:
    """Where clients run, and what a result must be.

    Attributes:
        key: an API key of the service; url: a picture that the service may fetch.
        expected: RGBA of the service's own answer, uint8 [320, 320, 4].
    """

    folder: Path
    service: Server
    proxy: Proxy
    key: str
    url: str
    expected: np.ndarray

    def run(self, *command: str) -> str:
        """A client's program. Arguments that it gets: the key, the picture's file, its URL."""
        done = subprocess.run(
            [*command, self.key, "cat.jpg", self.url],
            cwd=self.folder,
            env=self.proxy.environment(),
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert self.proxy.refused == []
        return done.stdout

    def check(self, *names: str) -> None:
        """Each of these files is the cut-out that the service gives."""
        for name in names:
            assert np.array_equal(array((self.folder / name).read_bytes()), self.expected), name


@pytest.fixture(scope="module")
def ready(pictures_on_the_web: Web, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    folder = tmp_path_factory.mktemp("clients")
    picture = photo("chelsea", 320, 320)
    (folder / "cat.jpg").write_bytes(picture)
    pictures_on_the_web.files["/cat.jpg"] = picture
    key = add_key(folder / "keys.json", "client", PER_MINUTE, 4)
    settings = [
        "pools.0.workers=1",
        f"keys={folder / 'keys.json'}",
        f"jobs.folder={folder / 'jobs'}",
        f"access_log={folder / 'log'}",
        f"fetch.allow=['127.0.0.1:{pictures_on_the_web.server.server_port}']",
    ]
    with serving("service-laptop.yaml", *settings) as service:
        answer = service.post("/v1.0/removebg", files={"image_file": picture}, headers={"X-Api-Key": key})
        expected = array(answer.content)
        assert expected.shape == (320, 320, 4) and expected[..., 3].min() == 0 and expected[..., 3].max() == 255
        proxy = Proxy(folder, service.url)
        yield Setup(folder, service, proxy, key, f"{pictures_on_the_web.url}/cat.jpg", expected)
        proxy.stop()


def test_the_limit_of_a_key_is_told_as_remove_bg_tells_it(ready: Setup) -> None:
    few = {"Authorization": f"Bearer {add_key(ready.folder / 'keys.json', 'few', 1, 1)}"}
    first, second = (ready.service.post("/v1.0/removebg", files={"image_file": photo()}, headers=few) for _ in range(2))
    assert first.status_code == 200 and "Retry-After" not in first.headers
    assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == ("1", "0")
    assert second.status_code == 429 and second.headers["X-RateLimit-Remaining"] == "0"
    wait = int(second.headers["Retry-After"])
    assert 0 < wait <= 61 and abs(int(second.headers["X-RateLimit-Reset"]) - time.time() - wait) <= 2


@pytest.fixture(scope="module")
def python(ready: Setup) -> str:
    """A Python that has the three clients, and nothing of ours."""
    place = ready.folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, timeout=120)
    interpreter = str(place / "bin" / "python")
    install = [interpreter, "-m", "pip", "install", "-q", "--disable-pip-version-check", *CLIENTS]
    subprocess.run(install, check=True, timeout=300)
    return interpreter


def test_removebg(ready: Setup, python: str) -> None:
    program = """
import base64, sys
from removebg import RemoveBg
key, file, url = sys.argv[1:]
client = RemoveBg(key, "error.log")
client.remove_background_from_img_file(file)
client.remove_background_from_img_url(url, new_file_name="a-url.png")
text = base64.b64encode(open(file, "rb").read()).decode()
client.remove_background_from_base64_img(text, size="4k", new_file_name="a-base64.png")
"""
    ready.run(python, "-c", program)
    ready.check("cat.jpg_no_bg.png", "a-url.png", "a-base64.png")


def test_remove_bg_api(ready: Setup, python: str) -> None:
    program = """
import base64, json, sys
from remove_bg_api import RemoveBg
key, file, url = sys.argv[1:]
client = RemoveBg(key)
before = client.account.balance()
data = open(file, "rb").read()
open("b-bytes.png", "wb").write(client.remove_bg_bytes(data))
client.remove_bg_file(file, out_path="b-file.png", raw=False)
client.remove_bg_url(url, out_path="b-url.png", raw=False)
client.remove_bg_base64(base64.b64encode(data).decode(), out_path="b-base64.png", raw=False)
account = client.account
print(json.dumps([before, account.balance(), account.get_balance_dict(), account.free_api_calls()]))
"""
    before, after, credits, calls = json.loads(ready.run(python, "-c", program))
    ready.check("b-bytes.png", "b-file.png", "b-url.png", "b-base64.png")
    assert before == after == credits["total"] > 0 and calls > 0  # nothing is charged


def test_rembgpy(ready: Setup, python: str) -> None:
    """Its default `roi` is `0 0 100% 100%`, and its `crop` is the margin: 0 without a unit."""
    program = """
import base64, sys
from rembgpy import RemBg
key, file, url = sys.argv[1:]
client = RemBg(key, "error.log")
client.remove_img(url, nfn="c-url.png")
text = base64.b64encode(open(file, "rb").read()).decode()
client.remove_b64(text, nfn="c-base64.png")
for kind in ("other", "car", "car_interior", "car_part", "transportation", "graphics", "animal"):
    client.remove_b64(text, type=kind, type_level="latest", nfn=f"c-{kind}.png")
client.remove_b64(text, crop=5, nfn="c-crop.png")
client.remove_b64(text, bg_type="color", bg="81d4fa", format="png", nfn="c-color.png")
"""
    ready.run(python, "-c", program)
    ready.check("c-url.png", "c-base64.png")
    for kind in ("other", "car", "car_interior", "car_part", "transportation", "graphics", "animal"):
        assert array((ready.folder / f"c-{kind}.png").read_bytes()).shape == (320, 320, 4)
    alpha = ready.expected[..., 3] >= 13
    height, width = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    cropped = array((ready.folder / "c-crop.png").read_bytes())
    assert cropped.shape[:2] == (height[-1] - height[0] + 11, width[-1] - width[0] + 11)
    colored = array((ready.folder / "c-color.png").read_bytes())
    empty = ready.expected[..., 3] == 0
    assert (np.abs(colored[empty][:, :3].astype(int) - (0x81, 0xD4, 0xFA)) <= 1).all()


def test_remove_bg_of_npm(ready: Setup) -> None:
    npm = shutil.which("npm")
    if not npm:
        pytest.skip("no npm on this machine (Debian: apt install npm)")
    install = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(ready.folder), NODE_CLIENT]
    subprocess.run(install, check=True, timeout=300)
    program = """
const fs = require("fs");
const client = require("remove.bg");
const [apiKey, path, url] = process.argv.slice(1);
(async () => {
  const base64img = fs.readFileSync(path, {encoding: "base64"});
  const found = [
    await client.removeBackgroundFromImageFile({apiKey, path, outputFile: "d-file.png"}),
    await client.removeBackgroundFromImageUrl({apiKey, url, outputFile: "d-url.png"}),
    await client.removeBackgroundFromImageBase64({apiKey, base64img, outputFile: "d-base64.png"}),
    await client.removeBackgroundFromImageFile(
      {apiKey, path, size: "full", type: "animal", crop: true, crop_margin: "0", roi: "0 0 100% 100%", scale: "50%"}),
  ];
  const wrong = await client.removeBackgroundFromImageUrl({apiKey: "wrong", url}).catch((errors) => errors);
  console.log(JSON.stringify({found, wrong}));
})().catch((error) => { console.error(error); process.exit(1); });
"""
    told = json.loads(ready.run("node", "-e", program))
    ready.check("d-file.png", "d-url.png", "d-base64.png")
    for result in told["found"]:
        limit, left, reset = (int(result[name]) for name in ("rateLimit", "rateLimitRemaining", "rateLimitReset"))
        assert limit == PER_MINUTE and 0 <= left < limit and 0 < reset - time.time() <= 62
        assert result["creditsCharged"] == "0" and result["detectedType"] and "retryAfter" not in result
        width, height = int(result["resultWidth"]), int(result["resultHeight"])
        assert array(base64.b64decode(result["base64img"])).shape == (height, width, 4)
    assert told["wrong"][0]["code"] == "auth_failed"
