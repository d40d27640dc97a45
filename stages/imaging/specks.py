"""Specks: tiny pieces of a matte that lie away from the subject, such as the tops of letters that a crop cut through,
and a veil so faint that nobody sees it, only its traces on a dark ground.

What hangs near the subject stays, a strand of hair that seems to float as well as the bead of a chain, and so does
anything that is not tiny: drops, snowflakes, the wheels of a thing of which only parts were found. The faint tails of
soft edges, of smoke and of hair stay too: they run out next to what can be seen.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
FAINT = 0.02  # alpha that does not join two pieces any more
TINY = 1 / 500  # share of the largest piece's area below which a piece may be a speck
VEIL = 5.5 / 255  # alpha that cannot be seen by itself
AWAY = 0.03  # share of the longer side by which it must be apart from all larger pieces, and a veil from all to be seen


def without_specks(alpha: F32) -> F32:
    """The matte without its specks and its veil. float32 [H, W], 0..1."""
    return _without_veil(_without_pieces(alpha))


def _without_veil(alpha: F32) -> F32:
    seen = (alpha >= VEIL).astype(np.uint8)
    veil = (alpha < VEIL) & (alpha >= 0.5 / 255)  # less is none in a file
    if not seen.any() or not veil.any():
        return alpha
    distance = cv2.distanceTransform(1 - seen, cv2.DIST_L2, 3)
    return np.where(veil & (distance > AWAY * max(alpha.shape)), np.float32(0), alpha)


def _without_pieces(alpha: F32) -> F32:
    count, pieces, stats, _ = cv2.connectedComponentsWithStats((alpha > FAINT).astype(np.uint8), connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA]
    area[0] = 0  # what is clear
    tiny = area < area.max() * TINY
    if tiny.sum() < 2:
        return alpha
    beside = tiny[pieces]  # all but the larger pieces
    distance = cv2.distanceTransform(beside.astype(np.uint8), cv2.DIST_L2, 3)
    among = beside & (pieces > 0)
    nearest = np.full(count, np.inf, np.float32)
    np.minimum.at(nearest, pieces[among], distance[among])
    specks = tiny & (nearest > AWAY * max(alpha.shape))
    specks[0] = False
    return np.where(specks[pieces], np.float32(0), alpha) if specks.any() else alpha
