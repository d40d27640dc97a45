"""Who asks, and whether a web page of somebody else makes the browser ask.

A service on loopback without keys trusts whoever reaches it, and every page that a browser of this machine shows
reaches it. Two things tell such a page from the service's own: the name that it used for the service (a page whose
name was pointed at 127.0.0.1, "DNS rebinding", still uses its own name) and the origin that a browser adds to what a
page sends. Programs send neither a strange name nor an origin. With keys a page has nothing that the browser would
add by itself, so names count only where `hosts` lists them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from .errors import ApiError
from .keys import is_loopback

Network = IPv4Network | IPv6Network

HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+)(?P<port>:\d{1,5})?")
READS = ("GET", "HEAD", "OPTIONS")  # what a page of another origin may ask: it is not shown the answer
FOREIGN = ("cross-site", "same-site")  # what browsers call requests of other origins' pages
FORWARDED = re.compile(r'\s*(?P<name>[A-Za-z]+)\s*=\s*(?:"(?P<quoted>[^"\\]*)"|(?P<plain>[^\s;,"]+))\s*')


class Guard:
    """Holds requests to the names and origins that the service knows.

    Args:
        needs_key: whether what works on pictures needs a key.
        hosts: names of the service beside those of this machine, in lower case, without ports.
        origins: whose pages may call it, as `https://example.org`.
        keyed: paths with a key of their own, for programs that ask by a pod's address, as Prometheus does: their name
            does not count.
    """

    def __init__(
        self, needs_key: bool, hosts: Sequence[str], origins: Sequence[str], keyed: Sequence[str] = ()
    ) -> None:
        self._names, self._keyed = frozenset(hosts), frozenset(keyed)
        self._checks_names = bool(hosts) or not needs_key
        self._checks_origins = not needs_key
        self._origins = frozenset(origins)

    def refusal(self, method: str, headers: Headers, path: str = "") -> ApiError | None:
        """What to answer a request that must not get in; None where it may."""
        host = headers.get("host", "")
        if self._checks_names and host and path not in self._keyed and not self._is_ours(host):
            detail = "the header Host names another service; if it is a name of this one, list it in hosts"
            return ApiError(403, "forbidden_host", "Unknown host", detail, reason="forbidden_host")
        if self._checks_origins and method not in READS and self._is_foreign(headers, host):
            detail = "a web page of another origin sent this; if it may, list its origin in cors"
            return ApiError(403, "forbidden_origin", "Unknown origin", detail, reason="forbidden_origin")
        return None

    def _is_ours(self, host: str) -> bool:
        found = HOST.fullmatch(host)
        if not found:
            return False
        name = found["name"].strip("[]").lower().removesuffix(".")
        return is_loopback(name) or name in self._names

    def _is_foreign(self, headers: Headers, host: str) -> bool:
        origins = headers.getlist("origin")  # several: no browser sends them, and each must be known
        if not origins:
            return any(site.lower() in FOREIGN for site in headers.getlist("sec-fetch-site"))
        return not all(self._is_known(origin, host) for origin in origins)

    def _is_known(self, origin: str, host: str) -> bool:
        if origin in self._origins:
            return True
        # behind a proxy that speaks TLS the scheme is the proxy's, and the name in Host may be
        try:
            asks = urlsplit(origin)
        except ValueError:
            return False
        known = asks.netloc.lower() == host.lower() or asks.hostname in self._names
        return asks.scheme in ("http", "https") and bool(asks.netloc) and known


def resolve_client(scope: Scope, proxies: Sequence[Network]) -> None:
    """Puts who really asked, and over what, into an ASGI scope, where the connection comes from one of our proxies.

    From anybody else, and where `X-Forwarded-For` and `Forwarded` contradict each other (then one of them is the
    client's own invention, for a proxy writes one and passes the other on), the headers are not looked at.
    """
    peer = (scope.get("client") or ("", 0))[0]
    if not _within(peer, proxies):
        return
    headers = Headers(scope=scope)
    ways = [_x_forwarded(headers), _forwarded(headers)]
    told = [(hops, scheme) for hops, scheme in ways if hops]
    clients = {_client(hops, proxies) for hops, _ in told}
    if len(clients) != 1 or None in clients:
        return
    scope["client"] = (clients.pop(), 0)
    schemes = {scheme for _, scheme in told if scheme}
    if len(schemes) == 1:
        scope["scheme"] = schemes.pop()


def _client(hops: list[str], proxies: Sequence[Network]) -> str | None:
    """The last hop that is none of our proxies: what stands before it is hearsay. None: it is no address."""
    for hop in reversed(hops):
        address = _address(hop)
        if address is None or not _within(address, proxies):
            return address
    return _address(hops[0])


def _x_forwarded(headers: Headers) -> tuple[list[str], str]:
    hops = [hop.strip() for hop in ",".join(headers.getlist("x-forwarded-for")).split(",") if hop.strip()]
    return hops, _scheme(",".join(headers.getlist("x-forwarded-proto")).rpartition(",")[2])


def _forwarded(headers: Headers) -> tuple[list[str], str]:
    """RFC 7239."""
    hops, scheme = [], ""
    for element in ",".join(headers.getlist("forwarded")).split(","):
        for pair in element.split(";"):
            found = FORWARDED.fullmatch(pair)
            if not found:
                continue
            value = found["quoted"] if found["quoted"] is not None else found["plain"]
            if found["name"].lower() == "for":
                hops.append(value)
            elif found["name"].lower() == "proto":
                scheme = _scheme(value)
    return hops, scheme


def _scheme(text: str) -> str:
    word = text.strip().lower()
    return word if word in ("http", "https") else ""


def _address(text: str) -> str | None:
    """`1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]` or `[::1]:80` as an address alone."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return str(ip_address(host))
    except ValueError:
        return None


def _within(text: str, networks: Sequence[Network]) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in networks if network.version == address.version)
