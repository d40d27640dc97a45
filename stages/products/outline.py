"""The subject's outline as a path: for cutting plotters, die lines, wrapping text, and clipping in a layout program."""

from __future__ import annotations

import base64
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..errors import PictureError
from ..item import Output
from .base import Matte, Product, ProductSettings
from .encode import JPEG_QUALITY, jpeg

SPECK = 1e-5  # share of the picture below which a piece or a hole is none


class OutlineSettings(ProductSettings):
    """Options of `outline`."""

    tolerance: float = Field(
        1.0, ge=0.1, le=50, description="pixels that the path may lie beside the edge; larger has fewer points"
    )
    level: float = Field(0.5, gt=0, lt=1, description="alpha at which the edge lies")
    clip: bool = Field(False, description="the picture lies in the file, clipped by the path")


class Outline(Product[OutlineSettings]):
    """An SVG of the picture's size whose one path goes around the subject and its holes (even-odd).

    The path follows alpha's level between the pixels, by linear interpolation, and is simplified after Douglas and
    Peucker (1973) to within the tolerance.
    """

    Settings: ClassVar[type[ProductSettings]] = OutlineSettings
    ext: ClassVar[str] = "svg"

    def make(self, matte: Matte) -> Output:
        s = self.settings
        height, width = matte.alpha.shape
        path = " ".join(_closed(ring) for ring in outline(matte.alpha, s.level, s.tolerance))
        if not path:
            raise PictureError("no_outline", f"nothing of the subject has an alpha of {s.level:g} and more")
        size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        head = f'<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg" {size}>\n'
        if not s.clip:
            body = f'<path id="outline" fill="#000" fill-rule="evenodd" d="{path}"/>\n'
        else:
            data = base64.b64encode(jpeg(matte.picture.colours(), matte.picture, JPEG_QUALITY)).decode()
            body = (
                f'<clipPath id="outline"><path clip-rule="evenodd" d="{path}"/></clipPath>\n'
                f'<image width="{width}" height="{height}" clip-path="url(#outline)" '
                f'href="data:image/jpeg;base64,{data}"/>\n'
            )
        return Output((head + body + "</svg>\n").encode(), self.ext)


def outline(alpha: NDArray[np.uint8], level: float, tolerance: float) -> list[NDArray[np.float64]]:
    """The rings around a matte and its holes.

    Args:
        alpha: uint8 [h, w], 0..255.
        level: 0..1, where the edge lies.
        tolerance: pixels.

    Returns:
        For each ring float64 [n, 2], n >= 3: (x, y) in pixels, the picture's corner at 0; the largest first.
    """
    edge = np.float32(level * 255)
    # Twice as large, so that contours of whole pixels lie within half a pixel, and then on the level itself.
    padded = cv2.copyMakeBorder(alpha, 1, 1, 1, 1, cv2.BORDER_REPLICATE)  # what the frame cuts off ends at it
    height, width = padded.shape
    double = cv2.resize(padded, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
    found, _ = cv2.findContours((double >= edge).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    least = SPECK * alpha.size * 4
    rings = []
    for ring in sorted(found, key=cv2.contourArea, reverse=True):
        if cv2.contourArea(ring) < least:
            continue
        points = _onto_level(double, ring[:, 0].astype(np.float32), edge)
        simple = cv2.approxPolyDP(points[:, None], 2 * tolerance, True)[:, 0]
        if len(simple) >= 3:
            places = (simple.astype(np.float64) + 0.5) / 2 - 1
            rings.append(np.clip(places, 0, (alpha.shape[1], alpha.shape[0])))
    return rings


def _onto_level(values: NDArray[Any], points: NDArray[np.float32], edge: np.float32) -> NDArray[np.float32]:
    """Points at the centres of the first pixels inside, moved outwards along the slope to where the level lies."""
    smooth = values.astype(np.float32)
    dx, dy = (cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3, scale=0.125) for order in ((1, 0), (0, 1)))
    x, y = points[:, 0].astype(int), points[:, 1].astype(int)
    slope = np.stack([dx[y, x], dy[y, x]], 1)
    steep = np.maximum((slope**2).sum(1), 1e-6)
    step = ((edge - smooth[y, x]) / steep)[:, None] * slope
    length = np.maximum(np.sqrt((step**2).sum(1, keepdims=True)), 1e-6)
    return (points + step * np.minimum(1, 1 / length)).astype(np.float32)  # one pixel at most


def _closed(ring: NDArray[np.float64]) -> str:
    return "M" + " ".join(f"{x:.2f},{y:.2f}".replace(".00", "") for x, y in ring) + "Z"
