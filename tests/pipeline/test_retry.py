"""What is tried again, for how long, and what it is taken for. Without a storage."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable

import aiohttp
import pytest
from s3fs.core import ClientError
from s3fs.errors import translate_boto_error

from hairline.pipeline import retry
from hairline.pipeline.retry import ATTEMPTS, StorageDown, Trouble, classify_error, with_retries


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BASE_S", 0.0001)
    monkeypatch.setattr(retry, "SURE_S", 0.0)


def s3_error(code: str, status: int = 403) -> Exception:
    answer = {"Error": {"Code": code, "Message": "told"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error: Exception = translate_boto_error(ClientError(answer, "GetObject"))
    return error


class Fails:
    """Raises the errors one after another, the last one for ever if `ends` is False."""

    def __init__(self, *errors: Exception, ends: bool = True) -> None:
        self.errors, self.ends, self.tries = errors, ends, 0

    def __call__(self) -> str:
        self.tries += 1
        if self.tries <= len(self.errors) or not self.ends:
            raise self.errors[min(self.tries, len(self.errors)) - 1]
        return "done"


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (s3_error("SlowDown", 503), Trouble.THROTTLED),
        (s3_error("503", 503), Trouble.THROTTLED),
        (s3_error("RequestLimitExceeded", 503), Trouble.THROTTLED),
        (s3_error("InternalError", 500), Trouble.PASSING),
        (s3_error("AccessDenied"), Trouble.REFUSED),
        (s3_error("403"), Trouble.REFUSED),
        (s3_error("NoSuchBucket", 404), Trouble.REFUSED),
        (s3_error("NoSuchKey", 404), Trouble.FINAL),
        (s3_error("ExpiredToken", 400), Trouble.STALE),
        (s3_error("InvalidAccessKeyId"), Trouble.STALE),
        (aiohttp.ServerDisconnectedError(), Trouble.PASSING),
        (PermissionError(errno.EACCES, "Permission denied"), Trouble.FINAL),
    ],
)
def test_what_errors_mean(error: Exception, trouble: Trouble) -> None:
    assert classify_error(error).trouble is trouble


def test_a_refusal_is_final_without_patience() -> None:
    refused = Fails(s3_error("AccessDenied"))
    with pytest.raises(PermissionError):
        with_retries(refused, renew=lambda: None)
    assert refused.tries == 1


def test_credentials_that_have_expired_are_fetched_anew() -> None:
    renewed: list[int] = []
    action = Fails(s3_error("ExpiredToken", 400))
    assert with_retries(action, renew=lambda: renewed.append(action.tries)) == ("done", 2)
    assert renewed == [1]


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket", "403", "ExpiredToken"])
def test_an_outage_is_waited_for(code: str) -> None:
    action = Fails(*[s3_error(code)] * 3 * ATTEMPTS)
    assert with_retries(action, 60.0, is_away=lambda: True) == ("done", 3 * ATTEMPTS + 1)


def test_an_outage_that_lasts_is_no_fault_of_the_picture() -> None:
    with pytest.raises(StorageDown, match="told"):
        with_retries(Fails(s3_error("AccessDenied"), ends=False), 0.05, is_away=lambda: True)


@pytest.mark.parametrize(
    ("error", "tries"), [(s3_error("AccessDenied"), 2), (ConnectionResetError("broken off"), ATTEMPTS + 1)]
)
def test_one_object_that_cannot_be_had_is_not_waited_for(error: Exception, tries: int) -> None:
    action = Fails(error, ends=False)
    with pytest.raises(type(error)):
        with_retries(action, 600.0, is_away=lambda: False)
    assert action.tries == tries


@pytest.mark.parametrize(("error", "most"), [(s3_error("AccessDenied"), 1), (ConnectionResetError("x"), ATTEMPTS)])
def test_an_outage_that_ends_before_the_question_is_none_of_the_picture(error: Exception, most: int) -> None:
    """The action still met the outage, what is asked after it does not: the action is tried once more."""
    answers: dict[int, Callable[[], bool]] = {}
    action = Fails(*[error] * most)
    assert with_retries(action, 600.0, is_away=lambda: answers.get(action.tries, lambda: False)()) == ("done", most + 1)


def test_a_refusal_must_last_until_the_object_is_to_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "SURE_S", 0.3)
    action, started = Fails(s3_error("AccessDenied"), ends=False), time.monotonic()
    with pytest.raises(PermissionError):
        with_retries(action, 600.0, is_away=lambda: False)
    assert time.monotonic() - started >= 0.3 and action.tries > 2
