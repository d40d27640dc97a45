"""The service's routes, from the OpenAPI description that it serves itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .markdown import code, fence, page, prose, table
from .subjects import call_of, describe_api, fields, kind, load_service, resolved

SERVICE = "service-laptop.yaml"
ADDRESS = "http://127.0.0.1:8000"
UPLOADS = "multipart/form-data"


def description() -> dict[str, Any]:
    """The OpenAPI document of the service as it comes."""
    service = load_service(SERVICE)
    return describe_api({spec.name: spec for spec in service.stages["products"].products})


def openapi_json() -> str:
    return json.dumps(description(), indent=1, ensure_ascii=False) + "\n"


def page_of_routes() -> str:
    api = description()
    parts: list[str] = []
    for tag in api["tags"]:
        parts += [f"## {tag['name']}", prose(tag["description"])]
        for path, methods in api["paths"].items():
            for method, raw in methods.items():
                if raw["tags"][0] == tag["name"]:
                    parts += _route(resolved(api, raw), path, method)
    return page(
        "# HTTP API",
        f"The routes of `hairline serve {SERVICE}`. A running service shows its own at `/docs`, with its products and "
        "their options, and as OpenAPI 3.1 at `/openapi.json`; the [document of this version](openapi.json) is here "
        "to generate clients from.",
        prose(api["info"]["description"]),
        *parts,
    )


def _route(operation: dict[str, Any], path: str, method: str) -> Iterator[str]:
    yield f"### {method.upper()} {prose(path)} {{ #{operation['operationId'].lower()} }}"
    yield prose(f"{operation['summary']}. {operation.get('description', '')}")
    yield fence(call_of(ADDRESS, path, method, operation, False).samples()["curl"], "sh")
    parameters = [
        (code(each["name"]), f"{kind(each['schema'])}, in the {each['in']}", prose(each.get("description", "")))
        for each in operation.get("parameters", [])
    ]
    yield table(("parameter", "value", "meaning"), parameters)
    body = operation.get("requestBody", {}).get("content", {})
    if body:
        yield "Body: " + ", ".join(map(code, body)) + "."
        rows = [
            (
                code(each["name"]),
                prose(each["kind"]),
                code(each["default"]) if each["default"] else "",
                prose(each["text"]),
            )
            for each in fields(body[UPLOADS]["schema"])
        ]
        yield table(("field", "value", "default", "meaning"), rows)
    answers = [
        (code(status), prose(answer["description"]), ", ".join(map(code, answer.get("content", {}))))
        for status, answer in operation["responses"].items()
    ]
    yield table(("answer", "meaning", "content"), answers)
