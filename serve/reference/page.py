"""Renders the description: `page.html` is its template, `style.css` its looks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request

from .samples import call_of

HERE = Path(__file__).parent
STYLE = HERE / "style.css"
HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
UPLOADS = "multipart/form-data"


def render(api: dict[str, Any], base: str, keys: bool) -> str:
    """The page.

    Args:
        api: the OpenAPI document.
        base: where the service is, as http://host:port; stands in the samples.
        keys: whether the service wants API keys.
    """
    templates = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    templates.filters["code"] = _code
    groups: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {tag["name"]: (tag, []) for tag in api["tags"]}
    for path, methods in api["paths"].items():
        for method, raw in methods.items():
            operation = resolved(api, raw)
            groups[operation["tags"][0]][1].append(_route(operation, path, method, base, keys))
    return templates.get_template("page.html").render(
        info=api["info"], groups=list(groups.values()), schemes=api["components"]["securitySchemes"], keys=keys
    )


def base_of(request: Request, other: str) -> str:
    """Where a request's sender finds the service, as http://host:port, for the samples.

    Args:
        other: host and port, for a header that names something else.
    """
    host = request.headers.get("host", "")
    return f"{request.scope['scheme']}://{host if HOST.fullmatch(host) else other}"


def resolved(api: dict[str, Any], part: Any) -> Any:
    """A part of the document with what its references name in their place."""
    if isinstance(part, list):
        return [resolved(api, each) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        found: Any = api
        for word in part["$ref"].removeprefix("#/").split("/"):
            found = found[word]
        return resolved(api, found)
    return {name: resolved(api, each) for name, each in part.items()}


def _route(operation: dict[str, Any], path: str, method: str, base: str, keys: bool) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {})
    answers = []
    for status, answer in operation["responses"].items():
        content = answer.get("content", {})
        first: dict[str, Any] = next(iter(content.values()), {})
        example = first.get("example", first.get("schema", {}).get("example"))
        answers.append({"status": status, "kinds": list(content), "example": example, **answer})
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "description": operation.get("description", ""),
        "open": not keys or operation.get("security") == [{}],
        "parameters": [p for p in operation["parameters"] if p["in"] == "path"],
        "kinds": list(body),
        "fields": list(fields(body[UPLOADS]["schema"])) if body else [],
        "answers": answers,
        "samples": call_of(base, path, method, operation, keys).samples(),
    }


def fields(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The properties of an object's schema, those of all parts of an `allOf` too, as name, kind, default, text."""
    for part in schema.get("allOf", []):
        yield from fields(part)
    for name, found in schema.get("properties", {}).items():
        default = found.get("default")
        shown = default if isinstance(default, str) else str(default).lower() if default is not None else ""
        yield {"name": name, "kind": kind(found), "default": shown, "text": found.get("description", "")}


def kind(schema: dict[str, Any]) -> str:
    """What a value may be, for a person."""
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " | ".join(kind(part) for part in schema["anyOf"])
    if schema.get("format") == "binary":
        return "file"
    if schema.get("type") == "array":
        inner = [kind(part) for part in schema.get("prefixItems", [schema.get("items", {})])]
        return f"[{', '.join(inner)}]" if "prefixItems" in schema else f"{inner[0]}, several"
    if schema.get("type") in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        return f"{low} to {schema['maximum']}" if low is not None and "maximum" in schema else str(schema["type"])
    return {"boolean": "true | false", "string": "text"}.get(schema.get("type", ""), "JSON")


def _code(text: str) -> Markup:
    """Text whose `words` in backticks are code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))
