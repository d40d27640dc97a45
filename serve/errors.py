"""Errors as every route tells them: {"errors": [{"title", "code", "detail"}]}, without internals."""

from __future__ import annotations

from ..stages.item import Item
from ..stages.reasons import MEANINGS

REASONS = {  # status -> what a refusal is counted as, where nothing says it better
    401: "unauthorised",
    403: "unauthorised",
    404: "not_found",
    405: "method",
    408: "timeout",
    413: "too_large",
    415: "content_type",
    422: "picture",
    499: "client_gone",  # for the log and the counters alone: nobody is there to be answered
    500: "internal_error",
    503: "unavailable",
    504: "timeout",
}
TOO_MANY_PIXELS = ("too_many_pixels", "too_large")  # reasons of a picture: both sides together, and the longer one


class ApiError(Exception):
    """An answer that is no success.

    Args:
        status: of HTTP.
        code: short and stable, for programs.
        title: one line for a person.
        detail: what exactly, where there is more to say.
        reason: under which it is counted in `hairline_refused_total`; left out: what the status says.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str = "",
        headers: dict[str, str] | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(f"{code}: {title}")
        self.status, self.code, self.title, self.detail = status, code, title, detail
        self.headers = headers or {}
        self.reason = reason or REASONS.get(status, "bad_request")

    @property
    def body(self) -> dict[str, list[dict[str, str]]]:
        error = {"title": self.title, "code": self.code}
        if self.detail:
            error["detail"] = self.detail
        return {"errors": [error]}


def busy(detail: str, retry_after: float, reason: str = "queue_full") -> ApiError:
    """429: what may wait is waiting already, or a key has used up its limit."""
    seconds = str(max(1, round(retry_after)))
    return ApiError(429, "rate_limit_exceeded", "Rate limit exceeded", detail, {"Retry-After": seconds}, reason)


def ended(item: Item) -> ApiError:
    """422 for a picture that ended as filtered or failed; its code is the reason."""
    meaning = MEANINGS.get(item.reason)
    title = meaning.title if meaning else item.reason.replace("_", " ").capitalize()
    detail = item.detail or (meaning.means if meaning else "")
    if item.reason == "internal_error":  # its detail names files and lines of ours
        detail = "The picture could not be processed."
    return ApiError(422, item.reason, title, detail, reason=counted(item))


def counted(item: Item) -> str:
    """What the refusal of a picture is counted as."""
    return "too_many_pixels" if item.reason in TOO_MANY_PIXELS else "picture"
