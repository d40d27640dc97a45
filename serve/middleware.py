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

from .context import ServiceContext
from .errors import REASONS, ApiError
from .guard import Guard, resolve_client
from .log import request_id
from .security import SECURITY

LEFT = 499  # what the log says of a client that did not wait
PIECE = 256 << 10  # bytes of an answer that are handed to the connection at a time
TITLES = {404: "Not found", 405: "Method not allowed"}
log = logging.getLogger(__name__)


async def error_response(request: Request, error: Exception) -> Response:
    """An error as an answer: ours, and those of Starlette's routing."""
    if isinstance(error, HTTPException):
        title = TITLES.get(error.status_code, "The request cannot be answered")
        code = title.lower().replace(" ", "_")
        error = ApiError(error.status_code, code, title, headers=dict(error.headers or {}))
    assert isinstance(error, ApiError)
    request.state.code, request.state.reason = error.code, error.reason
    return JSONResponse(error.body, error.status, error.headers)


class RequestMiddleware:
    """The outermost layer."""

    def __init__(self, app: ASGIApp, context: ServiceContext) -> None:
        self.app, self.context = app, context
        service = context.service
        has_keys = context.keys is not None
        keyed = ("/metrics",) if has_keys and service.metrics == "key" else ()
        self.guard = Guard(has_keys, service.hosts, service.cors, keyed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        resolve_client(scope, self.context.service.proxies)
        record = RequestRecord(scope)
        scope.setdefault("state", {})["id"] = record.id

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = record.id
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
                if self.context.draining:
                    headers["Connection"] = "close"  # the client's next request goes to the successor
                await send(message)
            else:
                await self._pass_on(message, send, record)

        async def read() -> Message:
            message = await receive()
            record.received += len(message.get("body", b"") or b"")
            return message

        try:
            await self._guarded(scope, read, answer, record)
        finally:
            self._count(scope, record)

    async def _pass_on(self, message: Message, send: Send, record: RequestRecord) -> None:
        """A body in pieces, each when the client has taken the one before: what waits here is counted."""
        body, more = message.get("body", b""), message.get("more_body", False)
        if len(body) <= PIECE:
            await send(message)
            record.sent += len(body)
            return
        with self.context.admission.leaving(len(body)):
            for start in range(0, len(body), PIECE):
                piece = body[start : start + PIECE]
                last = start + PIECE >= len(body)
                await send({"type": message["type"], "body": piece, "more_body": more or not last})
                record.sent += len(piece)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send, record: RequestRecord) -> None:
        try:
            refusal = self.guard.refusal(scope["method"], Headers(scope=scope), scope["path"])
            if refusal:
                refusal.headers["Connection"] = "close"  # its body is not read
                return await (await error_response(Request(scope), refusal))(scope, receive, send)
            await self.app(scope, receive, send)
            return None
        except ClientDisconnect:
            record.status = LEFT
        except Exception:
            log.exception("request %s", record.id)
            if not record.status:  # nothing has been sent yet
                told = ApiError(500, "internal_error", "Something went wrong here", f"request {record.id}")
                await (await error_response(Request(scope), told))(scope, receive, send)

    def _count(self, scope: Scope, record: RequestRecord) -> None:
        seconds, state = time.perf_counter() - record.started, scope["state"]
        route = getattr(scope.get("route"), "path", "other")
        metrics = self.context.metrics
        metrics.requests.labels(route, str(record.status)).inc()
        metrics.latency.labels(route).observe(seconds)
        if record.status >= 400:
            why = "" if record.status == LEFT else state.get("reason", "")
            metrics.refused.labels(why or REASONS.get(record.status, "bad_request")).inc()
        client = scope.get("client") or ("", 0)
        self.context.log.write(
            request_id=record.id,
            client=client[0],
            status=record.status,
            code=state.get("code", ""),
            key=state.get("key", ""),
            method=scope["method"],
            path=scope["path"],
            seconds=seconds,
            bytes_in=record.received,
            bytes_out=record.sent,
        )


class RequestRecord:
    """What is noted of one request."""

    def __init__(self, scope: Scope) -> None:
        self.id = request_id(Headers(scope=scope).get("x-request-id", ""))
        self.started = time.perf_counter()
        self.status = self.received = self.sent = 0
