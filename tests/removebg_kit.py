"""Requests to `POST /v1.0/removebg`."""

from __future__ import annotations

import requests

from serve_kit import Server, photo

PATH = "/v1.0/removebg"


def ask(
    service: Server, data: bytes | None = None, headers: dict[str, str] | None = None, **fields: str
) -> requests.Response:
    """A multipart request with a picture of its own."""
    files = {"image_file": ("a.jpg", photo() if data is None else data)}
    if "bg_image_file" in fields:
        files["bg_image_file"] = ("b.jpg", fields.pop("bg_image_file"))  # type: ignore[assignment]
    return service.post(PATH, files=files, data=fields, headers=headers)


def code(answer: requests.Response) -> str:
    assert answer.status_code == 400, (answer.status_code, answer.text)
    return answer.json()["errors"][0]["code"]
