"""What is written is read back pixel for pixel by other readers."""

from __future__ import annotations

import io
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from hairline.stages.imaging import png
from hairline.stages.imaging.png import chunk, encode_png

SHAPES = [(1, 1), (7, 5), (64, 97), (3, 1, 3), (40, 33, 3), (1, 9, 4), (61, 40, 4)]


def pixels_of(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    values = np.random.default_rng(len(shape)).integers(0, np.iinfo(dtype).max, shape, endpoint=True)
    values[: shape[0] // 2] = 0  # a flat part, as the ground of a cut-out
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_read_back_by_opencv(shape: tuple[int, ...], dtype: type) -> None:
    pixels = pixels_of(shape, dtype)
    read = cv2.imdecode(np.frombuffer(encode_png(pixels), np.uint8), cv2.IMREAD_UNCHANGED)
    if len(shape) == 3:
        read = cv2.cvtColor(read, {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}[shape[2]])
    assert read.dtype == dtype
    assert np.array_equal(read, pixels)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_read_back_by_pillow(shape: tuple[int, ...]) -> None:
    pixels = pixels_of(shape, np.uint8)
    image = Image.open(io.BytesIO(encode_png(pixels)))
    assert np.array_equal(np.asarray(image), pixels)


def test_a_part_of_a_larger_array() -> None:
    whole = pixels_of((50, 60, 4), np.uint8)
    part = whole[3:40:2, 5:50, :3]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_png(part)))), part)


def test_without_isal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "deflate", zlib.compress)
    pixels = pixels_of((40, 33, 3), np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_png(pixels)))), pixels)


def test_chunks_come_before_the_pixels() -> None:
    data = encode_png(pixels_of((7, 5), np.uint8), chunk(b"tEXt", b"Software\0Hairline"))
    assert Image.open(io.BytesIO(data)).text == {"Software": "Hairline"}
    assert data.index(b"tEXt") < data.index(b"IDAT")


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4), np.float32), np.zeros(4, np.uint8)])
def test_what_is_no_picture(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no picture for a PNG"):
        encode_png(wrong)
