"""The API's description: `openapi.yaml`, a route for each product of this service, and what all routes share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from ..stages.item import Facts
from ..stages.products.registry import product_class
from ..stages.products.spec import ProductSpec

FILE = Path(__file__).parent / "openapi.yaml"
TYPES = {  # media types of products, by ending and by the option `format`
    **{"jpg": "image/jpeg", "svg": "image/svg+xml", "psd": "image/vnd.adobe.photoshop", "ora": "image/openraster"},
    **{kind: f"image/{kind}" for kind in ("png", "webp", "avif", "tiff", "jpeg")},
    **{kind: f"application/{kind}" for kind in ("zip", "json")},
}
REFUSALS = {  # of a route that takes a picture
    400: "BadRequest",
    403: "Forbidden",
    408: "TooSlow",
    413: "TooLarge",
    415: "MediaType",
    422: "NotCutOut",
    429: "Busy",
    504: "TooLate",
}


def describe_api(products: Mapping[str, ProductSpec]) -> dict[str, Any]:
    """The whole description as plain data."""
    api: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
    routes = {f"/v1/{name}": {"post": _route(name, spec, api)} for name, spec in products.items()}
    api["paths"] = {**routes, **api["paths"]}
    _add_files(api["paths"], routes)
    _add_facts(api["components"]["schemas"])
    for methods in api["paths"].values():
        for operation in methods.values():
            operation.setdefault("parameters", []).append(_ref("parameters", "requestId"))
            answers = operation["responses"]
            answers.setdefault("500", _ref("responses", "Internal"))
            if operation["operationId"] != "health":  # which answers while the service starts
                answers.setdefault("503", _ref("responses", "Unavailable"))
            operation["responses"] = dict(sorted(answers.items()))
    for answer in (*api["components"]["responses"].values(), *_own_answers(api)):
        answer.setdefault("headers", {})["X-Request-Id"] = _ref("headers", "X-Request-Id")
    return api


def _route(name: str, spec: ProductSpec, api: dict[str, Any]) -> dict[str, Any]:
    options = options_schema(spec)
    api["components"]["schemas"] |= options.pop("$defs", {})
    base = [_ref("schemas", part) for part in ("Source", "Common")]
    plain = {"type": "object", "properties": options["properties"]}
    url = {"image_url": "https://example.org/cat.jpg"}
    ending = product_class(spec.product).ext
    made = options["properties"].get("format", {"enum": [ending], "default": ending})
    kinds = sorted(made["enum"], key=lambda name: name != made["default"])  # what comes by default stands first
    found = ("Status", "Category", "Confidence", "Verdict", "Failed", "Model")
    return {
        "tags": ["Pictures"],
        "summary": f"{name.replace('_', ' ').capitalize()} of a picture",
        "operationId": name,
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {"allOf": [_ref("schemas", "Upload"), *base, plain]},
                    "example": {"image_file": "cat.jpg"},
                },
                "application/x-www-form-urlencoded": {"schema": {"allOf": [*base, plain]}, "example": url},
                "application/json": {"schema": {"allOf": [*base, plain]}, "example": url},
            },
        },
        "responses": {
            "200": {
                "description": "The file, of the type that its options ask for",
                "headers": {f"X-Hairline-{part}": _ref("headers", f"X-Hairline-{part}") for part in found},
                "content": {TYPES[kind]: {"schema": {"type": "string", "format": "binary"}} for kind in kinds},
            },
            **{str(status): _ref("responses", answer) for status, answer in REFUSALS.items()},
        },
    }


def _add_files(paths: dict[str, Any], products: Mapping[str, Any]) -> None:
    """Adds what products come as to the answer of the route that makes any of them."""
    answer = paths["/v1/correct"]["post"]["responses"]["200"]
    made = [route["post"]["responses"]["200"]["content"] for route in products.values()]
    files = {kind: schema for content in made for kind, schema in content.items() if kind != "application/json"}
    answer["content"] = files | answer["content"]


def _add_facts(schemas: dict[str, Any]) -> None:
    """Adds the facts about a picture, as `stages.item.Facts` states them, to what `openapi.yaml` says of the answer."""
    stated = TypeAdapter(Facts).json_schema(ref_template="#/components/schemas/{model}")
    answer = schemas["Facts"]
    for name, schema in stated["properties"].items():
        schema.pop("default", None)  # an answer holds all of them
        answer["properties"].setdefault(name, schema)
    answer["required"] += [name for name in stated["properties"] if name not in answer["required"]]
    schemas |= stated["$defs"]


def options_schema(spec: ProductSpec) -> dict[str, Any]:
    """A product's options as a JSON schema, with this service's defaults."""
    schema = type(spec.settings).model_json_schema(ref_template="#/components/schemas/{model}")
    for option, value in spec.settings.model_dump(mode="json").items():
        if option in schema["properties"]:  # not what a preset fills in
            schema["properties"][option]["default"] = value
    for option in spec.settings.not_asked:
        schema["properties"].pop(option, None)
    return schema


def _own_answers(api: dict[str, Any]) -> list[dict[str, Any]]:
    operations = [operation for methods in api["paths"].values() for operation in methods.values()]
    return [answer for each in operations for answer in each["responses"].values() if "$ref" not in answer]


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}
