"""Shadows below a subject on white: made, or the picture's own.

A shadow is uint8 [h, w], 0..255: by how much white is darkened.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .layers import ground_shadow

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

CONTACT = 0.45  # of the strength of `layers.ground_shadow`: 70 levels at most
SAMPLE = 256  # longest side at which the ground is fitted
PLAIN = 0.035  # root mean square of what a smooth ground leaves over, share of its brightness
NOISE = 0.02  # darkening below this is the ground's own grain
DEEPEST = 90  # levels; what is darker is no soft shadow any more
REACH = 0.35  # of the subject's height: further from its foot a dark place is something else


def contact_shadow(alpha: U8) -> U8:
    """A soft shadow where a subject stands on the ground; none where it is cut off at the bottom of the canvas."""
    return np.rint(ground_shadow(alpha).astype(np.float32) * CONTACT).astype(np.uint8)


def own_shadow(rgb: U8, alpha: U8) -> U8 | None:
    """The shadow that the subject throws in its own picture; None where the ground is not plain enough to tell.

    The ground's brightness is fitted by a polynomial of second degree over what is not subject, twice, the second
    time without what is darker than the first: that is where the shadow lies. What is darker than the fit, grey, and
    joined to the subject's lower part is shadow.

    Args:
        rgb: uint8 [h, w, 3], the picture. alpha: uint8 [h, w], its subject.
    """
    height, width = alpha.shape
    shrink = max(1.0, max(height, width) / SAMPLE)
    size = max(1, round(width / shrink)), max(1, round(height / shrink))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    covered = cv2.dilate(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.ones((5, 5), np.uint8)) > 4
    light = small.mean(2)
    fit = _fit(light, ~covered)
    if fit is None:
        return None
    free = ~covered & (light > fit * (1 - 2 * PLAIN))
    fit = _fit(light, free)
    if fit is None or free.sum() < 0.4 * (~covered).sum():
        return None
    if float(np.sqrt(np.mean(((light - fit) / fit)[free] ** 2))) > PLAIN:
        return None
    dark = np.clip(1 - light / np.maximum(fit, 1) - NOISE, 0, 1) * 255
    ground = np.median(small[free], 0)
    tint = small / np.maximum(ground, 1)
    grey = tint.max(2) - tint.min(2) < 0.12
    dark = np.where(covered, 0, dark * grey).astype(np.float32)
    dark = np.where(_at_foot(dark > 255 * NOISE, covered), dark, 0).astype(np.float32)
    below = cv2.dilate(dark, np.ones((9, 9), np.uint8))  # it goes on under the subject's soft edge
    dark = np.where(covered, below, dark).astype(np.float32)
    dark = cv2.GaussianBlur(dark, (0, 0), 1.0)
    whole = cv2.resize(dark, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.rint(np.minimum(whole, DEEPEST)).astype(np.uint8)


def under(pixels: U8, alpha: U8, shadow: U8) -> U8:
    """A canvas on white, uint8 [h, w, 3], with a shadow below what it shows: P - (1 - α) shadow."""
    rest = cv2.bitwise_not(alpha)
    dark = cv2.multiply(rest, shadow, scale=1 / 255)
    return cv2.subtract(pixels, cv2.cvtColor(dark, cv2.COLOR_GRAY2RGB)).astype(np.uint8, copy=False)


def _fit(light: F32, where: NDArray[np.bool_]) -> F32 | None:
    """A polynomial of second degree through the brightness at some pixels; None where these are too few."""
    if where.sum() < 200:
        return None
    height, width = light.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], -1)
    coefficients, *_ = np.linalg.lstsq(terms[where], light[where], rcond=None)
    return np.maximum(terms @ coefficients, 1).astype(np.float32)


def _at_foot(dark: NDArray[np.bool_], covered: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of dark places those that touch the subject's lower part."""
    rows = np.flatnonzero(covered.any(1))
    if not len(rows):
        return np.zeros_like(dark)
    foot, tall = int(rows[-1]), int(rows[-1] - rows[0]) + 1
    near = cv2.dilate(covered.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    near[: max(0, foot - round(REACH * tall))] = False
    _, labels = cv2.connectedComponents(dark.astype(np.uint8))
    wanted = np.unique(labels[near & dark])
    return np.isin(labels, wanted[wanted > 0])
