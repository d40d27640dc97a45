"""The description is a valid OpenAPI document, says all there is, and its examples are what it describes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from hairline.serve.openapi import describe_api
from hairline.serve.reference.page import resolved
from hairline.serve.removebg.options import FORMATS, SIZE_NAMES, TYPES
from hairline.stages.products.registry import PRODUCTS
from hairline.stages.products.spec import ProductSpec
from serve_kit import Server, flat, photo

API = describe_api({name: ProductSpec.model_validate(name) for name in PRODUCTS})
WHOLE = resolved(API, {"paths": API["paths"]})["paths"]
OPERATIONS = [(path, method) for path, methods in WHOLE.items() for method in methods]


OPTIONAL = {"Retry-After", "X-Hairline-Verdict", "X-Hairline-Failed"}  # the last two where a product has a preset


def contents(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from operation.get("requestBody", {}).get("content", {}).values()
    for answer in operation["responses"].values():
        yield from answer.get("content", {}).values()


def test_it_is_valid() -> None:
    assert [f"{list(e.absolute_path)}: {e.message}" for e in OpenAPIV31SpecValidator(API).iter_errors()] == []


def test_no_text_is_lost() -> None:
    """An unquoted comma in YAML's short form ends a text, and what follows becomes a key without a value."""

    def holes(part: Any, way: str = "") -> Iterator[str]:
        if isinstance(part, dict):
            for name, value in part.items():
                yield from [f"{way}/{name}"] if value is None and name != "default" else holes(value, f"{way}/{name}")
        elif isinstance(part, list):
            for number, value in enumerate(part):
                yield from holes(value, f"{way}/{number}")

    assert list(holes(API)) == []


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_everything_is_described(path: str, method: str) -> None:
    operation = WHOLE[path][method]
    assert operation["summary"] and operation["operationId"] and operation["tags"]
    assert {name for name in path.split("/") if name.startswith("{")} == {
        f"{{{p['name']}}}" for p in operation["parameters"] if p["in"] == "path"
    }
    assert all(parameter["description"] for parameter in operation["parameters"])
    for status, answer in operation["responses"].items():
        assert answer["description"], status
        assert all(header["description"] for header in answer["headers"].values()), status
        assert ("Retry-After" in answer["headers"]) == (status in ("429", "503", "504")), status
    for content in operation.get("requestBody", {}).get("content", {}).values():
        named = list(properties(content["schema"]))
        assert named and all(len(text) > 4 for name, text in named if name not in NAMES_ALONE), named


NAMES_ALONE = {"format"}  # of cutout: its values say it


def properties(schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for part in schema.get("allOf", []):
        yield from properties(part)
    for name, found in schema.get("properties", {}).items():
        yield name, found.get("description", "")


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_examples_are_what_is_described(path: str, method: str) -> None:
    operation = WHOLE[path][method]
    for content in contents(operation):
        schema = content["schema"]
        example = content.get("example", schema.get("example"))
        if example is not None:
            Draft202012Validator(schema).validate(example)
    if "requestBody" in operation:
        assert all("example" in content for content in operation["requestBody"]["content"].values())


def test_what_remove_bg_clients_may_send_is_listed() -> None:
    fields = API["components"]["schemas"]["RemoveBg"]["properties"]
    assert set(fields["type"]["enum"]) == set(TYPES)
    assert set(fields["size"]["enum"]) == set(SIZE_NAMES)
    assert set(fields["format"]["enum"]) == set(FORMATS)


def test_answers_are_as_described(service: Server) -> None:
    """One answer of each status that can be had at will."""
    picture = {"image_file": photo()}
    asked = [
        ("/v1/cutout", "post", service.post("/v1/cutout", files=picture)),
        ("/v1/cutout", "post", service.post("/v1/cutout", files=picture, data={"nothing": "1"})),
        ("/v1/cutout", "post", service.post("/v1/cutout", files={"image_file": photo() + bytes(5_000_000)})),
        ("/v1/cutout", "post", service.post("/v1/cutout", data=b"x", headers={"Content-Type": "text/plain"})),
        ("/v1/cutout", "post", service.post("/v1/cutout", files={"image_file": flat()})),
        ("/v1/analyze", "post", service.post("/v1/analyze", files=picture)),
        ("/v1/correct", "post", service.post("/v1/correct", files=picture, data={"keep": "900,1"})),
        ("/v1.0/removebg", "post", service.post("/v1.0/removebg", files=picture)),
        ("/v1.0/removebg", "post", service.post("/v1.0/removebg", files={"image_file": b"none"})),
        ("/v1.0/account", "get", service.get("/v1.0/account")),
        ("/v1/products", "get", service.get("/v1/products")),
        ("/v1/jobs", "post", service.post("/v1/jobs", json={"image_urls": ["http://127.0.0.1:9/"]})),
        ("/v1/jobs", "post", service.post("/v1/jobs", json={})),
        ("/v1/jobs/{id}", "get", service.get("/v1/jobs/none")),
        ("/healthz", "get", service.get("/healthz")),
        ("/readyz", "get", service.get("/readyz")),
        ("/metrics", "get", service.get("/metrics")),
        ("/docs", "get", service.get("/docs")),
        ("/openapi.json", "get", service.get("/openapi.json")),
    ]
    assert [answer.status_code for _, _, answer in asked] == [
        *(200, 400, 413, 415, 422, 200, 422, 200, 400, 200, 200, 202, 400, 404, 200, 200, 200, 200, 200)
    ]
    for path, method, answer in asked:
        told = WHOLE[path][method]["responses"][str(answer.status_code)]
        kind = answer.headers["Content-Type"].partition(";")[0]
        assert kind in told["content"], (path, kind)
        assert not [name for name in told["headers"] if name not in answer.headers and name not in OPTIONAL], path
        if kind == "application/json":
            Draft202012Validator(told["content"][kind]["schema"]).validate(answer.json())
