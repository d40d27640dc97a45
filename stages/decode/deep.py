"""Colours of 16 bits a channel, for products that keep them; all stages see eight bits."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SAME = 1.01  # levels of 255 by which rounding differs between readers

# EXIF orientation -> (transposed, then flipped as `cv2.flip` counts; None: not). Pillow holds no colours of 16 bits, so
# what `picture.TRANSPOSE` names for it is said for OpenCV here.
UPRIGHT: dict[int, tuple[bool, int | None]] = {
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
}


def colours(
    data: bytes, orientation: int, plain: NDArray[np.uint8], alpha: NDArray[np.uint8] | None
) -> NDArray[np.uint16] | None:
    """The colours of a file with all their bits.

    Args:
        data: a PNG or TIFF.
        orientation: EXIF's, that makes it upright.
        plain: uint8 [h, w, 3], 0..255: the same picture upright as the stages see it, straight.
        alpha: uint8 [h, w], 0..255: its transparency, or None. What is wholly transparent is not compared.

    Returns:
        uint16 [h, w, 3], 0..65535, upright; None if the file has eight bits, or these are not the same colours.
    """
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16:
        return None
    if found.ndim == 2:
        found = cv2.merge([found, found, found])
    elif found.shape[2] not in (3, 4):
        return None
    else:
        found = cv2.cvtColor(found, cv2.COLOR_BGRA2RGB if found.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    transposed, flip = UPRIGHT.get(orientation, (False, None))
    if transposed:
        found = cv2.transpose(found)
    if flip is not None:
        found = cv2.flip(found, flip)
    if found.shape != plain.shape:
        return None
    wrong = cv2.absdiff(found.astype(np.float32) / 257, plain.astype(np.float32)).max(axis=2)
    if alpha is not None:
        wrong[alpha == 0] = 0
    return np.asarray(found, np.uint16) if wrong.max() <= SAME else None
