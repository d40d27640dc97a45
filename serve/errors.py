"""Errors as every route tells them: {"errors": [{"title", "code", "detail"}]}, without internals."""

from __future__ import annotations

from ..pipeline.reasons import MEANINGS
from ..stages.item import Item


class ApiError(Exception):
    """An answer that is no success.

    Args:
        status: of HTTP.
        code: short and stable, for programs.
        title: one line for a person.
        detail: what exactly, where there is more to say.
    """

    def __init__(
        self, status: int, code: str, title: str, detail: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"{code}: {title}")
        self.status, self.code, self.title, self.detail = status, code, title, detail
        self.headers = headers or {}

    @property
    def body(self) -> dict[str, list[dict[str, str]]]:
        error = {"title": self.title, "code": self.code}
        if self.detail:
            error["detail"] = self.detail
        return {"errors": [error]}


def busy(detail: str, retry_after: float) -> ApiError:
    """429: what may wait is waiting already, or a key has used up its limit."""
    seconds = str(max(1, round(retry_after)))
    return ApiError(429, "rate_limit_exceeded", "Rate limit exceeded", detail, {"Retry-After": seconds})


def ended(item: Item) -> ApiError:
    """422 for a picture that ended as filtered or failed; its code is the reason."""
    meaning = MEANINGS.get(item.reason)
    title = meaning.title if meaning else item.reason.replace("_", " ").capitalize()
    if item.reason == "internal_error":  # its detail names files and lines of ours
        return ApiError(422, item.reason, title, "The picture could not be processed.")
    return ApiError(422, item.reason, title, item.detail or (meaning.means if meaning else ""))
