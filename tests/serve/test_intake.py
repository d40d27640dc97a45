"""Bodies that cost more to read than to send."""

from __future__ import annotations

import time
import tracemalloc
from urllib.parse import parse_qsl, quote_plus

import pytest

from hairline.serve.errors import ApiError
from hairline.serve.intake import BLOCK, FIELDS, _from_json, _from_urlencoded


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "a=b",
            "a=b&&c=d&",
            "a=%%41%4%41%",
            "%",
            "a=%+41",
            "a=%c3%A4",
            "a=b&a=c",
            "a",
            "a=&b",
            "=x",
            "a=b=c",
            "a=+%2B+",
            "a=%e4%bd%a0",
            "a=%zz%",
            "a=%4",
            "%61=1",
        ),
        "a=" + quote_plus("äöü +&=%" * 300_000),
        "a=" + "x" * (BLOCK - 1) + "%41%42" + "y" * BLOCK,
        *("a=" + "x" * (BLOCK - n) + "%c3%a4%41" * 9 for n in range(8)),
    ],
)
def test_forms_are_read_as_the_standard_library_reads_them(text: str) -> None:
    assert _from_urlencoded(text.encode()).values == dict(parse_qsl(text, keep_blank_values=True))


def test_a_form_of_nothing_but_escapes_costs_little() -> None:
    body = b"image_file_b64=" + b"%41" * 3_000_000
    tracemalloc.start()
    started = time.process_time()
    try:
        assert _from_urlencoded(body).text("image_file_b64") == "A" * 3_000_000
        assert time.process_time() - started < 3
        assert tracemalloc.get_traced_memory()[1] < 5 * len(body)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("filler", [b"[],", b"{},", b"1,", b'"",', b"[[[],[]],{}],"])
def test_json_of_many_small_values_is_refused_before_it_is_read(filler: bytes) -> None:
    body = b'{"a": [' + filler * (20_000_000 // len(filler)) + b"1]}"
    started = time.process_time()
    with pytest.raises(ApiError) as caught:
        _from_json(body)
    assert caught.value.status == 400 and time.process_time() - started < 2


def test_too_many_fields_are_refused_before_they_are_read() -> None:
    with pytest.raises(ApiError):
        _from_urlencoded(b"&".join([b"a=b"] * (FIELDS + 1)))
    assert _from_urlencoded(b"&".join([b"a=b"] * FIELDS)).values == {"a": "b"}


def test_a_long_list_of_urls_is_read() -> None:
    urls = ", ".join(f'"https://example.org/{n},{n}.jpg"' for n in range(1000))
    assert _from_json(f'{{"image_urls": [{urls}]}}'.encode()).text("image_urls").count("https") == 1000
