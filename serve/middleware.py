"""Around every route: a request id, security headers, errors in one shape, the access log and the counters.

Plain ASGI: Starlette's own middleware class would hide from the routes that the client has left.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .desk import Desk
from .errors import ApiError
from .security import SECURITY

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
LEFT = 499  # what the log says of a client that did not wait
TITLES = {404: "Not found", 405: "Method not allowed"}
log = logging.getLogger(__name__)


async def tell(request: Request, error: Exception) -> Response:
    """An error as an answer: ours, and those of Starlette's routing."""
    if isinstance(error, HTTPException):
        title = TITLES.get(error.status_code, "The request cannot be answered")
        code = title.lower().replace(" ", "_")
        error = ApiError(error.status_code, code, title, headers=dict(error.headers or {}))
    assert isinstance(error, ApiError)
    request.state.code = error.code
    return JSONResponse(error.body, error.status, error.headers)


class Around:
    """The outermost layer."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self.app, self.desk = app, desk
        self.log = AccessLog(desk.service.access_log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        visit = Seen(scope)
        scope.setdefault("state", {})["id"] = visit.id

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = visit.id
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
                if self.desk.draining:
                    headers["Connection"] = "close"  # the client's next request goes to the successor
            elif message["type"] == "http.response.body":
                visit.sent += len(message.get("body", b""))
            await send(message)

        async def read() -> Message:
            message = await receive()
            visit.received += len(message.get("body", b"") or b"")
            return message

        try:
            await self._guarded(scope, read, answer, visit)
        finally:
            self._count(scope, visit)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send, visit: Seen) -> None:
        try:
            await self.app(scope, receive, send)
            return
        except ClientDisconnect:
            visit.status = LEFT
        except Exception:
            log.exception("request %s", visit.id)
            if not visit.status:  # nothing has been sent yet
                told = ApiError(500, "internal_error", "Something went wrong here", f"request {visit.id}")
                await JSONResponse(told.body, told.status, told.headers)(scope, receive, send)

    def _count(self, scope: Scope, visit: Seen) -> None:
        seconds = time.perf_counter() - visit.started
        route = getattr(scope.get("route"), "path", "other")
        self.desk.metrics.requests.labels(route, str(visit.status)).inc()
        self.desk.metrics.latency.labels(route).observe(seconds)
        client = scope.get("client") or ("", 0)
        self.log.write(
            {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "request_id": visit.id,
                "client": client[0],
                "key": scope["state"].get("key", ""),
                "method": scope["method"],
                "path": scope["path"][:200],
                "status": visit.status,
                "code": scope["state"].get("code", ""),
                "seconds": round(seconds, 4),
                "bytes_in": visit.received,
                "bytes_out": visit.sent,
            }
        )


class Seen:
    """What is noted of one request."""

    def __init__(self, scope: Scope) -> None:
        given = Headers(scope=scope).get("x-request-id", "")
        self.id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        self.started = time.perf_counter()
        self.status = self.received = self.sent = 0


class AccessLog:
    """One line of JSON for each request."""

    def __init__(self, place: str) -> None:
        """Args: place: a file that is appended to, `-` for standard output, or empty for none."""
        self._file: TextIO | None = None
        if place:
            # not sys.stdout, where Ray's chatter goes and is muted
            self._file = sys.__stdout__ if place == "-" else Path(place).expanduser().open("a", encoding="utf-8")

    def write(self, facts: dict[str, Any]) -> None:
        if self._file:
            self._file.write(json.dumps(facts) + "\n")
            self._file.flush()
