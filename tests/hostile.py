"""Requests that no honest client sends, as data, and the few lines that send them byte by byte."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

HOST = b"Host: localhost\r\n"
MULTIPART = b"Content-Type: multipart/form-data; boundary=x\r\n"
PART = b'Content-Disposition: form-data; name="image_file"; filename="a.jpg"\r\n\r\n'
JSON = b"Content-Type: application/json\r\n"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"


@dataclass
class Answer:
    """What came back: status 0 if the connection was closed without a word."""

    status: int
    head: str
    body: bytes
    seconds: float


def send(url: str, *pieces: bytes, pause: float = 0.0, timeout: float = 20.0, half_close: bool = False) -> Answer:
    """Sends bytes as they are, piece by piece, and reads one answer. Raises TimeoutError: there was none."""
    place = urlsplit(url)
    started, raw = time.monotonic(), b""
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=timeout) as stream:
        try:
            for piece in pieces:
                stream.sendall(piece)
                time.sleep(pause)
            if half_close:
                stream.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the end; the answer may be there already
        try:
            while not _whole(raw) and (part := stream.recv(65536)):
                raw += part
        except ConnectionResetError:
            pass
    head, _, body = raw.partition(b"\r\n\r\n")
    status = int(head.split()[1]) if head.startswith(b"HTTP/1.1 ") else 0
    return Answer(status, head.decode("latin-1"), body, time.monotonic() - started)


def _whole(raw: bytes) -> bool:
    head, end, body = raw.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(end) and bool(lengths) and len(body) >= int(lengths[0])


def request(
    kind: bytes, body: bytes, path: bytes = b"/v1/analyze", length: int | None = None, more: bytes = b""
) -> bytes:
    """A POST with a length of its own choice."""
    told = b"Content-Length: %d\r\n" % (len(body) if length is None else length)
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + kind + told + more + b"\r\n" + body


def chunked(body: bytes) -> bytes:
    """A POST whose body claims to be in chunks."""
    return b"POST /v1/analyze HTTP/1.1\r\n" + HOST + MULTIPART + b"Transfer-Encoding: chunked\r\n\r\n" + body


def part(headers: bytes, body: bytes = b"x") -> bytes:
    return b"--x\r\n" + headers + b"\r\n\r\n" + body + b"\r\n--x--\r\n"


FILE = b'Content-Disposition: form-data; name="image_file"; filename="a.jpg"'
FIELD = b'Content-Disposition: form-data; name="include"'

BODIES: dict[str, bytes] = {
    # multipart
    "no boundary": request(b"Content-Type: multipart/form-data\r\n", part(FILE)),
    "empty boundary": request(b"Content-Type: multipart/form-data; boundary=\r\n", part(FILE)),
    "another boundary": request(b"Content-Type: multipart/form-data; boundary=y\r\n", part(FILE)),
    "long boundary": request(b"Content-Type: multipart/form-data; boundary=" + b"x" * 5000 + b"\r\n", part(FILE)),
    "odd boundary": request(b'Content-Type: multipart/form-data; boundary="\xff\xfe\\"\r\n', part(FILE)),
    "no end": request(MULTIPART, b"--x\r\n" + PART + b"x" * 99),
    "no parts": request(MULTIPART, b"--x--\r\n"),
    "no body": request(MULTIPART, b""),
    "no part headers": request(MULTIPART, b"--x\r\n\r\nx\r\n--x--\r\n"),
    "no name": request(MULTIPART, part(b"Content-Disposition: form-data")),
    "empty name": request(MULTIPART, part(b'Content-Disposition: form-data; name=""; filename="a"')),
    "not form-data": request(MULTIPART, part(b'Content-Disposition: attachment; filename="a"')),
    "half a header": request(MULTIPART, part(b"Content-Disp")),
    "header without colon": request(MULTIPART, part(b"Content-Disposition form-data")),
    "part header of 64 KB": request(MULTIPART, part(FILE + b"\r\nX: " + b"a" * 65536)),
    "1,000 part headers": request(MULTIPART, part(FILE + b"\r\nA: b" * 1000)),
    "2,000 parts": request(MULTIPART, (b"--x\r\n" + FILE + b"\r\n\r\n\r\n") * 2000 + b"--x--\r\n"),
    "2,000 fields": request(MULTIPART, (b"--x\r\n" + FIELD + b"\r\n\r\na\r\n") * 2000 + b"--x--\r\n"),
    "unquoted name": request(MULTIPART, part(b"Content-Disposition: form-data; name=image_file; filename=a")),
    "NUL in the name": request(MULTIPART, part(b'Content-Disposition: form-data; name="image_file\0"; filename="a"')),
    "no UTF-8 in the name": request(MULTIPART, part(b'Content-Disposition: form-data; name="\xff\xfe"')),
    "no UTF-8 in a field": request(MULTIPART, part(FIELD, b"\xff\xfe\x00")),
    "an unknown charset": request(MULTIPART[:-2] + b"; charset=klingon\r\n", part(FIELD, b"mask")),
    "a charset of a bomb": request(MULTIPART, part(FIELD + b"\r\nContent-Type: text/plain; charset=utf-7", b"+ADw-")),
    "nested multipart": request(MULTIPART, part(FILE + b"\r\nContent-Type: multipart/mixed; boundary=y", b"--y--")),
    "base64 transfer": request(MULTIPART, part(FILE + b"\r\nContent-Transfer-Encoding: base64", b"eA==")),
    "line feeds alone": request(MULTIPART, part(FILE).replace(b"\r\n", b"\n")),
    "a file for a field": request(MULTIPART, part(FIELD[:-8] + b'include"; filename="a"', b"mask")),
    "a field for a file": request(MULTIPART, part(b'Content-Disposition: form-data; name="image_file"', b"mask")),
    "RFC 2231 file name": request(MULTIPART, part(FILE[:-16] + b"; filename*=utf-8''..%2f..%2fx")),
    # JSON
    "JSON cut off": request(JSON, b'{"image_file_b64": "'),
    "JSON list": request(JSON, b"[]"),
    "JSON number": request(JSON, b"1"),
    "JSON null": request(JSON, b"null"),
    "JSON empty": request(JSON, b""),
    "JSON NaN": request(JSON, b'{"image_url": NaN}'),
    "JSON 1e999": request(JSON, b'{"image_url": 1e999, "size": -1e999}'),
    "JSON huge integer": request(JSON, b'{"size": ' + b"9" * 5000 + b"}"),
    "JSON deep": request(JSON, b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "JSON wrong types": request(JSON, b'{"image_url": {"a": 1}, "include": [1], "products": "x"}'),
    "JSON in JSON": request(JSON, b'{"image_url": "http://localhost/", "products": "' + b"[" * 50_000 + b'"}'),
    "JSON half a character": request(JSON, b'{"image_url": "\\ud800"}'),
    "JSON NULs": request(JSON, b'{"image_url": "\\u0000", "include": "\\u0000"}'),
    "JSON no UTF-8": request(JSON, b'{"image_url": "\xff"}'),
    "JSON with BOM": request(JSON, b"\xef\xbb\xbf{}"),
    "JSON UTF-16": request(JSON, '{"image_url": "a"}'.encode("utf-16")),
    "JSON twice": request(JSON, b'{"image_url": "a", "image_url": "b"}'),
    "JSON prototype": request(JSON, b'{"__proto__": {"a": 1}, "__class__": "x", "constructor": 1}'),
    "base64 of nothing": request(JSON, b'{"image_file_b64": "===="}'),
    "base64 of letters": request(JSON, b'{"image_file_b64": "\xc3\xa4\xc3\xb6"}'),
    "data URL of HTML": request(JSON, b'{"image_file_b64": "data:text/html,<script>alert(1)</script>"}'),
    # urlencoded and others
    "form percent": request(FORM, b"image_url=%zz&include=%"),
    "form no UTF-8": request(FORM, b"image_url=%ff%fe"),
    "form raw bytes": request(FORM, b"image_url=\xff\xfe"),
    "form 5,000 fields": request(FORM, b"&".join(b"a%d=1" % n for n in range(5000))),
    "form NUL": request(FORM, b"image_url=%00"),
    "no type": request(b"", b"abc"),
    "odd type": request(b"Content-Type: \xff/;;;=\r\n", b"abc"),
    "XML": request(
        b"Content-Type: application/xml\r\n", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
    ),
    "compressed body": request(JSON + b"Content-Encoding: gzip\r\n", b"\x1f\x8b\x08" + bytes(99)),
}

WIRE: dict[str, bytes] = {
    "shorter than told": request(MULTIPART, part(FILE), length=9999),
    "longer than told": request(MULTIPART, part(FILE), length=10),
    "5 GB told": request(MULTIPART, part(FILE), length=5 << 30),
    "10^30 told": request(MULTIPART, part(FILE), length=10**30),
    "negative length": request(MULTIPART, part(FILE), length=-1),
    "length in words": request(MULTIPART, b"x", more=b"").replace(b"Content-Length: 1", b"Content-Length: one"),
    "two lengths": request(MULTIPART, part(FILE), more=b"Content-Length: 3\r\n"),
    "length and chunks": request(MULTIPART, b"0\r\n\r\n", more=b"Transfer-Encoding: chunked\r\n"),
    "chunk size in words": chunked(b"zz\r\nx\r\n0\r\n\r\n"),
    "chunk of 2^68": chunked(b"ffffffffffffffff1\r\nx"),
    "chunk extension of 1 MB": chunked(b"1;" + b"a" * 1_000_000 + b"\r\nx\r\n0\r\n\r\n"),
    "unknown encoding": request(MULTIPART, b"x", more=b"Transfer-Encoding: br\r\n"),
    "200 headers": b"GET /healthz HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: a\r\n" % n for n in range(200)) + b"\r\n",
    "50,000 headers": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 50_000 + b"\r\n",
    "header of 60 KB": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 60_000 + b"\r\n\r\n",
    "header of 1 MB": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "URL of 100 KB": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "query of 100 KB": b"GET /healthz?" + b"a=b&" * 25_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "header with NUL": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: \0\r\n\r\n",
    "folded header": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "header without name": b"GET /healthz HTTP/1.1\r\n" + HOST + b": a\r\n\r\n",
    "blank before colon": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X : a\r\n\r\n",
    "latin header": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-Api-Key: \xe4\xff\r\n\r\n",
    "odd request id": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-Request-Id: <script>{\"a\"}\t\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /healthz HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "odd host": b"GET / HTTP/1.1\r\nHost: evil.example/<script>\r\n\r\n",
    "odd method": b"<script> /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    "HTTP/0.9": b"GET /healthz\r\n",
    "HTTP/3.0": b"GET /healthz HTTP/3.0\r\n" + HOST + b"\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "TLS": bytes.fromhex("160301006c010000680303") + bytes(100),
    "absolute URL": b"GET http://localhost:1/x HTTP/1.1\r\n" + HOST + b"\r\n",
    "a proxy's CONNECT": b"CONNECT localhost:22 HTTP/1.1\r\n" + HOST + b"\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "upgrade": b"GET /healthz HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "zeros": bytes(4096),
    "blank lines": b"\r\n" * 20_000,
    "expect": request(MULTIPART, part(FILE), more=b"Expect: 200-maybe\r\n"),
}  # fmt: skip

PATHS = [
    *(b"/page/../app.py", b"/page/%2e%2e/app.py", b"/page/..%2fapp.py", b"/page/..%5capp.py", b"/page/..\\app.py"),
    *(b"/page/....//app.py", b"/page//etc/passwd", b"/page/%2fetc%2fpasswd", b"/page/%252e%252e/app.py", b"/page/"),
    *(b"/page/.", b"/page/%00", b"/page/app.js%00.html", b"/page/\xff", b"/page/" + b"a/" * 3000, b"/page/C:\\x"),
    *(b"/page/app.js/x", b"/page/~root", b"/page/file:///etc/passwd", b"/page/%c0%ae%c0%ae/app.py"),
    *(b"//localhost/%2f..", b"/../../etc/passwd", b"/%2e%2e/%2e%2e/etc/passwd", b"/v1/../page/../app.py", b"/;/x"),
    *(b"/v1/jobs/..%2f..%2fetc%2fpasswd", b"/v1/jobs/%2e%2e", b"/v1/jobs/.", b"/v1/jobs/lock", b"/v1/jobs/%00"),
    *(b"/v1/jobs/" + b"a" * 5000, b"/v1/jobs/*", b"/v1/jobs/~", b"/v1/jobs/a/results/-1", b"/v1/jobs/a/results/1e9"),
    *(b"/v1/jobs/%2e%2e/results/0", b"/v1/jobs/a/results/" + b"9" * 400, b"/v1/jobs/%0d%0aX-Evil:1", b"/v1/products/"),
    *(b"/<script>alert(1)</script>", b"/%3Cscript%3E", b"/?<script>", b"/doc", b"/.git/config", b"/keys.json", b"/v1"),
]  # fmt: skip
METHODS = ("PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "HEAD", "FOO", "GET")

# of this machine, and of no other
LOOPBACK = [
    *("127.0.0.1", "localhost", "LOCALHOST.", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1"),
    *("017700000001", "127.000.000.001", "127.8.8.8", "0", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]"),
    *("[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]", "①②⑦.⓪.⓪.①", "127。0。0。1", "127.0.0.1%2f", "127.0.0.1%00"),
]
NAMES = [
    "../../../../tmp/evil.jpg",
    "/tmp/evil.jpg",
    "a\\..\\..\\evil.jpg",
    "<script>.jpg",
    "a\0.jpg",
    "x" * 9000,
    "\r\nX: y",
]
HALF_CLOSED = ("shorter than told", "HTTP/0.9", "TLS", "zeros", "blank lines")  # of WIRE: nothing more will come
