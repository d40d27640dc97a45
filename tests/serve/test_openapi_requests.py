"""Requests that schemathesis makes up from the service's own description, valid and invalid ones."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hairline.serve.openapi import describe_api
from hairline.stages.products.registry import PRODUCTS as REGISTRY
from hairline.stages.products.spec import ProductSpec
from serve_kit import Server

load_all_checks()
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
URLS = ("image_url", "bg_image_url", "image_urls")
PRODUCTS = {name: ProductSpec.model_validate(name) for name in REGISTRY}
DESCRIPTION = schemathesis.openapi.from_dict(describe_api(PRODUCTS))
OPERATIONS = {operation.label: operation for operation in (found.ok() for found in DESCRIPTION.get_all_operations())}


def test_the_service_gives_the_description_itself(service: Server) -> None:
    assert service.get("/openapi.json").json()["paths"].keys() == describe_api(PRODUCTS)["paths"].keys()
    assert len(OPERATIONS) >= 10


@pytest.mark.parametrize(
    ("label", "mode"),
    [(label, "positive") for label in OPERATIONS] + [(label, "negative") for label in OPERATIONS if "POST" in label],
)
def test_what_is_made_up(label: str, mode: str, service: Server) -> None:
    strategy = OPERATIONS[label].as_strategy(generation_mode=schemathesis.GenerationMode(mode))

    @given(case=strategy)
    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        if isinstance(case.body, dict):
            for name in URLS:  # whatever is made up, nothing but this machine is named
                if isinstance(case.body.get(name), str) and case.body[name]:
                    case.body[name] = "http://127.0.0.1:9/" + case.body[name]
                elif isinstance(case.body.get(name), list):
                    case.body[name] = ["http://127.0.0.1:9/" for _ in case.body[name]]
        answer = case.call(base_url=service.url, timeout=30)
        case.validate_response(answer, checks=CHECKS)
        assert "Traceback" not in answer.text[:10_000]

    ask()
