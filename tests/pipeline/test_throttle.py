"""As many requests at a time as a storage bears."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from failing_s3 import Answer, FailingS3, Request
from hairline.pipeline import fetch, retry, storage
from hairline.pipeline.storage import filesystem
from hairline.pipeline.throttle import MOST, Throttle
from hairline.stages.limits import Limits

RATE, BURST = 80.0, 10.0  # requests a second that the server takes, and how many at once


class Bucket:
    """A token bucket: more than `RATE` requests a second are turned off."""

    def __init__(self) -> None:
        self.tokens, self.last, self.lock = BURST, time.monotonic(), threading.Lock()

    def __call__(self, request: Request) -> Answer | None:
        with self.lock:
            now = time.monotonic()
            self.tokens = min(BURST, self.tokens + (now - self.last) * RATE)
            self.last = now
            if self.tokens < 1:
                return Answer(503, "SlowDown", "Please reduce your request rate.")
            self.tokens -= 1
        time.sleep(0.05)
        return None


def test_a_server_that_throttles_is_asked_less_often(
    bucket: str, s3_server: str, new_connections: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every object comes, none is an error, and soon few requests are turned off."""
    files, limits = filesystem("s3"), Limits()
    for number in range(8):
        files.pipe_file(f"{bucket[5:]}/{number}", b"x")
    proxy = FailingS3(s3_server, Bucket())
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    monkeypatch.setattr(storage, "THROTTLE", throttle := Throttle())
    monkeypatch.setattr(fetch, "THROTTLE", throttle)
    new_connections()
    with ThreadPoolExecutor(32) as threads:
        came = list(threads.map(lambda i: fetch.fetch(f"{bucket}/{i % 8}", limits, 1, 60.0), range(300)))
    assert {data for data, _ in came} == {b"x"}
    assert proxy.failed > 0 and throttle.allowed < MOST / 4
    assert proxy.failed < len(proxy.asked) / 3
    proxy.close()


def test_it_halves_once_for_all_that_were_under_way() -> None:
    throttle = Throttle()
    with throttle.turn() as first, throttle.turn() as second, throttle.turn(), throttle.turn():
        first.slow_down()
        assert throttle.allowed == 2.0  # of the four that there were, not of those that there might have been
        second.slow_down()
        assert throttle.allowed == 2.0
        waits = threading.Thread(target=lambda: throttle.turn().__enter__())
        waits.start()
        waits.join(0.2)
        assert waits.is_alive()
    waits.join(30)
    assert not waits.is_alive()
    before = throttle.allowed
    with throttle.turn():
        pass
    assert before < throttle.allowed < before + 1


def test_throttling_is_no_error_while_there_is_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BASE_S", 0.0001)
    left = 5 * retry.ATTEMPTS

    def busy() -> str:
        nonlocal left
        left -= 1
        if left:
            raise retry.HttpError(503, "Slow Down")
        return "done"

    assert retry.with_retries(busy, 60.0, is_away=lambda: False) == ("done", 5 * retry.ATTEMPTS)
    left = 5 * retry.ATTEMPTS
    with pytest.raises(retry.HttpError):
        retry.with_retries(busy)
