"""Who is let in: requests and bytes are counted, and those that are on their way take no place."""

from __future__ import annotations

import pytest

from hairline.configs.service import Queue
from hairline.serve.admission import Admission
from hairline.serve.errors import ApiError


def test_admission_counts_requests_and_bytes() -> None:
    admission = Admission(Queue(requests=2, mib=1))
    with admission.arrive() as first, admission.arrive() as second:
        first.enter()
        second.take(1 << 19)
        with pytest.raises(ApiError) as full:
            second.take(1 << 20)
        assert full.value.status == 429 and int(full.value.headers["Retry-After"]) >= 1
        second.enter()
        with pytest.raises(ApiError) as full:
            admission.arrive()
        assert full.value.status == 429
    assert (admission.inside, admission.arriving, admission.bytes) == (0, 0, 0)
    admission.arrive()


def test_slow_uploads_take_no_place_of_the_queue() -> None:
    admission = Admission(Queue(requests=1))
    with admission.arrive(), admission.arrive() as quick:
        quick.enter()
        assert admission.inside == 1
