"""The service's routes put together, as one ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from .api import Api
from .desk import Desk
from .errors import ApiError
from .jobs_api import JobsApi
from .middleware import Around, tell
from .reference import STYLE
from .removebg.route import RemoveBg

PAGE = Path(__file__).parent / "page"


def build(desk: Desk) -> Starlette:
    """The application. It watches the pools from its start to its end."""

    api = Api(desk)
    jobs = JobsApi(desk, api)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        told = {"status": "ready" if desk.ready else "not ready", "model": desk.model, "pools": desk.counts}
        return JSONResponse(told, 200 if desk.ready else 503)

    async def metrics(request: Request) -> Response:
        if desk.service.metrics == "key":
            desk.authorize(request, opens="metrics")
        return Response(desk.metrics.text(), media_type="text/plain; version=0.0.4")

    async def page(_: Request) -> Response:
        if not (PAGE / "index.html").is_file():
            raise HTTPException(404)
        return FileResponse(PAGE / "index.html")

    async def style(_: Request) -> Response:
        return FileResponse(STYLE)

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        await desk.look()  # before the first request
        tasks = [asyncio.create_task(each) for each in (desk.watch(), jobs.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    around = [Middleware(Around, desk=desk)]
    if desk.service.cors:
        around.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(desk.service.cors),
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "X-Api-Key", "X-Request-Id"],
                expose_headers=["*"],
            )
        )
    routes = [
        Route("/healthz", health),
        Route("/readyz", ready),
        Route("/metrics", metrics),
        *api.routes(),
        Route("/docs/style.css", style),
        *jobs.routes(),
        *RemoveBg(desk).routes(),
        Route("/", page),
    ]
    if PAGE.is_dir():
        routes.append(Mount("/page", StaticFiles(directory=PAGE)))  # type: ignore[arg-type]
    app = Starlette(
        routes=routes, middleware=around, lifespan=life, exception_handlers={ApiError: tell, HTTPException: tell}
    )
    app.router.redirect_slashes = False  # a redirect would name whatever host the caller's header claims
    return app
