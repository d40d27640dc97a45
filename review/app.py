"""The routes of a review, as one ASGI application: the page, pictures, decisions."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .. import serve
from ..pipeline.decisions import Conflict, Decision
from ..pipeline.names import visible
from ..pipeline.outcome import Row
from ..pipeline.retry import classify_error
from ..serve.errors import ApiError
from ..serve.guard import Guard
from ..serve.keys import Keys
from ..serve.security import SECURITY
from ..stages.correction import Correction
from ..stages.errors import HairlineError, PictureError
from ..stages.item import encode_alpha
from . import pictures
from .correcting import Corrector
from .desk import REASONS, WANTED, Desk, Shown, check_reason
from .requests import Form, filter_of, number_seen, read_form, read_json, text, texts

PAGE = Path(__file__).parent / "page"
SHARED = Path(str(serve.__file__)).parent / "page"  # of the service's page: colours, controls, the editor
LONGEST_NAME = 64
log = logging.getLogger(__name__)
Handler = Callable[[Request], Awaitable[Response]]


def build(desk: Desk, keys: Keys | None, reviewer: str) -> Starlette:
    """The application.

    Args:
        keys: who may come in; None: whoever reaches it.
        reviewer: how decisions are signed where there are no keys and the page gives no name.
    """
    routes = Routes(desk, keys, reviewer)
    app = Starlette(
        routes=[
            Route("/", _file(PAGE / "index.html")),
            Route("/api/start", routes.start),
            Route("/api/next", routes.next, methods=["POST"]),
            Route("/api/hold", routes.hold, methods=["POST"]),
            Route("/api/free", routes.free, methods=["POST"]),
            Route("/api/decide", routes.decide, methods=["POST"]),
            Route("/api/undo", routes.undo, methods=["POST"]),
            Route("/api/correct", routes.correct, methods=["POST"]),
            Route("/api/save", routes.save, methods=["POST"]),
            Route("/api/matte", routes.matte),
            Route("/api/source", routes.source),
            Route("/api/cut", routes.cut),
            Mount("/page", StaticFiles(directory=SHARED)),
            Mount("/review", StaticFiles(directory=PAGE)),
        ],
        middleware=[Middleware(Around, guard=Guard(keys is not None, (), ()))],
        exception_handlers={ApiError: _told, HTTPException: _told},
    )
    app.router.redirect_slashes = False
    return app


class Routes:
    """What the page asks for. Every answer but the page's own files needs a key where there are keys."""

    def __init__(self, desk: Desk, keys: Keys | None, reviewer: str) -> None:
        self.desk, self.keys, self.reviewer = desk, keys, reviewer or _login()
        self.corrector = Corrector(desk.products)

    async def start(self, request: Request) -> Response:
        """What the page shows around the pictures."""
        who = self._who(request, {})
        desk = self.desk
        told = {
            "name": desk.name,
            "output": visible(desk.output.root),
            "who": who,
            "named": self.keys is not None,
            "total": len(desk.index),
            "filters": await run_in_threadpool(desk.counts),
            "chosen": vars(desk.chosen),
            "sample": desk.sample is not None,
            "reasons": REASONS,
            "wanted": WANTED,
        }
        return JSONResponse(told)

    async def next(self, request: Request) -> Response:
        """The next picture and how far the review is."""
        given = await self._json(request)
        who, tab, chosen = self._who(request, given), text(given, "tab"), filter_of(given)
        without = texts(given, "without")

        def work() -> dict[str, Any]:
            shown = self.desk.next(chosen, who, tab, without)
            return {"picture": self.desk.tell(shown) if shown else None, "progress": self.desk.progress(chosen)}

        return JSONResponse(await run_in_threadpool(work))

    async def hold(self, request: Request) -> Response:
        """A window is still there, with its pictures."""
        given = await self._json(request)
        who, tab = self._who(request, given), text(given, "tab")
        for id in texts(given, "ids"):
            if self.desk.index.place(id) >= 0:
                await run_in_threadpool(self.desk.claims.take, id, who, tab)
        return JSONResponse({})

    async def free(self, request: Request) -> Response:
        """A window gives pictures back."""
        given = await self._json(request)
        self._who(request, given)
        for id in texts(given, "ids") or self.desk.claims.held(text(given, "tab")):
            await run_in_threadpool(self.desk.claims.free, id, text(given, "tab"))
        return JSONResponse({})

    async def decide(self, request: Request) -> Response:
        given = await self._json(request)
        who, shown = self._who(request, given), await self._shown(text(given, "id"))
        verdict, reason = text(given, "verdict"), str(given.get("reason") or "")
        try:
            check_reason(shown.row, verdict, reason)
        except HairlineError as error:
            raise ApiError(400, "invalid_decision", "No decision", str(error)) from error
        told = await self._decided(
            self.desk.decide,
            shown.row["id"],
            number_seen(given),
            verdict,
            who,
            reason,
            text(given, "key"),
            text(given, "tab"),
        )
        return JSONResponse({"number": told.number, "verdict": told.verdict})

    async def undo(self, request: Request) -> Response:
        """The reviewer's newest decision is undone; its picture comes back."""
        given = await self._json(request)
        who, tab = self._who(request, given), text(given, "tab")
        undone = await self._decided(self.desk.undo, who, text(given, "key"))
        if undone is None:
            return JSONResponse({"picture": None})
        await run_in_threadpool(self.desk.claims.take, undone.id, who, tab)
        shown = await self._shown(undone.id)
        told = {"picture": self.desk.tell(shown), "progress": self.desk.progress(filter_of(given))}
        return JSONResponse(told)

    async def correct(self, request: Request) -> Response:
        """What strokes, places and boxes make of a matte, as a grey PNG; nothing is written.

        Fields as of `/v1/correct` (`keep`, `drop`, `box`, `strokes_file`, `follow`, `matte_file`), and the `id`.
        """
        form = await self._form(request)
        self._who(request, form.texts)
        row = await self._cut_out(form.texts)
        try:
            correction = form.correction()
        except ValueError as error:
            raise ApiError(400, "invalid_correction", "No correction", str(error)) from error
        alpha = await self._decided(self.corrector.correct, row, correction)
        return Response(await run_in_threadpool(encode_alpha, alpha), media_type="image/png")

    async def save(self, request: Request) -> Response:
        """The corrected matte is put down, and the products are made from it."""
        form = await self._form(request)
        given = form.texts
        who, row = self._who(request, given), await self._cut_out(given)
        seen = number_seen(given)

        def work() -> tuple[Decision, list[str]]:
            matte = Correction(matte=form.files.get("matte_file", b""))
            matte.check(row["width"], row["height"])
            return self.desk.correct(row["id"], seen, who, text(given, "key"), text(given, "tab"), matte.matte_so_far())

        made, left = await self._decided(work)
        return JSONResponse({"number": made.number, "verdict": made.verdict, "left": left})

    async def matte(self, request: Request) -> Response:
        """The matte that holds, whole, as a grey PNG."""
        self._who(request, {})
        shown = await self._shown(request.query_params.get("id", ""))
        alpha = await self._decided(pictures.alpha_of, self.desk.output, shown.row, shown.standing)
        if alpha is None:
            raise ApiError(
                422, "no_matte", "This cannot be corrected", "the run made neither mask nor whole cut-out of it"
            )
        return Response(await run_in_threadpool(encode_alpha, alpha), media_type="image/png")

    async def source(self, request: Request) -> Response:
        return await self._picture(
            request, lambda shown, whole: pictures.source_bytes(shown.row, self.desk.limits(shown.row), whole)
        )

    async def cut(self, request: Request) -> Response:
        desk = self.desk
        return await self._picture(
            request,
            lambda shown, whole: pictures.cut_bytes(
                desk.output, shown.row, shown.standing, desk.limits(shown.row), whole
            ),
        )

    async def _picture(self, request: Request, make: Callable[[Shown, bool], bytes]) -> Response:
        self._who(request, {})
        shown = await self._shown(request.query_params.get("id", ""))
        try:
            data = await run_in_threadpool(make, shown, request.query_params.get("whole") == "1")
        except PictureError as error:
            raise ApiError(422, error.reason, "This picture cannot be shown", error.detail or error.reason) from error
        return Response(data, media_type="image/webp", headers={"Cache-Control": "private, max-age=3600"})

    async def _shown(self, id: str) -> Shown:
        shown = await run_in_threadpool(self.desk.show, id)
        if shown is None:
            raise ApiError(404, "not_found", "No such picture", "the ledger has none of this id")
        return shown

    async def _cut_out(self, given: dict[str, Any]) -> Row:
        """The row of a picture that can be corrected."""
        row = (await self._shown(text(given, "id"))).row
        if row["status"] != "ok":
            raise ApiError(400, "invalid_decision", "No decision", "only what was cut out is corrected")
        return row

    async def _json(self, request: Request) -> dict[str, Any]:
        self._check_key(request)  # before anything is read of whoever it is
        return await read_json(request)

    async def _form(self, request: Request) -> Form:
        self._check_key(request)
        return await read_form(request)

    async def _decided(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Calls what puts a decision down; says who was first, or what is wrong."""
        try:
            return await run_in_threadpool(work, *arguments)
        except Conflict as conflict:
            there = conflict.there
            detail = f"{there.who}: {there.verdict}{f' ({there.reason})' if there.reason else ''}"
            raise ApiError(409, "decided_meanwhile", "This is decided already", detail) from conflict
        except PictureError as error:
            raise ApiError(
                422, error.reason, "The picture does not allow this", error.detail or error.reason
            ) from error
        except HairlineError as error:
            raise ApiError(422, "refused", "This cannot be done", str(error)) from error

    def _who(self, request: Request, given: dict[str, Any]) -> str:
        """Who asks. Raises ApiError: no key, or a wrong one; a name that is none."""
        if name := self._check_key(request):
            return name
        who = visible(str(given.get("who") or self.reviewer)).strip()
        if not who or len(who) > LONGEST_NAME:
            raise ApiError(400, "invalid_name", "No name", f"a name has 1 to {LONGEST_NAME} characters")
        return who

    def _check_key(self, request: Request) -> str:
        """The name of the key; empty where none is needed. Raises ApiError: it is missing or wrong."""
        if self.keys is None:
            return ""
        key = self.keys.find(request.headers.get("x-api-key"))
        if key is None or key.opens != "pictures":
            told = ApiError(403, "auth_failed", "Missing or wrong API key", "make one with hairline keys add NAME")
            told.headers["Connection"] = "close"  # what it may have sent is not read
            raise told
        return key.name


class Around:
    """The outermost layer: who may ask, headers that every answer carries, errors in one shape. Plain ASGI."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self.app, self.guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            refusal = self.guard.refusal(scope["method"], Headers(scope=scope), scope["path"])
            if refusal:
                refusal.headers["Connection"] = "close"
                return await (await _told(Request(scope), refusal))(scope, receive, answer)
            await self.app(scope, receive, answer)
        except ClientDisconnect:
            return None
        except Exception as error:
            if isinstance(error, HairlineError):
                told = ApiError(503, "refused", "This cannot be done", str(error))
            elif isinstance(error, OSError):
                told = ApiError(503, "storage", "The storage does not answer", classify_error(error).detail)
            else:
                log.exception("%s %s", scope["method"], scope["path"])
                told = ApiError(500, "internal_error", "Something went wrong here", "the command says more")
            if not begun:
                await (await _told(Request(scope), told))(scope, receive, answer)
        return None


async def _told(_: Request, error: Exception) -> Response:
    """An error as the service tells it."""
    if isinstance(error, HTTPException):
        error = ApiError(error.status_code, "not_found" if error.status_code == 404 else "refused", error.detail)
    assert isinstance(error, ApiError)
    return JSONResponse(error.body, error.status, error.headers)


def _file(path: Path) -> Handler:
    async def answer(_: Request) -> Response:
        return FileResponse(path)

    return answer


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "somebody"
