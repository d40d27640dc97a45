"""Specks: tiny pieces of a matte far from the subject, such as the tops of letters that a crop cut through; and veils,
so faint that only their traces on a dark ground are seen.

What hangs near the subject stays, such as a strand of hair that seems to float or the bead of a chain, and so does all
that is not tiny: drops, snowflakes, the wheels of a thing of which only parts were found. The faint ends of soft edges,
of smoke and of hair stay too: they lie next to what can be seen.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
LINK_ALPHA = 0.02  # pieces are joined by pixels of more alpha than this
SPECK_AREA = 1 / 500  # a piece smaller than this share of the largest piece's area may be a speck
VEIL_ALPHA = 5.5 / 255  # less alpha than this cannot be seen
CELL = 4  # side of the cells of `_surely_near`, pixels
MIN_GAP = 0.03  # least distance of a speck to larger pieces, of a veil to what is seen; share of the longer side


def remove_specks(alpha: F32) -> F32:
    """The matte without specks and veils; float32 [H, W], 0..1, given and returned."""
    return _remove_veil(_remove_pieces(alpha))


def _remove_veil(alpha: F32) -> F32:
    seen = (alpha >= VEIL_ALPHA).astype(np.uint8)
    veil = (alpha < VEIL_ALPHA) & (alpha >= 0.5 / 255)  # less is 0 in a file of 8 bits
    if not seen.any() or not veil.any() or _surely_near(veil, seen):
        return alpha
    distance = cv2.distanceTransform(1 - seen, cv2.DIST_L2, 3)
    return np.where(veil & (distance > MIN_GAP * max(alpha.shape)), np.float32(0), alpha)


def _remove_pieces(alpha: F32) -> F32:
    count, pieces, stats, _ = cv2.connectedComponentsWithStats((alpha > LINK_ALPHA).astype(np.uint8), connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA]
    area[0] = 0  # what is clear
    tiny = area < area.max() * SPECK_AREA
    if tiny.sum() < 2:
        return alpha
    beside = tiny[pieces]  # all but the larger pieces
    among = beside & (pieces > 0)
    if _surely_near(among, (~beside).astype(np.uint8)):
        return alpha
    distance = cv2.distanceTransform(beside.astype(np.uint8), cv2.DIST_L2, 3)
    nearest = np.full(count, np.inf, np.float32)
    np.minimum.at(nearest, pieces[among], distance[among])
    specks = tiny & (nearest > MIN_GAP * max(alpha.shape))
    specks[0] = False
    return np.where(specks[pieces], np.float32(0), alpha) if specks.any() else alpha


def _surely_near(pixels: NDArray[np.bool_], others: NDArray[np.uint8]) -> bool:
    """Whether all pixels [H, W] lie nearer than `MIN_GAP` to some of the others [H, W], 0 or 1, as seen in cells.

    False says nothing: the distance must be computed. What lies in reach of a cell is at most two cells farther from a
    pixel of it, and `cv2.DIST_L2` with a mask of 3 makes a diagonal step at most 1.37 long.
    """
    height, width = others.shape
    reach = int(MIN_GAP * max(height, width) / 1.37 / CELL) - 2
    if reach < 1:
        return False
    size = (-(-width // CELL), -(-height // CELL))
    cells = (cv2.resize(others * np.uint8(255), size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    near = cv2.dilate(cells, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    return not (pixels & (cv2.resize(near, (width, height), interpolation=cv2.INTER_NEAREST) == 0)).any()
