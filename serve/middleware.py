"""Around every route: a request id, who may get in, security headers, errors in one shape, the access log and
the counters.

Plain ASGI: Starlette's own middleware class would hide from the routes that the client has left.
"""

from __future__ import annotations

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .desk import Desk
from .errors import REASONS, ApiError
from .guard import Guard, settle_client
from .log import request_id
from .security import SECURITY

LEFT = 499  # what the log says of a client that did not wait
PIECE = 256 << 10  # bytes of an answer that are handed to the connection at a time
TITLES = {404: "Not found", 405: "Method not allowed"}
log = logging.getLogger(__name__)


async def tell(request: Request, error: Exception) -> Response:
    """An error as an answer: ours, and those of Starlette's routing."""
    if isinstance(error, HTTPException):
        title = TITLES.get(error.status_code, "The request cannot be answered")
        code = title.lower().replace(" ", "_")
        error = ApiError(error.status_code, code, title, headers=dict(error.headers or {}))
    assert isinstance(error, ApiError)
    request.state.code, request.state.reason = error.code, error.reason
    return JSONResponse(error.body, error.status, error.headers)


class Around:
    """The outermost layer."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self.app, self.desk = app, desk
        service = desk.service
        self.guard = Guard(desk.keys is not None, service.hosts, service.cors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        settle_client(scope, self.desk.service.proxies)
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
                await send(message)
            else:
                await self._pass_on(message, send, visit)

        async def read() -> Message:
            message = await receive()
            visit.received += len(message.get("body", b"") or b"")
            return message

        try:
            await self._guarded(scope, read, answer, visit)
        finally:
            self._count(scope, visit)

    async def _pass_on(self, message: Message, send: Send, visit: Seen) -> None:
        """A body in pieces, each when the client has taken the one before: what waits here is counted."""
        body, more = message.get("body", b""), message.get("more_body", False)
        if len(body) <= PIECE:
            await send(message)
            visit.sent += len(body)
            return
        with self.desk.admission.leaving(len(body)):
            for start in range(0, len(body), PIECE):
                piece = body[start : start + PIECE]
                last = start + PIECE >= len(body)
                await send({"type": message["type"], "body": piece, "more_body": more or not last})
                visit.sent += len(piece)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send, visit: Seen) -> None:
        try:
            refusal = self.guard.refusal(scope["method"], Headers(scope=scope))
            if refusal:
                refusal.headers["Connection"] = "close"  # its body is not read
                return await (await tell(Request(scope), refusal))(scope, receive, send)
            await self.app(scope, receive, send)
            return None
        except ClientDisconnect:
            visit.status = LEFT
        except Exception:
            log.exception("request %s", visit.id)
            if not visit.status:  # nothing has been sent yet
                told = ApiError(500, "internal_error", "Something went wrong here", f"request {visit.id}")
                await (await tell(Request(scope), told))(scope, receive, send)

    def _count(self, scope: Scope, visit: Seen) -> None:
        seconds, state = time.perf_counter() - visit.started, scope["state"]
        route = getattr(scope.get("route"), "path", "other")
        metrics = self.desk.metrics
        metrics.requests.labels(route, str(visit.status)).inc()
        metrics.latency.labels(route).observe(seconds)
        if visit.status >= 400:
            why = "" if visit.status == LEFT else state.get("reason", "")
            metrics.refused.labels(why or REASONS.get(visit.status, "bad_request")).inc()
        client = scope.get("client") or ("", 0)
        self.desk.log.write(
            request_id=visit.id,
            client=client[0],
            status=visit.status,
            code=state.get("code", ""),
            key=state.get("key", ""),
            method=scope["method"],
            path=scope["path"],
            seconds=seconds,
            bytes_in=visit.received,
            bytes_out=visit.sent,
        )


class Seen:
    """What is noted of one request."""

    def __init__(self, scope: Scope) -> None:
        self.id = request_id(Headers(scope=scope).get("x-request-id", ""))
        self.started = time.perf_counter()
        self.status = self.received = self.sent = 0
