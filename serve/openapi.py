"""The API's description: `openapi.yaml`, and a route for each product of this service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..stages.products.spec import ProductSpec

FILE = Path(__file__).parent / "openapi.yaml"
ERROR = {"$ref": "#/components/responses/Error"}


def describe_api(products: Mapping[str, ProductSpec]) -> dict[str, Any]:
    """The whole description as plain data."""
    api: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
    for name, spec in products.items():
        options = options_schema(spec)
        for key, schema in options.pop("$defs", {}).items():
            api["components"]["schemas"][key] = schema
        base = [{"$ref": f"#/components/schemas/{part}"} for part in ("Source", "Common")]
        upload = [*base, {"$ref": "#/components/schemas/Upload"}]
        plain = {"type": "object", "properties": options["properties"]}
        api["paths"][f"/v1/{name}"] = {
            "post": {
                "summary": f"{name.replace('_', ' ').capitalize()} of a picture",
                "operationId": name,
                "requestBody": {
                    "required": True,
                    "content": {
                        "multipart/form-data": {"schema": {"allOf": [*upload, plain]}},
                        "application/x-www-form-urlencoded": {"schema": {"allOf": [*base, plain]}},
                        "application/json": {
                            "schema": {"allOf": [*base, plain]},
                            "example": {"image_url": "https://example.org/cat.jpg"},
                        },
                    },
                },
                "responses": {
                    "200": {
                        "description": "The file, of the type that its options ask for",
                        "headers": {
                            f"X-Hairline-{part}": {"schema": {"type": "string"}}
                            for part in ("Status", "Category", "Confidence", "Model")
                        },
                        "content": {
                            kind: {"schema": {"type": "string", "format": "binary"}}
                            for kind in ("image/png", "image/webp", "image/jpeg")
                        },
                    },
                    "default": ERROR,
                },
            }
        }
    return api


def options_schema(spec: ProductSpec) -> dict[str, Any]:
    """A product's options as a JSON schema, with this service's defaults."""
    schema = type(spec.settings).model_json_schema(ref_template="#/components/schemas/{model}")
    for option, value in spec.settings.model_dump(mode="json").items():
        schema["properties"][option]["default"] = value
    schema["properties"].pop("per_subject", None)  # an answer is one file
    return schema
