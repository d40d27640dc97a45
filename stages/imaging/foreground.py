"""The subject's own colours where it is half transparent, so that no background bleeds into hair.

Blur fusion, after M. Forte and F. Pitié, "Approximate Fast Foreground Colour Estimation", ICIP 2021. A
pass takes the foreground's and the background's mean colours around each pixel, F' and B', and moves both
by the least that makes their composite give the picture I:

    F = F' + α (I - α F' - (1-α) B') / (α² + (1-α)²),  B likewise with 1-α

The paper weights the means by α and 1-α; here the weights are their powers, so that what is surely
subject or background counts for more, and five passes with shrinking boxes take the place of two. The
first three run on the picture at a quarter of its size or less, the last two at full size, only in tiles
that hold half-transparent pixels.

Measured on composites of known colours at 1152x896 (strands of hair, and a wide soft edge; mean of
α |F - F_true| over the band, 0..255, one thread): the picture's own colours 10.5 and 7.2; the paper's two
passes 6.8 and 3.6; this 2.4 and 2.0; the multi-level solver of PyMatting 1.9 and 2.1. On a busy core they
took 100, 62 (35 with the narrower band of the soft edge) and 500 ms.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

COARSE = ((23, 4), (11, 4), (5, 4))  # (box, power of the weights) of the passes on the smaller picture
FULL = ((9, 2), (5, 2))  # and of those at full size
COARSE_SIDE = 512  # longest side of the smaller picture, where a quarter of the size is not already less
TILE = 128
TRUST = np.float32(1e-4)  # weight of a pixel's own last estimate where nothing near is surely subject


def estimate_foreground(rgb: U8, alpha: U8) -> U8:
    """The colours of the subject alone.

    Args:
        rgb: uint8 [H, W, 3], the picture.
        alpha: uint8 [H, W], 0..255, how much of each pixel is subject.

    Returns:
        uint8 [H, W, 3]: estimated where 0 < alpha < 255, the picture's own colours elsewhere.
    """
    result = rgb.copy()
    band = cv2.inRange(alpha, 1, 254)
    if not band.any():
        return result
    height, width = alpha.shape
    shrink = next(s for s in (4, 8, 16) if max(height, width) <= COARSE_SIDE * s or s == 16)
    margin = 8 if shrink == 4 else 16  # the reach of the enlargement and of the boxes, a multiple of `shrink`
    low_f, low_b = _coarse_colours(rgb, alpha, shrink)
    for y in range(0, height, TILE):
        for x in range(0, width, TILE):
            inner = np.s_[y : y + TILE, x : x + TILE]
            if not band[inner].any():
                continue
            y0, y1 = max(0, y - margin), min(height, y + TILE + margin)
            x0, x1 = max(0, x - margin), min(width, x + TILE + margin)
            low = np.s_[y0 // shrink : -(-y1 // shrink), x0 // shrink : -(-x1 // shrink)]
            image, a = rgb[y0:y1, x0:x1].astype(np.float32), _share(alpha[y0:y1, x0:x1])
            start = (_enlarged(colours[low], shrink, image.shape) for colours in (low_f, low_b))
            foreground, _ = _passes(image, a, *_fuse(image, a, *start), FULL)
            core = np.rint(foreground[y - y0 : y - y0 + TILE, x - x0 : x - x0 + TILE]).astype(np.uint8)
            cv2.copyTo(core, band[inner], result[inner])
    return result


def _coarse_colours(rgb: U8, alpha: U8, shrink: int) -> tuple[F32, F32]:
    height, width = alpha.shape
    border = (0, -height % shrink, 0, -width % shrink, cv2.BORDER_REPLICATE)
    size = (-(-width // shrink), -(-height // shrink))
    small, small_alpha = (
        cv2.resize(cv2.copyMakeBorder(a, *border), size, interpolation=cv2.INTER_AREA) for a in (rgb, alpha)
    )
    image = small.astype(np.float32)
    return _passes(image, _share(small_alpha), image, image, COARSE)


def _passes(image: F32, a: F32, f: F32, b: F32, boxes: tuple[tuple[int, int], ...]) -> tuple[F32, F32]:
    for box, power in boxes:
        f, b = _fuse(image, a, _mean(f, _power(a, power), box), _mean(b, _power(1 - a, power), box))
    return f, b


def _fuse(image: F32, a: F32, mean_f: F32, mean_b: F32) -> tuple[F32, F32]:
    share = _in_three(a)
    rest = 1 - share
    error = image - share * mean_f
    error -= rest * mean_b
    error /= _in_three(a * a + (1 - a) * (1 - a))
    share *= error
    share += mean_f
    rest *= error
    rest += mean_b
    return np.clip(share, 0, 255, out=share), np.clip(rest, 0, 255, out=rest)


def _mean(colours: F32, weights: F32, box: int) -> F32:
    total = cv2.blur(colours * _in_three(weights), (box, box)).astype(np.float32, copy=False)
    total += TRUST * colours
    total /= _in_three(cv2.blur(weights, (box, box)) + TRUST)
    return total


def _power(a: F32, power: int) -> F32:
    square = a * a
    return square if power == 2 else square * square


def _share(alpha: NDArray) -> F32:
    return alpha.astype(np.float32) * np.float32(1 / 255)


def _in_three(values: NDArray) -> F32:
    """[h, w] as [h, w, 3]: numpy is much faster without broadcasting."""
    return cv2.cvtColor(values, cv2.COLOR_GRAY2RGB).astype(np.float32, copy=False)


def _enlarged(colours: F32, shrink: int, shape: tuple[int, ...]) -> F32:
    size = (colours.shape[1] * shrink, colours.shape[0] * shrink)
    return cv2.resize(colours, size)[: shape[0], : shape[1]].astype(np.float32, copy=False)
