"""HTTP/1.1 for clients that mean no good: uvicorn's protocol over h11, with a time for everything.

What never becomes a request (bytes that are no HTTP, connections beyond all places) is answered, counted and logged
here in the form of all other answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import h11
from starlette.responses import JSONResponse
from uvicorn.protocols.http.h11_impl import H11Protocol

from .context import ServiceContext
from .errors import ApiError
from .log import request_id
from .security import SECURITY

HEADERS_S = 10.0  # for a request's headers to arrive
STALL_S = 20.0  # for the client to take what has been written, at most `middleware.PIECE` bytes
CONNECTIONS = 1000
PIECES, CRUMB = 1000, 64  # of a body: so many pieces may come in any size, more must have so many bytes on average
PHRASES = {400: b"Bad Request", 503: b"Service Unavailable"}


class Protocol(H11Protocol):
    """One connection."""

    def __init__(self, context: ServiceContext, **options: Any) -> None:
        super().__init__(**options)
        self._context = context
        self._pieces = self._bytes = 0
        self._slow: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.conn.next_event = partial(self._counted, self.conn.next_event)  # type: ignore[method-assign]
        transport.set_write_buffer_limits(high=0)  # whatever is not taken at once is waited for, and timed
        if len(self.connections) > CONNECTIONS:
            wait = {"Retry-After": "5"}
            self._say(ApiError(503, "unavailable", "Too many connections", headers=wait, reason="connections"))
            return
        self._slow = self.loop.call_later(HEADERS_S, self._too_slow)

    def _counted(self, next_event: Callable[[], Any]) -> Any:
        """The next event. Raises h11.RemoteProtocolError: the body comes in crumbs, each of which costs as much as a
        proper piece; a megabyte of them would keep everybody else waiting for a minute."""
        event = next_event()
        if isinstance(event, h11.Request):
            self._pieces = self._bytes = 0
        elif isinstance(event, h11.Data):
            self._pieces += 1
            self._bytes += len(event.data)
            if self._pieces > PIECES and self._bytes < CRUMB * self._pieces:
                raise h11.RemoteProtocolError("the body comes in crumbs")
        return event

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        waits = self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])
        if waits and self._slow is None:
            self._slow = self.loop.call_later(HEADERS_S, self._too_slow)
        elif not waits:
            self._calm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALL_S, self._give_up)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def send_400_response(self, msg: str) -> None:
        self._say(ApiError(400, "malformed_request", "This is no HTTP request", reason="malformed"))

    def _say(self, error: ApiError) -> None:
        """Answers without a request, and hangs up. Says nothing in the midst of another answer."""
        id = request_id()
        self._refused(id, error)
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            answer = JSONResponse(error.body, error.status, {**SECURITY, **error.headers, "X-Request-Id": id})
            head = b"HTTP/1.1 %d %s\r\nconnection: close\r\n" % (error.status, PHRASES[error.status])
            lines = b"".join(b"%s: %s\r\n" % header for header in answer.raw_headers)
            self.transport.write(head + lines + b"\r\n" + bytes(answer.body))
        self.transport.close()

    def _too_slow(self) -> None:
        if self.conn.trailing_data[0]:  # somebody who only connected asked nothing
            self._refused(request_id(), ApiError(408, "request_timeout", "The headers took too long"))
        self.transport.close()

    def _give_up(self) -> None:
        self._context.metrics.refused.labels("slow_reader").inc()
        self.transport.abort()

    def _refused(self, id: str, error: ApiError) -> None:
        self._context.metrics.refused.labels(error.reason).inc()
        self._context.metrics.requests.labels("other", str(error.status)).inc()
        self._context.log.write(id, self.client[0] if self.client else "", error.status, error.code)

    def _calm(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None
