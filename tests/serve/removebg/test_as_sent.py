"""`POST /v1.0/removebg` as clients in the wild send it, and what they read of the answer beside the picture."""

from __future__ import annotations

import time

import numpy as np
import pytest

from removebg_kit import ask, code
from serve_kit import Server, array


@pytest.mark.parametrize(
    ("bare", "exact"),
    [
        ({"roi": "0 0 100% 100%", "crop_margin": "0"}, {}),
        ({"roi": "0 0 160 320"}, {"roi": "0px 0px 160px 320px"}),
        ({"crop": "true", "crop_margin": "30"}, {"crop": "true", "crop_margin": "30px"}),
        ({"crop": "true", "crop_margin": "5 10%"}, {"crop": "true", "crop_margin": "5px 10%"}),
        ({"position": "0 0"}, {"position": "0% 0%"}),
    ],
)
def test_lengths_without_a_unit_are_pixels(service: Server, bare: dict[str, str], exact: dict[str, str]) -> None:
    found, expected = (ask(service, size="full", **fields) for fields in (bare, exact))
    assert found.status_code == 200 and found.content == expected.content
    assert np.array_equal(array(found.content), array(expected.content))


@pytest.mark.parametrize(
    ("field", "value"),
    [("roi", "0em 0em 10em 10em"), ("crop_margin", "501"), ("scale", "50"), ("position", "50"), ("scale", "0")],
)
def test_what_has_no_meaning_without_a_unit(service: Server, field: str, value: str) -> None:
    assert code(ask(service, **{field: value})) == f"invalid_{field}"


@pytest.mark.parametrize(
    ("kind", "level", "expected"),
    [
        ("transportation", "1", "car"),
        ("car_interior", "1", "car"),
        ("car_interior", "latest", "car_interior"),
        ("car_part", "1", "car"),
        ("car_part", "2", "car_part"),
        ("other", "1", "other"),
        ("other", "latest", "other"),
        ("other", "none", None),
    ],
)
def test_types(service: Server, kind: str, level: str, expected: str | None) -> None:
    answer = ask(service, type=kind, type_level=level)
    assert answer.status_code == 200 and answer.headers.get("X-Type") == expected


def test_rate_limits_without_keys_count_the_queue(service: Server) -> None:
    for answer in (ask(service), ask(service, b"none"), ask(service, size="huge")):
        assert answer.headers["X-RateLimit-Limit"] == "16"
        assert 0 < int(answer.headers["X-RateLimit-Remaining"]) <= 16
        assert abs(int(answer.headers["X-RateLimit-Reset"]) - time.time()) < 62
        assert "Retry-After" not in answer.headers
