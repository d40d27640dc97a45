"""Credentials of object storages: fetched anew when they have expired, and handed from the driver to the workers.

They are never written anywhere: not into the output, not into a log. Ray's runtime environments are not used for them,
for Ray logs those with their values, on every node.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

from fsspec.asyn import sync

RENEW_S = 30.0  # at most so often; a connection made anew takes 13 MB, for the old one is still in use
HANDED_ON = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION",
    "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
    "HAIRLINE_MODELS", "HAIRLINE_DOWNLOAD",  # where public models are, and whether they may be fetched
)  # fmt: skip

_lock = threading.Lock()
_renewed: dict[int, tuple[float, tuple[str, ...]]] = {}  # file system -> when, and with which


class Environment:
    """The driver's variables of `HANDED_ON`, for workers on other nodes. Its text shows the names alone."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = dict(variables)

    @classmethod
    def of_driver(cls) -> Environment:
        return cls({name: os.environ[name] for name in HANDED_ON if name in os.environ})

    def __repr__(self) -> str:
        return f"Environment({', '.join(self._variables)})"

    def enter(self) -> None:
        """Puts them into the environment of this process.

        Where the driver has keys, those that the node had, with their session token, are put aside as a whole.
        """
        if "AWS_ACCESS_KEY_ID" in self._variables:
            os.environ.pop("AWS_SESSION_TOKEN", None)
        os.environ.update(self._variables)


def renew(files: Any) -> None:
    """Lets a file system of s3fs look for its credentials again: in ~/.aws, with a web identity, at the instance.

    Those of environment variables cannot change while a process lives.
    """
    if getattr(files, "session", None) is None:
        return
    with _lock, contextlib.suppress(Exception):  # the action that is tried again will say what is wrong
        last, before = _renewed.get(id(files), (-RENEW_S, ()))
        if time.monotonic() - last < RENEW_S:
            return
        _renewed[id(files)] = time.monotonic(), before
        found = sync(files.loop, _look, type(files.session))
        if found != before:
            sync(files.loop, files.set_session, refresh=True)
            _renewed[id(files)] = time.monotonic(), found


async def _look(session_class: Any) -> tuple[str, ...]:
    """The key, its secret and its token, as a new session of aiobotocore finds them."""
    found = await session_class().get_credentials()
    return tuple(map(str, await found.get_frozen_credentials())) if found else ()
