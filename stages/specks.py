"""Specks: tiny pieces of a matte that lie away from the subject, such as the tops of letters that a crop cut through.

What hangs near the subject stays, a strand of hair that seems to float as well as the bead of a chain, and so does
anything that is not tiny: drops, snowflakes, the wheels of a thing of which only parts were found.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
FAINT = 0.02  # alpha that does not join two pieces any more
TINY = 1 / 500  # share of the largest piece's area below which a piece may be a speck
AWAY = 0.03  # share of the longer side by which it must be apart from all larger pieces


def without_specks(alpha: F32) -> F32:
    """The matte without its specks. float32 [H, W], 0..1."""
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
