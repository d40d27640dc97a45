"""Job files, service files, and the settings of stages and products, from their pydantic models."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import BaseModel

from .markdown import anchor_of, code, fence, heading, page, prose, table
from .subjects import PRESETS, PRODUCTS, STAGES, Job, Service, stage_class

Schema = dict[str, Any]
LOW = {"minimum": "from", "exclusiveMinimum": "above"}
HIGH = {"maximum": "to", "exclusiveMaximum": "below"}
NAMES = {"boolean": "`true` or `false`", "string": "text", "null": "`null`", "object": "mapping"}
FORMATS = {"ipv4network": "IPv4 network", "ipv6network": "IPv6 network"}
ELSEWHERE = {
    "products": "[what is made](products.md) of every picture: names, presets, or a name with options",
    "stages": "[settings of the stages](stages.md), by stage",
}


def job_file() -> str:
    return page(
        "# Job file",
        "What `hairline run` and `hairline plan` read. Keys that are not listed here are refused, and the message "
        "names the nearest one. `--set a.b=c` changes single keys: `--set pools.0.workers=4`, "
        "`--set limits.max_side=20000`. The files that come with Hairline are "
        "[shown with their comments](configurations.md).",
        *_sections(Job, ELSEWHERE, {"input": "path or URL", "output": "path or URL"}),
    )


def service_file() -> str:
    routes = {**ELSEWHERE, "products": "[products](products.md), each a route `POST /v1/<name>`"}
    return page(
        "# Service file",
        "What `hairline serve` reads: a job file without input and output, and what a service needs beside. Keys that "
        "are not listed here are refused; `--set a.b=c` changes single keys. The files that come with Hairline are "
        "[shown with their comments](configurations.md).",
        *_sections(Service, routes, {}),
    )


def stages() -> str:
    parts = []
    for name in STAGES:
        if name == "products":
            continue
        stage = stage_class(name)
        parts += [f"## {name}", _doc(stage), *_sections(stage.Settings, {}, {}, f"stages.{name}.")]
    return page(
        "# Settings of the stages",
        "They stand below `stages:` in a job file or a service file, as `stages: {filter: {min_side: 200}}`, or are "
        "given as `--set stages.filter.min_side=200`. [Architecture](../architecture.md) says what the stages do. "
        "The settings of the last stage, `products`, are [a page of their own](products.md).",
        *parts,
    )


def products() -> str:
    parts = []
    for name, product in PRODUCTS.items():
        parts += [f"## {name}", _doc(product), *_sections(product.Settings, {}, {})]
    presets = [
        (code(name), code(options["product"]), ", ".join(code(f"{k}: {_value(v)}") for k, v in rest(options)))
        for name, options in PRESETS.items()
    ]
    example = {"products": ["mask", {"cutout": {"format": "webp"}}, {"thumb": {"product": "cutout", "crop": True}}]}
    return page(
        "# Products",
        "`products:` in a job file is a list. Each entry is a name; a name with options; or a name of your own with "
        "`product:` among the options. The name is the product's folder in the output, and its route in the service.",
        fence(yaml.safe_dump(example, sort_keys=False), "yaml"),
        *parts,
        "## Presets",
        "A preset is a product with options; given options change it further.",
        table(("preset", "product", "options"), presets),
    )


def rest(options: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The options of a preset, without the product that they are of."""
    return ((name, value) for name, value in options.items() if name != "product")


def _sections(model: type[BaseModel], told: dict[str, str], kinds: dict[str, str], prefix: str = "") -> list[str]:
    """A table of the model's own keys, then one for each model inside it."""
    schema = model.model_json_schema()
    return list(_tables(schema, schema.get("$defs", {}), told, kinds, prefix, ""))


def _tables(
    schema: Schema, models: dict[str, Schema], told: dict[str, str], kinds: dict[str, str], prefix: str, title: str
) -> Iterator[str]:
    rows, inner = [], []
    needed = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        found, several = _model_of(field, models)
        text = told.get(name) or prose(field.get("description", ""))
        if found:
            place = f"{prefix}{name}" + (".N" if several else "")
            inner.append((models[found], place, field))
            text = f"{text + '; ' if text else ''}[see below](#{anchor_of(place)})"
        default = "needed" if name in needed else _default(field, found)
        rows.append((code(name), kinds.get(name) or _kind(field, models), default, text))
    if title:
        yield heading(3, title)
        yield prose(schema.get("description", "").partition("\n\n")[0])
    yield table(("key", "value", "default", "meaning"), rows) or "It has no settings."
    for model, place, field in inner:
        default = field.get("default") or {}
        yield from _tables(_with_defaults(model, default), models, {}, {}, f"{place}.", place)


def _with_defaults(model: Schema, defaults: Any) -> Schema:
    """A model's schema with the defaults that it has at this place."""
    if not isinstance(defaults, dict):
        return model
    properties = {
        name: {**field, "default": defaults[name]} if name in defaults else field
        for name, field in model["properties"].items()
    }
    return {**model, "properties": properties}


def _model_of(field: Schema, models: dict[str, Schema]) -> tuple[str, bool]:
    """The name of the model that a key holds, or empty; and whether it holds a list of them."""
    for part in (field, *field.get("anyOf", [])):
        if "$ref" in part:
            return _known(part, models), False
        if "$ref" in part.get("items", {}):
            return _known(part["items"], models), True
    return "", False


def _known(part: Schema, models: dict[str, Schema]) -> str:
    name = part["$ref"].rpartition("/")[2]
    return name if models[name].get("type") == "object" else ""


def _kind(field: Schema, models: dict[str, Schema]) -> str:
    """What a value may be, with its bounds."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return "mapping" if models[name].get("type") == "object" else "text"
    if "enum" in field:
        return " or ".join(code(value) for value in field["enum"])
    if "const" in field:
        return code(field["const"])
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_kind(part, models) for part in field["anyOf"]))
    if field.get("type") == "array":
        if "prefixItems" in field:
            return "[" + ", ".join(_kind(part, models) for part in field["prefixItems"]) + "]"
        return f"list of {_kind(field.get('items', {}), models)}"
    if field.get("type") in ("integer", "number"):
        words = ["integer" if field["type"] == "integer" else "number"]
        words += [f"{word} {_number(field[key])}" for key, word in {**LOW, **HIGH}.items() if key in field]
        return " ".join(words)
    if field.get("type") == "object" and "additionalProperties" in field:
        return "mapping"
    return FORMATS.get(field.get("format", ""), NAMES.get(field.get("type", ""), "any"))


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _default(field: Schema, model: str) -> str:
    if model and field.get("default") is not None:
        return ""  # that of each of its keys stands below
    value = field.get("default")
    return "" if value == "" else "none" if value is None else code(_value(value))


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _doc(subject: type) -> str:
    """What a class says of itself, its first paragraph."""
    return prose((inspect.getdoc(subject) or "").partition("\n\n")[0])
