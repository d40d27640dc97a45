"""Hairline's own routes: one per product, `analyze`, and what products there are."""

from __future__ import annotations

import base64
import json
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ..stages.item import Item, Output
from ..stages.limits import Limits
from ..stages.products.base import ProductSettings
from ..stages.products.spec import ProductSpec
from ..stages.request import RequestSpec
from .context import ServiceContext
from .errors import ApiError, ended
from .intake import Form
from .openapi import TYPES, describe_api, options_schema
from .reference import base_of, render

SOURCES = ("image_file", "image_file_b64", "image_url")
MASK, MAP = "alpha", "unsure"  # what `include` may name beside products
UNCERTAINTY = ProductSpec(name=MAP, product="uncertainty", settings=ProductSettings())


class Api:
    """The routes below /v1 that answer at once."""

    def __init__(self, context: ServiceContext) -> None:
        self.context = context
        settings = context.service.stages["products"]
        self.specs: dict[str, ProductSpec] = {spec.name: spec for spec in settings.products}

    def routes(self) -> list[Route]:
        return [
            Route("/openapi.json", self.openapi, methods=["GET"]),
            Route("/docs", self.docs, methods=["GET"]),
            Route("/v1/products", self.products, methods=["GET"]),
            Route("/v1/analyze", self.analyze, methods=["POST"]),
            *(Route(f"/v1/{name}", self.product, methods=["POST"], name=name) for name in self.specs),
        ]

    async def openapi(self, _: Request) -> Response:
        """The API's description."""
        return JSONResponse(describe_api(self.specs))

    async def docs(self, request: Request) -> Response:
        """The API's description as a page to read."""
        base = base_of(request, f"{self.context.service.host}:{self.context.service.port}")
        return HTMLResponse(render(describe_api(self.specs), base, self.context.keys is not None))

    async def products(self, _: Request) -> Response:
        """What products there are, with their options as JSON schemas."""
        found = []
        for name, spec in self.specs.items():
            found.append({"name": name, "title": name.replace("_", " ").capitalize(), "options": options_schema(spec)})
        return JSONResponse({"products": found})

    async def product(self, request: Request) -> Response:
        """One product of one picture, encoded."""
        name = request.url.path.rpartition("/")[2]
        with self.context.slot(request) as slot:
            form = await self.context.form(request, slot)
            options = {key: value for key, value in form.values.items() if key not in (*SOURCES, "category", "reject")}
            spec = with_options(self.specs[name], options, self.context.service.limits)
            wanted = RequestSpec((spec,), keep_rejects=not flag(form, "reject", True))
            data = await self.context.source(form, slot)
            done = await self.context.do(request, slot, data, wanted, form.text("category"))
        item = done.item
        if item.status != "ok":
            raise ended(item)
        made = item.outputs[name]
        return Response(made.data, media_type=TYPES[made.ext], headers=self.headers(item, done.model))

    async def analyze(self, request: Request) -> Response:
        """What every stage found, and on request pictures of it; also of a picture that was not cut out."""
        with self.context.slot(request) as slot:
            form = await self.context.form(request, slot)
            wanted = self.wanted(form)
            data = await self.context.source(form, slot)
            done = await self.context.do(request, slot, data, wanted, form.text("category"))
        return JSONResponse(self.facts(done.item, request), headers=self.headers(done.item, done.model))

    def facts(self, item: Item, request: Request) -> dict[str, Any]:
        """The answer of a route that tells what was found, with its pictures."""
        said = {"coarse_model": self.context.service.coarse_model, "request_id": request.state.id}
        return describe(item) | said | {"images": images(item)}

    def wanted(self, form: Form) -> RequestSpec:
        """What `include` names, with the options of `products`. Raises ApiError 400."""
        wanted = [name.strip() for name in form.text("include").split(",") if name.strip()]
        options = read_object(form.text("products"), "products")
        specs = []
        for name in dict.fromkeys(wanted):
            if name == MASK:
                specs.append(ProductSpec.model_validate({MASK: {"product": "mask"}}))
            elif name in self.specs:
                given = options.pop(name, {})
                if not isinstance(given, dict):
                    raise ApiError(
                        400, "invalid_products", "Invalid products parameter given", f"{name}: must be an object"
                    )
                specs.append(with_options(self.specs[name], given, self.context.service.limits))
            elif name != MAP:
                known = ", ".join((MASK, MAP, *self.specs))
                raise _wrong("include", f"known are {known}")
        if options:
            raise _wrong("products", "options are given for a product that include does not name")
        if MAP in wanted:
            specs.append(UNCERTAINTY)
        return RequestSpec(tuple(specs), keep_rejects=not flag(form, "reject", True))

    def headers(self, item: Item, model: str) -> dict[str, str]:
        """What an answer's header tells of a picture."""
        found = {"X-Hairline-Status": item.status, "X-Hairline-Model": model}
        if item.category:
            found["X-Hairline-Category"] = item.category
        if item.confidence is not None:
            found["X-Hairline-Confidence"] = f"{item.confidence:.4f}"
        if item.verdicts:
            found["X-Hairline-Verdict"] = item.verdicts[0].verdict
            failed = [check.name for verdict in item.verdicts for check in verdict.checks if check.verdict == "fail"]
            if failed:
                found["X-Hairline-Failed"] = ", ".join(failed)
        return found


def with_options(spec: ProductSpec, options: dict[str, Any], limits: Limits) -> ProductSpec:
    """A product with options of a request: text is read as the option's type.

    Raises:
        ApiError: 400; an option is wrong, or asks for a larger result than the limits allow a picture to be.
    """
    known = type(spec.settings).model_fields.keys() - spec.settings.not_asked
    for name in options:
        if name not in known:
            names = ", ".join(sorted(known))
            raise ApiError(400, "unknown_parameter", f"Unknown parameter for {spec.name}", f"known are {names}")
    read = {name: _read(value) for name, value in options.items()}
    try:
        ours = {} if read.get("preset") else spec.settings.model_dump()  # a preset brings options of its own
        settings = type(spec.settings).model_validate({**ours, **read}, context={"names_only": set(read)})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "options"
        raise _wrong(name, first["msg"]) from error
    if settings.most_pixels(0, 0, limits.max_pixels) > limits.max_pixels:
        raise ApiError(
            400,
            "invalid_canvas",
            "Invalid canvas parameter given",
            f"at most {limits.max_pixels:,} pixels",
            reason="too_many_pixels",
        )
    return spec.model_copy(update={"settings": settings})


def describe(item: Item) -> dict[str, Any]:
    """What every stage found, as JSON: the columns of a run's results."""
    found = {name: _rounded(value) for name, value in item.facts().items()}
    if item.reason == "internal_error":  # its detail names files and lines of ours
        found["detail"] = "The picture could not be processed."
    return found | {"boxes": [box | {"score": round(box["score"], 4)} for box in found["boxes"]]}


def _rounded(value: Any) -> Any:
    """Numbers with 4 digits behind the point, also those in a dict."""
    if isinstance(value, dict):
        return {name: round(float(number), 4) for name, number in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def images(item: Item) -> dict[str, dict[str, str]]:
    """The finished files as {name: {type, data}}, data in base64."""

    def one(made: Output) -> dict[str, str]:
        return {"type": TYPES[made.ext], "data": base64.b64encode(made.data).decode()}

    return {name: one(made) for name, made in item.outputs.items()}


def flag(form: Form, name: str, default: bool) -> bool:
    """A yes or no of a form. Raises ApiError 400: it is neither."""
    text = form.text(name).lower()
    if text in ("true", "1", "yes", "on"):
        return True
    if text in ("false", "0", "no", "off"):
        return False
    if text:
        raise _wrong(name, "true or false")
    return default


def _wrong(name: str, detail: str) -> ApiError:
    return ApiError(400, f"invalid_{name}", f"Invalid {name} parameter given", detail)


def _read(value: Any) -> Any:
    """Lists and objects come as JSON, such as [800, 600]; the rest is left to pydantic."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def read_object(text: str, name: str) -> dict[str, Any]:
    """A JSON object in a field; empty where the field is. Raises ApiError 400: it is none."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _wrong(name, "must be a JSON object")
    return found
