"""The access log, and the id under which a request stands in it."""

from __future__ import annotations

import json
import re
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
LONGEST_PATH = 200  # characters of a path that are kept


class AccessLog:
    """One line of JSON for each answer."""

    def __init__(self, target: str) -> None:
        """Args: target: a file that is appended to, `-` for standard output, or empty for none."""
        self._file: TextIO | None = None
        if target:
            # not sys.stdout, where Ray's chatter goes and is muted
            self._file = sys.__stdout__ if target == "-" else Path(target).expanduser().open("a", encoding="utf-8")

    def write(
        self,
        request_id: str,
        client: str,
        status: int,
        code: str,
        key: str = "",
        method: str = "",
        path: str = "",
        seconds: float = 0.0,
        bytes_in: int = 0,
        bytes_out: int = 0,
    ) -> None:
        """method and path are empty where the request could not be read. Everything is escaped, as JSON does it."""
        if self._file:
            facts = {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "request_id": request_id,
                "client": client,
                "key": key,
                "method": method,
                "path": path[:LONGEST_PATH],
                "status": status,
                "code": code,
                "seconds": round(seconds, 4),
                "bytes_in": bytes_in,
                "bytes_out": bytes_out,
            }
            self._file.write(json.dumps(facts) + "\n")
            self._file.flush()


def request_id(given: str = "") -> str:
    """The id that a client sent if it is a sane one (letters, digits, `._-`, at most 64), or one of our own."""
    return given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
