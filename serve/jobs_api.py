"""`POST /v1/jobs`, `GET /v1/jobs/{id}`, `GET /v1/jobs/{id}/results/{n}`, and the worker behind them."""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import time
from pathlib import Path
from typing import IO, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..stages.errors import PictureError
from ..stages.item import Item
from ..stages.request import RequestSpec
from .api import Api, describe, flag, read_object, with_options
from .context import ServiceContext, hide
from .errors import ApiError, busy, ended
from .fetch import fetch
from .intake import Form, size
from .job_files import JobFiles
from .jobs import Entry, Job, Store, new_id
from .keys import Key
from .openapi import TYPES
from .request_item import RequestItem

HANDOVER_S = 20.0  # longest that one ingress waits for the one before it to leave the folder
log = logging.getLogger(__name__)


class JobsApi:
    """The routes below /v1/jobs."""

    def __init__(self, context: ServiceContext, api: Api) -> None:
        self.context, self.api = context, api
        self.settings = context.service.jobs
        self.store: Store | None = None  # opened when no predecessor works on the folder any more
        self._opened = asyncio.Event()
        self._writing = asyncio.Lock()
        context.metrics.watch("jobs", "jobs that have not ended", lambda: {(): self.store.open if self.store else 0})

    def routes(self) -> list[Route]:
        return [
            Route("/v1/jobs", self.create, methods=["POST"]),
            Route("/v1/jobs/{id}", self.state, methods=["GET"]),
            Route("/v1/jobs/{id}/results/{number:int}", self.result, methods=["GET"]),
        ]

    async def run(self) -> None:
        """Works on jobs until it is cancelled."""
        with await self._folder_lock():
            self.store = Store(self.settings)
            self._opened.set()
            tasks = [asyncio.create_task(self._work(self.store)) for _ in range(self.settings.at_once)]
            tasks.append(asyncio.create_task(self.store.sweep()))
            try:
                await self.context.left.wait()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _folder_lock(self) -> IO[bytes]:
        """Waits until no other ingress works on the folder. The lock goes with the file, and with the process."""
        file = open(JobFiles(Path(self.settings.folder).expanduser()).lock(), "rb")  # noqa: SIM115
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return file
            except BlockingIOError:
                await asyncio.sleep(0.2)

    async def create(self, request: Request) -> Response:
        """A new job over the uploads `image_file` (several) or the URLs `image_urls`."""
        store = await self._ready()
        with self.context.slot(request) as slot:
            form = await self.context.form(request, slot)
            job, files = self._read(form)
            job.owner, job.request_id = slot.owner, request.state.id
            try:
                async with self._writing:
                    await self._keep(store, job, files)
            except OSError as error:
                told = f"jobs cannot be kept now: {error.strerror}"
                raise ApiError(503, "unavailable", "No place for jobs", told, {"Retry-After": "60"}) from error
        return JSONResponse(self._told(job), 202, {"Location": f"/v1/jobs/{job.id}"})

    async def _keep(self, store: Store, job: Job, files: list[bytes]) -> None:
        if store.open >= self.settings.waiting:
            raise busy(f"{store.open} jobs have not ended", 30)
        if await asyncio.to_thread(store.size) + sum(map(len, files)) > self.settings.mib << 20:
            raise busy("jobs take all the space that they may", 300)
        await store.add(job, files)

    async def state(self, request: Request) -> Response:
        """How far a job is."""
        return JSONResponse(self._told(await self._find(request)))

    async def result(self, request: Request) -> Response:
        """One finished file of a job."""
        job, number = await self._find(request), request.path_params["number"]
        self.context.admission.check_leaving()
        if number >= len(job.entries):
            raise ApiError(404, "not_found", "Not found", f"the job has {len(job.entries)} pictures, counted from 0")
        entry = job.entries[number]
        if entry.status == "waiting":
            raise ApiError(404, "not_ready", "The picture is not done yet")
        if entry.status != "ok":
            item = Item("picture", "", reason=entry.reason, detail=entry.detail)
            raise ended(item)
        name = f"{number}.{entry.ext}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(await (await self._ready()).result(job, number), media_type=TYPES[entry.ext], headers=headers)

    async def _ready(self) -> Store:
        try:
            await asyncio.wait_for(self._opened.wait(), HANDOVER_S)
        except TimeoutError as error:
            wait = {"Retry-After": "5"}
            raise ApiError(503, "unavailable", "Another service works on the jobs' folder", headers=wait) from error
        assert self.store
        return self.store

    async def _find(self, request: Request) -> Job:
        job = _owned(await self._ready(), request.path_params["id"], self.context.authorize(request))
        if job is None:
            hours = f"{self.settings.keep_hours:g}"
            raise ApiError(404, "not_found", "Not found", f"no such job; results are kept for {hours} hours")
        return job

    def _read(self, form: Form) -> tuple[Job, list[bytes]]:
        files = [data for name, data in form.files if name in ("image_file", "image_file[]")]
        urls = _urls(form.text("image_urls") or form.text("image_url"))
        if files and urls:
            raise ApiError(400, "multiple_sources", "Give image_file or image_urls, not both")
        if not files and not urls:
            raise ApiError(400, "missing_source", "No image given", "give image_file (several) or image_urls")
        if len(files or urls) > self.settings.pictures:
            raise ApiError(400, "too_many_images", "Too many images", f"a job takes {self.settings.pictures}")
        most = self.context.service.limits.max_bytes
        if any(len(data) > most for data in files):
            raise ApiError(413, "file_too_large", "File too large", f"File exceeds limit of {size(most)}")
        product = form.text("product") or next(iter(self.api.specs))
        if product not in self.api.specs:
            raise ApiError(400, "invalid_product", "Invalid product parameter given", ", ".join(self.api.specs))
        options = read_object(form.text("options"), "options")
        with_options(self.api.specs[product], options, self.context.service.limits)
        lenient = not flag(form, "reject", True)
        entries = [Entry(url=url) for url in urls] or [Entry() for _ in files]
        return Job(new_id(), "", product, options, form.text("category"), lenient, entries, time.time()), files

    def _told(self, job: Job) -> dict[str, Any]:
        counts: dict[str, int] = {}
        pictures = []
        for number, entry in enumerate(job.entries):
            counts[entry.status] = counts.get(entry.status, 0) + 1
            told = {"number": number, "status": entry.status, **entry.facts}
            if entry.url:
                told["url"] = entry.url
            if entry.status == "ok":
                told["result"] = f"/v1/jobs/{job.id}/results/{number}"
            elif entry.reason:
                told |= {"reason": entry.reason, "detail": entry.detail}
            pictures.append(told)
        facts = {"id": job.id, "status": job.status, "counts": counts, "product": job.product, "created": job.created}
        if job.request_id:
            facts["request_id"] = job.request_id
        if job.ended:
            facts["expires"] = job.ended + self.settings.keep_hours * 3600
        return {**facts, "pictures": pictures}

    async def _work(self, store: Store) -> None:
        while True:
            job, number = await store.next()
            entry, data = job.entries[number], b""
            try:
                item = (await self._do(store, job, number)).item
                hide(item, bool(entry.url))
                entry.status = "failed" if item.status == "pending" else item.status
                entry.reason, entry.detail = item.reason, item.detail
                if item.reason == "internal_error":
                    entry.detail = ""
                facts = describe(item)
                entry.facts = {name: facts[name] for name in ("width", "height", "category", "confidence")}
                if item.status == "ok":
                    made = item.outputs[job.product]
                    entry.ext, data = made.ext, made.data
            except (PictureError, ApiError) as error:
                reason = error.reason if isinstance(error, PictureError) else error.code
                entry.status, entry.reason, entry.detail = "failed", reason, error.detail
            except Exception:
                log.exception("job %s of request %s, picture %d", job.id, job.request_id, number)
                entry.status, entry.reason = "failed", "internal_error"
            try:
                await store.finish(job, number, data)
            except OSError as error:
                log.error("job %s, picture %d: cannot be kept: %s", job.id, number, error.strerror)

    async def _do(self, store: Store, job: Job, number: int) -> RequestItem:
        url = job.entries[number].url
        data = await fetch(url, self.context.service.fetch) if url else await store.source(job, number)
        item = Item("picture", "", data=data, category_hint=job.category, limits=self.context.service.limits)
        spec = with_options(self.api.specs[job.product], job.options, self.context.service.limits)
        work = RequestItem(item)
        if await self.context.check(item):
            item.request = RequestSpec((spec,), keep_rejects=job.lenient)
            return await self.context.through(work)
        self.context.metrics.done(work)
        return work


def _owned(store: Store, id: str, key: Key | None) -> Job | None:
    """A job of this key's; without keys, one that was ordered without."""
    job = store.find(id, key.identity if key else "")
    if job is None and key:  # ordered when jobs still stood under their key's name, which a later key may have too
        job = store.find(id, key.name)
        return job if job and key.made_before(job.created) else None
    return job


def _urls(text: str) -> list[str]:
    """URLs of a JSON list, or one on each line."""
    try:
        found = json.loads(text) if text.startswith("[") else text.split()
    except (ValueError, RecursionError):
        found = [None]
    if not all(isinstance(url, str) and url.startswith(("http://", "https://")) for url in found):
        raise ApiError(400, "invalid_image_urls", "Invalid image_urls parameter given", "a list of http or https URLs")
    return list(found)
