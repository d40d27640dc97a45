"""API keys: made at random, kept as hashes, each with limits of its own.

A key is 256 random bits, so its plain SHA-256 is safe at rest: there is nothing to guess that a slow, salted
hash would make dearer, and a slow one on every request would be a cheap way to keep the service busy. Passwords
chosen by people would need one; there are none here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..stages.errors import HairlineError

PREFIX = "hl_"  # lets a scanner for leaked secrets know one
MINUTE = 60.0
CREATED = "%Y-%m-%d %H:%M UTC"


class Key(BaseModel):
    """One key as it is kept. The key itself cannot be had from it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]*$", max_length=64, description="shown in logs and metrics")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the key, in hexadecimal")
    per_minute: int = Field(600, gt=0, description="requests in any 60 seconds")
    concurrent: int = Field(16, gt=0, description="requests at the same time")
    created: str = ""
    opens: Literal["pictures", "metrics"] = Field("pictures", description="what it is for: the work, or /metrics alone")

    @property
    def identity(self) -> str:
        """What a key's jobs are kept under: of this very key. One made anew under its name has another."""
        return f"sha256:{self.sha256}"

    def made_before(self, moment: float) -> bool:
        """Whether the key surely existed at a time, seconds since 1970; what is kept of its making is the minute."""
        try:
            made = datetime.strptime(self.created, CREATED).replace(tzinfo=UTC).timestamp()
        except ValueError:
            return False
        return made + MINUTE <= moment


class Limited(Exception):
    """A key has used up its limit.

    Attributes:
        retry_after: seconds after which there is room again, at least 1.
    """

    def __init__(self, detail: str, retry_after: float) -> None:
        super().__init__(detail)
        self.retry_after = max(1, round(retry_after + 0.5))


class Keys:
    """The keys of a file. A change of the file counts from the next request on, without a restart.

    Args:
        path: a JSON list of `Key`.

    Raises:
        HairlineError: the file cannot be read or holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys = read_keys(path)
        self._seen = _stamp(path)

    def find(self, given: str | None) -> Key | None:
        """The key that was given, or None. Takes as long for a wrong key as for a right one."""
        self._reload()
        digest = _digest(given or "")
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def __len__(self) -> int:
        return len(self._keys)

    def _reload(self) -> None:
        stamp = _stamp(self.path)
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._keys = read_keys(self.path)
        except HairlineError:
            self._keys = []  # a key that was taken back must not live on in a file that cannot be read


class Limiter:
    """Holds each key to its limits, in this process. Not for several threads: it belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started: dict[str, deque[float]] = {}
        self._running: dict[str, int] = {}

    def left(self, key: Key) -> tuple[int, int, float]:
        """(requests a minute, how many of them are left now, seconds until all of them are there again)."""
        now = self._clock()
        lately = [began for began in self._started.get(key.identity, ()) if began > now - MINUTE]
        wait = lately[-1] + MINUTE - now if lately else 0.0
        return key.per_minute, max(0, key.per_minute - len(lately)), wait

    @contextmanager
    def admit(self, key: Key) -> Iterator[None]:
        """Counts one request, from here to the end of the block.

        Raises:
            Limited: too many at once, or in the last 60 seconds.
        """
        now = self._clock()
        started = self._started.setdefault(key.identity, deque())
        while started and started[0] <= now - MINUTE:
            started.popleft()
        if self._running.get(key.identity, 0) >= key.concurrent:
            raise Limited(f"this key may have {key.concurrent} requests at the same time", 1)
        if len(started) >= key.per_minute:
            raise Limited(f"this key may ask {key.per_minute} times a minute", started[0] + MINUTE - now)
        started.append(now)
        self._running[key.identity] = self._running.get(key.identity, 0) + 1
        try:
            yield
        finally:
            self._running[key.identity] -= 1


def read_keys(path: Path) -> list[Key]:
    """The keys of a file. Raises HairlineError: it cannot be read or holds something else."""
    try:
        return [Key.model_validate(entry) for entry in json.loads(path.read_text("utf-8"))]
    except FileNotFoundError as error:
        raise HairlineError(f"{path}: no such file; make a key with: hairline keys add NAME --file {path}") from error
    except OSError as error:
        raise HairlineError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValidationError, ValueError, TypeError) as error:
        raise HairlineError(f"{path}: not a file of keys as `hairline keys` writes it") from error


def add_key(
    path: Path, name: str, per_minute: int, concurrent: int, opens: Literal["pictures", "metrics"] = "pictures"
) -> str:
    """Makes a key, enters its hash into the file, and returns the key: the only time that anybody sees it.

    Raises:
        HairlineError: the name is taken or no name, a limit is not positive, or the file cannot be written.
    """
    keys = read_keys(path) if path.exists() else []
    if any(key.name == name for key in keys):
        raise HairlineError(f"{path}: there is a key called {name}; remove it first, or choose another name")
    secret = PREFIX + secrets.token_urlsafe(32)
    created = datetime.now(UTC).strftime(CREATED)
    try:
        key = Key(
            name=name,
            sha256=_digest(secret),
            per_minute=per_minute,
            concurrent=concurrent,
            created=created,
            opens=opens,
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise HairlineError(f"{first['loc'][0]} {first['input']!r}: {first['msg']}") from error
    _write(path, [*keys, key])
    return secret


def remove_key(path: Path, name: str) -> None:
    """Takes a key back. Raises HairlineError: there is none of that name."""
    keys = read_keys(path)
    left = [key for key in keys if key.name != name]
    if len(left) == len(keys):
        raise HairlineError(f"{path}: no key called {name}; there is {', '.join(key.name for key in keys) or 'none'}")
    _write(path, left)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on a host name or address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def demand_keys(host: str, keys: Keys | None) -> None:
    """Raises HairlineError: the service would listen beyond this machine, and nobody would need a key."""
    if not is_loopback(host) and not keys:
        raise HairlineError(
            f"listening on {host} would open the service to others: make a key with `hairline keys add NAME` and "
            "name its file in the service's settings, or listen on 127.0.0.1"
        )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_size


def _entry(key: Key) -> dict[str, str | int]:
    entry = key.model_dump()
    if key.opens == "pictures":
        del entry["opens"]  # as in files from before there was anything else
    return entry


def _write(path: Path, keys: list[Key]) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump([_entry(key) for key in keys], file, indent=2)
        part.replace(path)
    except OSError as error:
        raise HairlineError(f"{path}: cannot be written: {error.strerror}") from error
