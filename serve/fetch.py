"""Fetching a URL that somebody outside has named: the only way out of the service.

Every socket that is opened here is judged by the address it is about to connect to (`addresses.py`), at the
moment it is made. So notations, names that resolve to inner addresses, redirects and names that change their
answer between check and use (DNS rebinding) all end at the same line of code. No proxy, cookie or credential
of this machine is used.

Not covered: pictures behind a login, and more than a second try; whoever asked may ask again.
"""

from __future__ import annotations

import asyncio
import re
import socket
from http import HTTPStatus
from typing import Any

import aiohttp
from yarl import URL

from ..configs.network import FetchLimits
from ..stages.errors import PictureError
from .addresses import may_reach

CHUNK = 1 << 16
LONGEST_URL = 4096
LONGEST_LABEL = 63  # of a host's name, between two dots (RFC 1035); longer ones cannot be asked for
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9.])?|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")  # after IDNA; or IPv6
REDIRECTS = (301, 302, 303, 307, 308)
NOWHERE = "the URL leads to no address and port that may be reached from here"
HEADERS = {"User-Agent": "Hairline", "Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"}


class FetchError(PictureError):
    """A URL that was not fetched. `reason` is one of

    - `invalid_url`: no http or https URL that can be asked;
    - `refused_url`: its address or port may not be reached, or it brings a password;
    - `too_many_bytes`: the answer is too long;
    - `fetch`: the other side gave no picture in time. The detail tells nothing of what is behind refused addresses.
    """


async def fetch(url: str, limits: FetchLimits) -> bytes:
    """The body that a URL leads to, redirects followed. It may be anything; it is not looked into.

    A connection that cannot be made, or that breaks off, is tried a second time.

    Raises:
        FetchError: see there.
    """
    try:
        return await _fetch(url, limits)
    except FetchError as error:
        cause = error.__cause__
        if isinstance(cause, TimeoutError | aiohttp.ClientSSLError):  # of the kinds below, but would come again
            raise
        if not isinstance(cause, aiohttp.ClientConnectionError | OSError):
            raise
    return await _fetch(url, limits)


async def _fetch(url: str, limits: FetchLimits) -> bytes:
    connector = aiohttp.TCPConnector(
        # one address after the other: what the socket factory raises then comes through as it is
        socket_factory=lambda info: _socket(info, limits),
        happy_eyeballs_delay=None,
        use_dns_cache=False,
        force_close=True,
    )
    try:
        async with (
            asyncio.timeout(limits.seconds),
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
            ) as session,
        ):
            target = _parse(url, limits)
            for _ in range(limits.redirects + 1):
                async with session.get(target, headers=HEADERS, allow_redirects=False) as answer:
                    if answer.status not in REDIRECTS:
                        return await _body(answer, limits)
                    target = _next(target, answer.headers.get("Location", ""), limits)
            raise FetchError("fetch", f"more than {limits.redirects} redirects")
    except aiohttp.InvalidURL as error:
        raise FetchError("invalid_url", "the URL names no valid host") from error
    except TimeoutError as error:
        raise FetchError("fetch", f"no whole answer within {limits.seconds:g} seconds") from error
    except aiohttp.ClientSSLError as error:
        raise FetchError("fetch", "the server's certificate is not valid") from error
    except aiohttp.ClientConnectorDNSError as error:  # said of inner names too, whether there are such or not
        raise FetchError("refused_url", NOWHERE) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise FetchError("fetch", "the server cannot be reached, or its answer broke off") from error


def _parse(text: str, limits: FetchLimits) -> URL:
    if len(text) > LONGEST_URL:
        raise FetchError("invalid_url", f"the URL is longer than {LONGEST_URL:,} characters")
    if any(ord(c) <= 32 or ord(c) == 127 for c in text.strip()):
        raise FetchError("invalid_url", "the URL holds spaces or control characters")
    try:
        return _check(URL(text.strip()), limits)
    except (ValueError, TypeError) as error:
        raise FetchError("invalid_url", "this is no URL") from error


def _next(base: URL, location: str, limits: FetchLimits) -> URL:
    try:
        return _check(base.join(URL(location)), limits)
    except (ValueError, TypeError) as error:
        raise FetchError("fetch", "the server redirects to what is no URL") from error


def _check(url: URL, limits: FetchLimits) -> URL:
    if url.scheme not in ("http", "https"):
        raise FetchError("invalid_url", "only http:// and https:// URLs are fetched")
    host = url.raw_host or ""
    if not HOST.fullmatch(host) or max(map(len, host.split("."))) > LONGEST_LABEL:
        raise FetchError("invalid_url", "the URL names no valid host")
    if url.user is not None or url.password is not None:
        raise FetchError("refused_url", "URLs with a user name or password are not fetched")
    return url.with_fragment(None)


def _socket(info: tuple[Any, ...], limits: FetchLimits) -> socket.socket:
    family, kind, protocol, _, address = info
    if not may_reach(str(address[0]), int(address[1]), limits.ports, limits.allow):
        raise FetchError("refused_url", NOWHERE)
    return socket.socket(family, kind, protocol)


async def _body(answer: aiohttp.ClientResponse, limits: FetchLimits) -> bytes:
    if answer.status != HTTPStatus.OK:
        raise FetchError("fetch", f"the server answered {answer.status}")
    if answer.headers.get("Content-Encoding", "identity") != "identity":  # small bytes that grow without bound
        raise FetchError("fetch", "the server sends a compressed answer that was not asked for")
    too_long = FetchError("too_many_bytes", f"the file has more than {limits.max_bytes:,} bytes")
    if (answer.content_length or 0) > limits.max_bytes:
        raise too_long
    data = bytearray()
    async for chunk in answer.content.iter_chunked(CHUNK):
        data += chunk
        if len(data) > limits.max_bytes:
            raise too_long
    return bytes(data)
