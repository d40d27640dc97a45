"""`POST /v1.0/removebg` and `GET /v1.0/account`."""

from __future__ import annotations

import asyncio
import base64
import math
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ...stages.decode.picture import Picture
from ...stages.errors import PictureError
from ...stages.item import Item
from ...stages.products.spec import ProductSpec
from ...stages.request import RequestSpec
from ..admission import AdmissionSlot
from ..context import ServiceContext, hide
from ..errors import TOO_MANY_PIXELS, ApiError
from ..intake import Form, size
from ..openapi import TYPES
from .options import Options, read_options, region

COARSE = {
    "person": "person",
    "portrait": "person",
    "animal": "animal",
    "vehicle": "car",
    "cartoon": "other",
    "scene": "other",
}
FINE = {**COARSE, "cartoon": "graphics"}
ASKED = {  # types that the picture itself does not tell: (at level 1, at the finer levels)
    "car_interior": ("car", "car_interior"),
    "car_part": ("car", "car_part"),
    "transportation": ("car", "transportation"),
    "other": ("other", "other"),
}
NAME = "result"
SIDES = ("top", "left", "width", "height")
CALLS = 1_000_000  # of the account: nothing is charged, and clients that look before they call must go on


class RemoveBg:
    """The routes below /v1.0."""

    def __init__(self, context: ServiceContext) -> None:
        self.context = context

    def routes(self) -> list[Route]:
        return [
            Route("/v1.0/removebg", self.removebg, methods=["POST"]),
            Route("/v1.0/account", self.account, methods=["GET"]),
        ]

    async def account(self, request: Request) -> Response:
        """Credits and free calls, neither of which are counted."""
        self.context.authorize(request)
        credits = {"total": CALLS, "subscription": 0, "payg": 0, "enterprise": CALLS}
        attributes = {"credits": credits, "api": {"free_calls": CALLS, "sizes": "all"}}
        return JSONResponse({"data": {"attributes": attributes}})

    async def removebg(self, request: Request) -> Response:
        """A picture without its background."""
        try:
            answer = await self._removebg(request)
        except ApiError as error:
            if error.status in (408, 413, 415, 422):  # remove.bg knows no other status for a wrong request
                error.status = 400
            if error.status != 403:
                error.headers |= self._limits(request, float(error.headers.get("Retry-After", 0)))
            raise
        answer.headers.update(self._limits(request))
        return answer

    def _limits(self, request: Request, wait: float = 0.0) -> dict[str, str]:
        """What remove.bg tells of a limit with every answer. wait: seconds, where one has been reached."""
        limit, left, seconds = self.context.limit(request)
        return {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": "0" if wait else str(left),
            "X-RateLimit-Reset": str(math.ceil(time.time() + (wait or seconds))),
        }

    async def _removebg(self, request: Request) -> Response:
        with self.context.slot(request) as slot:
            form = await self.context.form(request, slot)
            options = read_options(form)
            background, area = await self._background(form, slot)
            data = await self.context.source(form, slot)
            item = Item("picture", "", data=data, limits=self.context.service.limits)
            if not await self.context.check(item):
                hide(item, slot.fetched)
                raise _failed(item)
            part = region(options.roi, item.width, item.height) if options.roi else None
            settings = options.composition.model_copy(update={"background": background, "background_pixels": area})
            result = ProductSpec(name=NAME, product="composition", settings=settings)
            wanted = RequestSpec((result,), keep_rejects=True, region=part)  # it refuses no picture for its quality
            done = await self.context.do(request, slot, data, wanted, options.hint)
        if done.item.status != "ok":
            raise _failed(done.item)
        return _answer(request, done.item, options, done.model)

    async def _background(self, form: Form, slot: AdmissionSlot) -> tuple[bytes, int]:
        """The background's bytes, if one is given, and its pixels; its header is checked."""
        file, url, color = form.file("bg_image_file"), form.text("bg_image_url"), form.text("bg_color")
        if bool(file) + bool(url) + bool(color) > 1:
            title = (
                "Multiple background sources given: Please provide either the bg_color, the bg_image_url or the "
                "bg_image_file parameter."
            )
            raise ApiError(400, "multiple_bg_sources", title)
        if not (file or url):
            return b"", 0
        limits = self.context.service.limits
        if file and len(file) > limits.max_bytes:
            raise ApiError(413, "file_too_large", "File too large", f"File exceeds limit of {size(limits.max_bytes)}")
        data = file or await self.context.download(url, "bg_image", slot)
        try:
            picture = await asyncio.to_thread(Picture, data, limits)
        except PictureError as error:
            detail = "" if url else error.detail
            title = "There was an error reading the background image."
            raise ApiError(400, "failed_to_read_image", title, detail) from error
        return data, picture.width * picture.height


def _answer(request: Request, item: Item, options: Options, model: str) -> Response:
    made = item.outputs[NAME]
    facts = made.facts
    headers = {
        "X-Width": str(facts["width"]),
        "X-Height": str(facts["height"]),
        **{f"X-Foreground-{side.capitalize()}": str(facts[f"foreground_{side}"]) for side in SIDES},
        "X-Credits-Charged": "0",
        "X-Hairline-Model": model,
    }
    kind = kind_of(item.category, options)
    if kind:
        headers["X-Type"] = kind
    if "application/json" in request.headers.get("accept", "").lower():
        sides = {f"foreground_{side}": facts[f"foreground_{side}"] for side in SIDES}
        data = {"result_b64": base64.b64encode(made.data).decode(), **sides}
        return JSONResponse({"data": data}, headers=headers)
    headers["Content-Disposition"] = f'attachment; filename="no-bg.{made.ext}"'
    return Response(made.data, media_type=TYPES[made.ext], headers=headers)


def kind_of(category: str, options: Options) -> str:
    """remove.bg's word for a category at the level asked for; empty where none is wanted."""
    if options.type_level == "none":
        return ""
    if options.kind in ASKED:
        return ASKED[options.kind][options.type_level != "1"]
    return (COARSE if options.type_level == "1" else FINE).get(category, "product")


def _failed(item: Item) -> ApiError:
    """A picture's reason as remove.bg's code."""
    if item.reason == "no_subject":
        return ApiError(400, "unknown_foreground", "Could not identify foreground in image.", item.detail)
    if item.reason in TOO_MANY_PIXELS:
        detail = f"Input image has {item.detail}"
        return ApiError(400, "resolution_too_high", "Image resolution too high", detail, reason="too_many_pixels")
    if item.reason == "too_many_bytes":
        return ApiError(400, "file_too_large", "File too large", item.detail)
    if item.reason in ("not_a_picture", "unsupported", "empty_file"):
        return ApiError(400, "invalid_file_type", "Invalid file type", f"Expected jpg/png: {item.detail}")
    if item.detail.startswith("the header says"):
        detail = "The dimensions of the given image could not be read."
        return ApiError(400, "invalid_dimensions", "Failed to read image dimensions", detail)
    if item.reason == "background":
        return ApiError(400, "failed_to_read_image", "There was an error reading the background image.", item.detail)
    detail = "" if item.reason == "internal_error" else item.detail
    return ApiError(400, "failed_to_read_image", "There was an error reading the image.", detail)
