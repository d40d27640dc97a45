"""`POST /v1/correct`: a picture cut out as a person says, or a matte so far, mended where it is touched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..stages.correction import Correction, read_boxes, read_places
from ..stages.products.spec import ProductSpec
from ..stages.request import RequestSpec
from .api import MAP, MASK, Api, flag, read_object, with_options
from .context import ServiceContext
from .errors import ApiError, ended
from .intake import Form, decode_b64, size
from .openapi import TYPES

Read = TypeVar("Read")


class CorrectApi:
    """The route for corrections."""

    def __init__(self, context: ServiceContext, api: Api) -> None:
        self.context, self.api = context, api

    def routes(self) -> list[Route]:
        return [Route("/v1/correct", self.correct, methods=["POST"])]

    async def correct(self, request: Request) -> Response:
        """One product as a file, or with `include` the facts and several pictures as JSON, as `analyze` gives them."""
        with self.context.slot(request) as slot:
            form = await self.context.form(request, slot)
            several = bool(form.text("include"))
            wanted = self._several(form) if several else self._one(form)
            wanted = replace(wanted, correction=await asyncio.to_thread(self._correction, form))
            data = await self.context.source(form, slot)
            done = await self.context.do(request, slot, data, wanted, form.text("category"))
        item = done.item
        if item.status != "ok":
            raise ended(item)
        headers = self.api.headers(item, done.model)
        if several:
            return JSONResponse(self.api.facts(item, request), headers=headers)
        made = item.outputs[wanted.products[0].name]
        return Response(made.data, media_type=TYPES[made.ext], headers=headers)

    def _one(self, form: Form) -> RequestSpec:
        name = form.text("product") or next(iter(self.api.specs))
        if form.text("products"):
            raise ApiError(400, "invalid_products", "Invalid products parameter given", "it goes with include")
        if name not in (MASK, *self.api.specs):
            known = ", ".join((MASK, *self.api.specs))
            raise ApiError(400, "invalid_product", "Invalid product parameter given", f"known are {known}")
        spec = self.api.specs.get(name) or ProductSpec.model_validate({MASK: {"product": "mask"}})
        spec = with_options(spec, read_object(form.text("options"), "options"), self.context.service.limits)
        return RequestSpec((spec,), keep_rejects=not flag(form, "reject", True))

    def _several(self, form: Form) -> RequestSpec:
        for name in ("product", "options"):
            if form.text(name):
                detail = "include answers with several as JSON, whose options are in products: give one or the other"
                raise ApiError(400, f"invalid_{name}", f"Invalid {name} parameter given", detail)
        wanted = self.api.wanted(form)
        if any(spec.name == MAP for spec in wanted.products):
            raise ApiError(400, "invalid_include", "Invalid include parameter given", f"{MAP} is of /v1/analyze alone")
        return wanted

    def _correction(self, form: Form) -> Correction:
        return Correction(
            _read(form, "box", read_boxes),
            _read(form, "keep", read_places),
            _read(form, "drop", read_places),
            self._png(form, "strokes"),
            flag(form, "follow", True),
            self._png(form, "matte"),
        )

    def _png(self, form: Form, name: str) -> bytes:
        """The bytes of a file that comes as an upload or in base64; empty where it does not come."""
        most = self.context.service.limits.max_bytes
        data, text = form.file(f"{name}_file") or b"", form.text(f"{name}_file_b64")
        if data and text:
            raise ApiError(400, f"invalid_{name}", f"Invalid {name} parameter given", "it is given twice")
        try:
            data = data or (decode_b64(text, most) if text else b"")
        except ValueError as error:
            raise ApiError(400, f"invalid_{name}", f"Invalid {name} parameter given", str(error)) from error
        if len(data) > most:
            raise ApiError(413, "file_too_large", "File too large", f"File exceeds limit of {size(most)}")
        return data


def _read(form: Form, name: str, reader: Callable[[list[str], str], tuple[Read, ...]]) -> tuple[Read, ...]:
    text = form.text(name)
    try:
        return reader([text] if text else [], name)
    except ValueError as error:
        raise ApiError(400, f"invalid_{name}", f"Invalid {name} parameter given", str(error)) from error
