"""Trying again, and what storage errors mean.

Broken connections and timeouts are tried again with exponential back-off and full jitter
(https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). A storage that throttles gets fewer
requests at a time (throttle.py). A run also waits for storage that is away altogether, or that refuses what it gave a
moment ago; that is told by asking for something else, so that one object that cannot be had is not waited for.
"""

from __future__ import annotations

import errno
import itertools
import random
import time
from collections.abc import Callable
from contextlib import nullcontext
from enum import Enum
from typing import NamedTuple, TypeVar

from .throttle import Throttle

T = TypeVar("T")

ATTEMPTS = 6
BASE_S, LONGEST_S = 0.4, 20.0
SURE_S = 3.0  # so long an object must be refused, while others are not, until it is to blame
PASSING = {errno.EBUSY, errno.EREMOTEIO, errno.EIO, errno.EAGAIN, errno.ETIMEDOUT, errno.ESTALE}  # 503, 500 from S3
WRONG_NAME = {errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP}
THROTTLING = {
    "SlowDown", "503", "ServiceUnavailable", "429", "TooManyRequests", "TooManyRequestsException",
    "RequestLimitExceeded", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
    "RequestThrottledException", "BandwidthLimitExceeded",
}  # fmt: skip
STALE = {
    "ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", "InvalidToken",
    "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "AuthFailure",
}  # fmt: skip
NO_CREDENTIALS = {
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound",
    "TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError",
}  # fmt: skip


class Trouble(Enum):
    """What may help against an error."""

    FINAL = "nothing"
    PASSING = "trying again"
    THROTTLED = "asking less often"
    REFUSED = "another day: the storage answers, but may not or does not want to give what is asked for"
    STALE = "other credentials: those that were sent have expired or been replaced"


FREE = {Trouble.REFUSED: 1, Trouble.STALE: 2}  # attempts without patience, where they are not ATTEMPTS


class HttpError(OSError):
    """An answer over HTTP that is no success."""

    def __init__(self, status: int, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(f"HTTP {status} {reason}".strip())
        self.status = status
        self.wait_s = wait_s  # what the server asks for (Retry-After)


class StorageDown(Exception):
    """The storage gave nothing, whatever was asked, until the patience was used up. Its cause is the last error."""


class Verdict(NamedTuple):
    """What an error means: a short code for the row, one line for a person, and what may help."""

    reason: str
    detail: str
    trouble: Trouble

    @property
    def again(self) -> bool:
        return self.trouble is not Trouble.FINAL


def classify_error(error: Exception) -> Verdict:
    """Judges an error of a local file system, s3fs (botocore) or HTTP (aiohttp)."""
    kind = type(error).__name__
    line = " ".join(str(error).split())[:300] or kind
    code = s3_code(error)
    if code in THROTTLING:
        return Verdict("fetch", line, Trouble.THROTTLED)
    if code in STALE:
        return Verdict("permission", line, Trouble.STALE)
    if code == "NoSuchBucket":
        return Verdict("not_found", "no such bucket" if line == "None" else line, Trouble.REFUSED)
    if isinstance(error, HttpError):
        if error.status in (404, 410):
            return Verdict("not_found", line, Trouble.FINAL)
        if error.status in (401, 403):
            return Verdict("permission", line, Trouble.FINAL)
        if error.status in (429, 503):
            return Verdict("fetch", line, Trouble.THROTTLED)
        return Verdict("fetch", line, _passing(error.status in (408, 425) or error.status >= 500))
    if kind in NO_CREDENTIALS:
        return Verdict(
            "permission", "no S3 credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", Trouble.STALE
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Verdict("not_found", "no such bucket or key" if line == "None" else line, Trouble.FINAL)
    if isinstance(error, PermissionError):
        return Verdict("permission", line, Trouble.REFUSED if code else Trouble.FINAL)
    if isinstance(error, IsADirectoryError):
        return Verdict("not_a_file", line, Trouble.FINAL)
    if isinstance(error, TimeoutError | ConnectionError | EOFError):
        return Verdict("fetch", f"{kind}: {line}", Trouble.PASSING)
    if NETWORK_ERRORS & {each.__name__ for each in type(error).__mro__}:
        return Verdict(
            "fetch", f"{kind}: {line}", _passing(kind not in ("InvalidURL", "ClientConnectorCertificateError"))
        )
    if isinstance(error, OSError):
        reason = "not_found" if error.errno in WRONG_NAME else "fetch"
        return Verdict(reason, line, _passing(error.errno in PASSING))
    if isinstance(error, ValueError) and "null byte" in line:
        return Verdict("not_found", line, Trouble.FINAL)
    return Verdict("fetch", f"{kind}: {line}", Trouble.FINAL)


def _passing(passing: bool) -> Trouble:
    return Trouble.PASSING if passing else Trouble.FINAL


def s3_code(error: BaseException | None) -> str:
    """S3's code behind an error of s3fs, such as AccessDenied; the status, where the answer had no body; or empty."""
    while error is not None:
        answer = getattr(error, "response", None)
        if isinstance(answer, dict):
            return str(answer.get("Error", {}).get("Code", ""))
        error = error.__cause__
    return ""


def telling(action: Callable[[], T], read: Callable[[], object]) -> T:
    """Runs an action of S3, and says more of an error than a HEAD can: its answer has no body, and 400 may be anything.

    Args:
        read: a GET there, whose answer names credentials that have expired.
    """
    try:
        return action()
    except OSError as error:
        if s3_code(error) != "400":
            raise
        try:
            read()
        except Exception as told:
            if classify_error(told).trouble is Trouble.STALE:
                raise
        raise


NETWORK_ERRORS = {  # by name: their libraries are only loaded by who needs them
    # botocore
    "ConnectionError",
    "HTTPClientError",
    "IncompleteReadError",
    "ResponseStreamingError",
    "ResponseParserError",
    # aiohttp
    "ClientConnectionError",
    "ClientPayloadError",
    "InvalidURL",
    # fsspec
    "FSTimeoutError",
}


def with_retries(
    action: Callable[[], T],
    patience_s: float = 0.0,
    is_away: Callable[[], bool] | None = None,
    renew: Callable[[], None] | None = None,
    throttle: Throttle | None = None,
) -> tuple[T, int]:
    """Runs an action until it succeeds.

    Args:
        patience_s: how long to go on, seconds, also where the storage refuses (which otherwise is final) and after the
            `ATTEMPTS` that every action gets.
        is_away: whether the storage gives nothing else either. It tells an outage, which is waited for, from a single
            object that cannot be had, which is not.
        renew: fetches the credentials anew.
        throttle: lets so many actions go at once as the storage bears.

    Returns:
        What the action returns, and at which attempt.

    Raises:
        StorageDown: `is_away` is there, and says so.
        Exception: the action's last error, where it is final, or came too often and for too long.
    """
    started = time.monotonic()
    alone, since = 0, started  # how often in a row something else could be had, and since when
    for attempt in itertools.count(1):
        try:
            with throttle.turn() if throttle else nullcontext() as turn:
                result = action()
            return result, attempt
        except Exception as error:
            trouble = classify_error(error).trouble
            if trouble is Trouble.THROTTLED and turn:
                turn.slow_down()
            if trouble is Trouble.FINAL:
                raise
            if renew and trouble in (Trouble.REFUSED, Trouble.STALE):
                renew()
            enough = attempt >= FREE.get(trouble, ATTEMPTS)
            if enough and is_away and trouble in (Trouble.PASSING, Trouble.REFUSED):
                alone = 0 if is_away() else alone + 1
                since = time.monotonic() if alone < 2 else since
                # twice, for an outage may have ended between the action and the question; and one may come in bursts
                if alone > 1 and (trouble is Trouble.PASSING or time.monotonic() - since >= SURE_S):
                    raise
            if enough and not alone and time.monotonic() - started >= patience_s:
                if is_away:
                    raise StorageDown(classify_error(error).detail) from error
                raise
            wait = random.uniform(0, min(LONGEST_S, BASE_S * 2 ** (min(alone, 2) if alone else min(attempt, 10))))
            time.sleep(max(wait, min(getattr(error, "wait_s", 0.0), LONGEST_S)))
    raise AssertionError("unreachable")
