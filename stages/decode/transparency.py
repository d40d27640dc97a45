"""A file's own alpha: whether it is a matte already, and on which ground its pixels are shown to the networks.

The alpha of a logo or a cut-out product is better than any network's: it is taken as it is. A photograph whose alpha
only rounds its corners or frames it is a photograph all the same: its subject is searched for, and what the file hides
stays hidden.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Colour = tuple[int, int, int]

MIN_VISIBLE_ALPHA = 13  # of 255 (5 %): less alpha than this cannot be seen
FRAME_FILL = 0.97  # least share of its bounding box that a frame fills: corners up to a fifth of the side may be round
FRAME_SPAN = 0.9  # least share of the picture's width or height that a frame spans
WHITE: Colour = (255, 255, 255)
GROUNDS: tuple[Colour, ...] = (WHITE, (128, 128, 128), (64, 64, 64), (255, 220, 90), (40, 70, 160))  # in this order
MIN_COLOUR_DISTANCE = 20.0  # in Lab: a colour nearer to that of a ground is lost on it
MAX_LOST = 0.1  # largest share of the visible pixels that may be lost on a ground
_SAMPLE_SIDE = 256  # long side at which colours are counted, pixels


def is_matte(alpha: U8) -> bool:
    """Whether an alpha separates subject from background, and does not merely frame a photograph.

    A frame is a rectangle, perhaps with round corners, that spans the picture's width or height; anything else that
    hides pixels is a matte: the outline of a thing, letters, a shadow. All that is at least half as opaque as the most
    opaque pixel counts as inside.

    Args:
        alpha: uint8 [H, W], not 255 everywhere.
    """
    most = int(alpha.max())
    if most < MIN_VISIBLE_ALPHA:
        return False  # nothing to be seen: no matte of anything
    inside = cv2.inRange(alpha, (most + 1) // 2, 255)
    _, _, width, height = cv2.boundingRect(inside)
    spans = max(width / alpha.shape[1], height / alpha.shape[0]) >= FRAME_SPAN
    return not (spans and cv2.countNonZero(inside) >= FRAME_FILL * width * height)


def ground_for(rgb: U8, alpha: U8, matte: bool) -> Colour:
    """The colour on which the stages see a transparent picture: R, G, B, 0..255.

    Under a matte one that its own colours stand out from, white where that does. Around a framed photograph the mean
    colour of its rim, so that the frame does not read as the subject's edge.

    Args:
        rgb: uint8 [H, W, 3], straight (not premultiplied).
        alpha: uint8 [H, W], 0..255.
        matte: whether the alpha is a matte, see `is_matte`.
    """
    step = max(1, max(alpha.shape) // _SAMPLE_SIDE)
    weight, colours = alpha[::step, ::step], rgb[::step, ::step]
    visible = weight >= MIN_VISIBLE_ALPHA
    if not visible.any():
        return WHITE
    if not matte:
        hidden = cv2.copyMakeBorder((~visible).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
        rim = visible & (cv2.dilate(hidden, np.ones((5, 5), np.uint8))[1:-1, 1:-1] > 0)
        red, green, blue = colours[rim].mean(0).round().astype(int).tolist()
        return red, green, blue
    seen = _lab(colours[visible][None])[0]
    shares = weight[visible].astype(np.float32)
    lost = []
    for ground in GROUNDS:
        near = np.linalg.norm(seen - _lab(np.array([[ground]], np.uint8))[0, 0], axis=1) < MIN_COLOUR_DISTANCE
        lost.append(float(shares[near].sum() / shares.sum()))
        if lost[-1] < MAX_LOST:
            return ground
    return GROUNDS[int(np.argmin(lost))]


def combine_alpha(found: U8, own: U8, matte: bool) -> U8:
    """The alpha that was found and the file's own combined, uint8 [H, W]: nothing is more opaque than in the file.

    Args:
        found: uint8 [H, W], 0..255.
        own: uint8 [H, W], 0..255, the file's.
        matte: whether `own` is a matte: then `found` was made from it, and the smaller one is taken; else the product.
    """
    if matte:
        return np.minimum(found, own)
    return cv2.multiply(found, own, scale=1 / 255).astype(np.uint8, copy=False)


def _lab(rgb: U8) -> NDArray[np.float32]:
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab).astype(np.float32, copy=False)
