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
from .context import ServiceContext
from .correct_api import CorrectApi
from .errors import ApiError
from .jobs_api import JobsApi
from .middleware import RequestMiddleware, error_response
from .reference import STYLE
from .removebg.route import RemoveBg

PAGE = Path(__file__).parent / "page"


def build(context: ServiceContext) -> Starlette:
    """The application. It watches the pools from its start to its end."""

    api = Api(context)
    jobs = JobsApi(context, api)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        told = {"status": "ready" if context.ready else "not ready", "model": context.model, "pools": context.counts}
        return JSONResponse(told, 200 if context.ready else 503)

    async def metrics(request: Request) -> Response:
        if context.service.metrics == "key":
            context.authorize(request, opens="metrics")
        return Response(context.metrics.text(), media_type="text/plain; version=0.0.4")

    async def page(_: Request) -> Response:
        if not (PAGE / "index.html").is_file():
            raise HTTPException(404)
        return FileResponse(PAGE / "index.html")

    async def style(_: Request) -> Response:
        return FileResponse(STYLE)

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        await context.look()  # before the first request
        tasks = [asyncio.create_task(each) for each in (context.watch(), jobs.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    middleware = [Middleware(RequestMiddleware, context=context)]
    if context.service.cors:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(context.service.cors),
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
        *CorrectApi(context, api).routes(),
        Route("/docs/style.css", style),
        *jobs.routes(),
        *RemoveBg(context).routes(),
        Route("/", page),
    ]
    if PAGE.is_dir():
        routes.append(Mount("/page", StaticFiles(directory=PAGE)))  # type: ignore[arg-type]
    app = Starlette(
        routes=routes,
        middleware=middleware,
        lifespan=life,
        exception_handlers={ApiError: error_response, HTTPException: error_response},
    )
    app.router.redirect_slashes = False  # a redirect would name whatever host the caller's header claims
    return app
