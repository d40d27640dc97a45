"""Trying again, and what storage errors mean.

Throttling, broken connections and timeouts are tried again with exponential back-off and full jitter
(https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/); the rest is final at once. A run also waits
for storage that is away altogether.
"""

from __future__ import annotations

import errno
import itertools
import random
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

T = TypeVar("T")

ATTEMPTS = 6
BASE_S, LONGEST_S = 0.4, 20.0
PASSING = {errno.EBUSY, errno.EREMOTEIO, errno.EIO, errno.EAGAIN, errno.ETIMEDOUT, errno.ESTALE}  # 503, 500 from S3
WRONG_NAME = {errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP}


class HttpError(OSError):
    """An answer over HTTP that is no success."""

    def __init__(self, status: int, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(f"HTTP {status} {reason}".strip())
        self.status = status
        self.wait_s = wait_s  # what the server asks for (Retry-After)


class StorageDown(Exception):
    """The storage has not answered, whatever was asked, until the patience was used up. Its cause is the last error."""


class Verdict(NamedTuple):
    """What an error means: a short code for the row, one line for a person, and whether to try again."""

    reason: str
    detail: str
    again: bool


def classify_error(error: Exception) -> Verdict:
    """Judges an error of a local file system, s3fs (botocore) or HTTP (aiohttp)."""
    kind = type(error).__name__
    line = " ".join(str(error).split())[:300] or kind
    if isinstance(error, HttpError):
        if error.status in (404, 410):
            return Verdict("not_found", line, False)
        if error.status in (401, 403):
            return Verdict("permission", line, False)
        return Verdict("fetch", line, error.status in (408, 425, 429) or error.status >= 500)
    if kind in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"):
        return Verdict("permission", "no S3 credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", False)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Verdict("not_found", "no such bucket or key" if line == "None" else line, False)
    if isinstance(error, PermissionError):
        return Verdict("permission", line, False)
    if isinstance(error, IsADirectoryError):
        return Verdict("not_a_file", line, False)
    if isinstance(error, TimeoutError | ConnectionError | EOFError):
        return Verdict("fetch", f"{kind}: {line}", True)
    if kind in _NETWORK_ERRORS:
        return Verdict("fetch", f"{kind}: {line}", kind != "InvalidURL")
    if isinstance(error, OSError):
        reason = "not_found" if error.errno in WRONG_NAME else "fetch"
        return Verdict(reason, line, error.errno in PASSING)
    if isinstance(error, ValueError) and "null byte" in line:
        return Verdict("not_found", line, False)
    return Verdict("fetch", f"{kind}: {line}", False)


_NETWORK_ERRORS = {  # by name: their libraries are only loaded by who needs them
    # botocore
    "EndpointConnectionError",
    "ConnectionClosedError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "HTTPClientError",
    "IncompleteReadError",
    "ResponseStreamingError",
    "ResponseParserError",
    # aiohttp
    "ClientConnectorError",
    "ClientConnectorDNSError",
    "ClientOSError",
    "ClientPayloadError",
    "ServerDisconnectedError",
    "ServerTimeoutError",
    "InvalidURL",
    "FSTimeoutError",
}


def with_retries(
    action: Callable[[], T], patience_s: float = 0.0, probe: Callable[[], object] | None = None
) -> tuple[T, int]:
    """Runs an action until it succeeds.

    Args:
        patience_s: how long to go on, seconds, after the `ATTEMPTS` that every action gets.
        probe: asks the storage for something else. Once the attempts are used up, it tells an outage, which is waited
            for, from a single object that cannot be had, which is not.

    Returns:
        What the action returns, and at which attempt.

    Raises:
        StorageDown: there is a probe, and it says so.
        Exception: the action's last error, where it is final, or came too often and for too long.
    """
    started = time.monotonic()
    for attempt in itertools.count(1):
        try:
            return action(), attempt
        except Exception as error:
            if not classify_error(error).again:
                raise
            if attempt >= ATTEMPTS:
                if probe and not _is_down(probe):
                    raise
                if time.monotonic() - started >= patience_s:
                    if probe:
                        raise StorageDown(classify_error(error).detail) from error
                    raise
            wait = random.uniform(0, min(LONGEST_S, BASE_S * 2 ** min(attempt, 10)))
            time.sleep(max(wait, min(getattr(error, "wait_s", 0.0), LONGEST_S)))
    raise AssertionError("unreachable")


def _is_down(probe: Callable[[], object]) -> bool:
    """Whether a question fails in a way that passes: the storage is away, or turns everybody off."""
    try:
        probe()
    except Exception as error:
        return classify_error(error).again
    return False
