"""Where requests and pools meet: taking a picture in, having it done, and giving up when nobody waits."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Protocol

from starlette.requests import Request

from ..configs.service import Service
from ..stages.errors import HairlineError, PictureError
from ..stages.item import Item
from ..stages.request import RequestSpec
from .admission import Admission, AdmissionSlot, Room
from .errors import TOO_MANY_PIXELS, ApiError, busy
from .fetch import FetchError, fetch
from .intake import ClientDisconnect, Form, decode_b64, read_form, size
from .keys import Key, Keys, Limited, Limiter
from .log import AccessLog
from .metrics import Metrics
from .request_item import RequestItem

POLL_S = 5.0  # how often the processes are counted
CHECKS = 2  # headers that are read at the same time
DOWNLOADS = 8  # at the same time: their bytes count only when they are there


class Backend(Protocol):
    """What `pools.Pools` is."""

    retries: int
    room: int  # pixels that may be in the processes at the same time
    processes: int  # at most

    async def do(self, work: RequestItem) -> RequestItem: ...
    async def replicas(self) -> dict[str, dict[str, int]]: ...


class ServiceContext:
    """Everything that the routes share, in one ingress.

    Attributes:
        model: fingerprint of the stages that this ingress was started with.
        left: set when a successor takes the new connections, and what is here may end.
    """

    def __init__(self, service: Service, pools: Backend, keys: Keys | None) -> None:
        self.service, self.pools, self.keys = service, pools, keys
        self.model = service.model
        self.admission, self.limiter = Admission(service.queue), Limiter()
        self.room = Room(pools.room, pools.processes)
        self._abandoned: set[asyncio.Task[RequestItem]] = set()  # or they would be collected while they run
        self._downloads, self._checks = asyncio.Semaphore(DOWNLOADS), asyncio.Semaphore(CHECKS)
        self.metrics, self.log = Metrics(), AccessLog(service.access_log)
        self.left = asyncio.Event()
        self.counts: dict[str, dict[str, int]] = {}
        self.metrics.watch("queue_requests", "requests inside", lambda: {(): self.admission.inside})
        self.metrics.watch("queue_bytes", "bytes of uploads inside", lambda: {(): self.admission.bytes})
        self.metrics.watch("pixels", "pixels in the pools", lambda: {(): self.room.taken})
        self.metrics.watch("pixels_waiting", "pictures that wait for room", lambda: {(): self.room.waiting})
        self.metrics.watch("retries_total", "pictures sent again", lambda: {(): self.pools.retries})
        self.metrics.watch(
            "replicas",
            "processes by pool and state",
            lambda: {(p, s.lower()): n for p, states in self.counts.items() for s, n in states.items()},
            "pool",
            "state",
        )

    @property
    def draining(self) -> bool:
        return self.left.is_set()

    @property
    def ready(self) -> bool:
        """Every pool has a process that answers, or may sleep."""
        asleep = {pool.name for pool in self.service.pools if isinstance(pool.workers, tuple) and not pool.workers[0]}
        return (
            not self.draining
            and bool(self.counts)
            and all(states.get("RUNNING") or name in asleep for name, states in self.counts.items())
        )

    async def watch(self) -> None:
        """Counts the processes again and again."""
        while True:
            await asyncio.sleep(POLL_S)
            with contextlib.suppress(Exception):  # Serve's controller may be starting again
                await asyncio.wait_for(self.look(), 10 * POLL_S)

    async def look(self) -> None:
        """Counts the processes of the pools."""
        self.counts = await self.pools.replicas()

    @contextmanager
    def slot(self, request: Request) -> Iterator[AdmissionSlot]:
        """From a request's first byte to its answer: its key, the key's limits, and the queue's.

        Raises:
            ApiError: 403 without a key, 429 over a limit.
        """
        key = self.authorize(request)
        with contextlib.ExitStack() as stack:
            if key:
                try:
                    stack.enter_context(self.limiter.admit(key))
                except Limited as error:
                    raise busy(str(error), error.retry_after, "key_limit") from error
            yield stack.enter_context(self.admission.arrive(key.identity if key else ""))

    def authorize(self, request: Request, opens: Literal["pictures", "metrics"] = "pictures") -> Key | None:
        """The request's key, which must be for what is asked; None where none is needed. Raises ApiError 403."""
        if self.keys is None:
            return None
        given = given_key(request)
        key = self.keys.find(given)
        if key is None:
            title = "Invalid API Key" if given else "Missing API Key"
            raise ApiError(
                403, "auth_failed", title, "send a valid key in the header X-Api-Key, or Authorization: Bearer"
            )
        request.state.key = key.name
        if key.opens != opens:
            detail = "this key is for /metrics alone"
            if opens == "metrics":
                detail = "/metrics needs a key of its own, made with: hairline keys add NAME --metrics"
            raise ApiError(403, "auth_failed", "This key opens something else", detail)
        return key

    def limit(self, request: Request) -> tuple[int, int, float]:
        """What a request's client may ask: (at most, of it left, seconds until all of it is there again).

        With a key, requests in a minute; without, slots in the queue.
        """
        key = self.keys.find(given_key(request)) if self.keys else None
        if key:
            return self.limiter.left(key)
        slots = self.service.queue.requests
        return slots, max(0, slots - self.admission.inside), self.admission.wait() if self.admission.inside else 0.0

    async def form(self, request: Request, slot: AdmissionSlot) -> Form:
        """The request's fields and files; two pictures in base64 may come."""
        most = 2 * (self.service.limits.max_bytes * 4 // 3) + (1 << 20)
        return await read_form(request, slot, most, self.service.times.upload)

    async def source(self, form: Form, slot: AdmissionSlot) -> bytes:
        """The one picture that a request brings, in `image_file`, `image_file_b64` or `image_url`.

        Raises:
            ApiError: none, several, too large, or not to be had.
        """
        file, text, url = form.file("image_file"), form.text("image_file_b64"), form.text("image_url")
        if not (file or text or url):
            detail = "Please provide the source image in the image_url, image_file or image_file_b64 parameter."
            raise ApiError(400, "missing_source", "No image given", detail)
        if bool(file) + bool(text) + bool(url) > 1:
            way = "Please provide either the image_url, image_file or image_file_b64 parameter."
            raise ApiError(400, "multiple_sources", f"Multiple image sources given: {way}")
        if url:
            return await self.download(url, "image", slot)
        if text:
            try:
                file = await asyncio.to_thread(decode_b64, text, self.service.limits.max_bytes)
            except ValueError as error:
                raise ApiError(
                    400, "failed_to_read_image", "There was an error reading the image.", str(error)
                ) from error
        data = file or b""
        if len(data) > self.service.limits.max_bytes:
            limit = size(self.service.limits.max_bytes)
            raise ApiError(413, "file_too_large", "File too large", f"File exceeds limit of {limit}")
        return data

    async def download(self, url: str, what: str, slot: AdmissionSlot) -> bytes:
        """What a URL leads to. what: `image` or `bg_image`, for the code of the error."""
        slot.fetched = True
        try:
            async with self._downloads:
                data = await fetch(url, self.service.fetch)
            slot.take(len(data))
            return data
        except FetchError as error:
            if error.reason in ("invalid_url", "refused_url"):
                title = f"Invalid {what}_url: Please provide a valid URL."
                raise ApiError(400, f"invalid_{what}_url", title, error.detail) from error
            if error.reason == "too_many_bytes":
                raise ApiError(413, "file_too_large", "File too large", error.detail) from error
            code = "failed_bg_download" if what == "bg_image" else "failed_image_download"
            raise ApiError(400, code, f"Failed to download image from given {what}_url", error.detail) from error

    async def do(
        self, request: Request, slot: AdmissionSlot, data: bytes, wanted: RequestSpec, hint: str = ""
    ) -> RequestItem:
        """A picture, done: through all pools, for as long as the client stays and the time lasts.

        Raises:
            ApiError: 429 the queue is full, 504 the time is over.
            ClientDisconnect: nobody waits any more; the pools have been told.
        """
        item = Item("picture", "", data=data, category_hint=hint, limits=self.service.limits)
        if not await self.check(item):
            hide(item, slot.fetched)
            done = RequestItem(item)
            self.metrics.done(done)
            return done
        slot.enter()
        item.request = wanted
        if wanted.correction:
            item.done = wanted.correction.answered(hint)
        task = asyncio.create_task(self.through(RequestItem(item)))
        gone = asyncio.create_task(_left(request))
        try:
            await asyncio.wait((task, gone), timeout=self.service.times.request, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return self._finished(task, slot)
            if gone.done():
                raise ClientDisconnect
            raise ApiError(504, "timeout", "The picture took too long", headers={"Retry-After": "5"})
        finally:
            for each in (task, gone):
                if not each.done():
                    each.cancel()
            await asyncio.gather(task, gone, return_exceptions=True)

    async def check(self, item: Item) -> bool:
        """`check` beside the event loop, a few at a time: a header may be as long as its file."""
        async with self._checks:
            return await asyncio.to_thread(check, item)

    async def through(self, work: RequestItem) -> RequestItem:
        """A picture through all pools, as soon as there is room for its pixels. Counts it.

        Cancelled, a small one is dropped before its next stage. A large one goes on to its end, for until then
        its pixels lie in the memory, and its room is nobody else's.

        Raises:
            ApiError: 422, it is larger than all the room there is.
            PictureError, HairlineError: as `pools.do`.
        """
        pixels = work.most_pixels
        await self.room.take(pixels)
        task = asyncio.create_task(self.pools.do(work))
        task.add_done_callback(lambda _: self.room.give(pixels))
        try:
            done = await asyncio.shield(task)
        except asyncio.CancelledError:
            if pixels <= self.room.small:
                task.cancel()
            self._abandoned.add(task)
            task.add_done_callback(self._forget)
            raise
        self.metrics.done(done)
        return done

    def _forget(self, task: asyncio.Task[RequestItem]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            task.exception()  # asked for, or asyncio would complain

    def _finished(self, task: asyncio.Task[RequestItem], slot: AdmissionSlot) -> RequestItem:
        try:
            work = task.result()
            hide(work.item, slot.fetched)
            return work
        except PictureError as error:
            raise ApiError(422, error.reason, "The picture cannot be processed", error.detail) from error
        except HairlineError as error:
            raise ApiError(
                503, "unavailable", "The service cannot work on pictures now", headers={"Retry-After": "5"}
            ) from error


def given_key(request: Request) -> str:
    """The key that a request brings, in `X-Api-Key` or as `Authorization: Bearer`; empty where it brings none."""
    given = request.headers.get("x-api-key", "")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return given or (token.strip() if scheme.lower() == "bearer" else "")


def check(item: Item) -> bool:
    """Whether a picture's header can be read and is within the limits; otherwise it ends as failed. Decodes nothing."""
    started = time.perf_counter()
    try:
        item.width, item.height = item.picture.width, item.picture.height
    except PictureError as error:
        item.fail("fetch", error)
    item.forget_pixels()
    item.seconds["fetch"] = time.perf_counter() - started
    return not item.ended


def hide(item: Item, fetched: bool) -> None:
    """Of a picture that was fetched and cannot be read nothing is told: it may be no picture, and none of the
    client's business, such as an answer of a server that only this machine reaches."""
    if fetched and item.status == "failed" and item.reason not in (*TOO_MANY_PIXELS, "correction"):
        item.detail = "what the URL leads to cannot be read as a picture"


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
