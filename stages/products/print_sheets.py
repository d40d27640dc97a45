"""Print sheets: as many copies of a photo as a sheet of paper holds, with marks to cut along."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]

SHEETS = {"10x15": (100.0, 150.0), "5inch": (88.9, 127.0), "6inch": (101.6, 152.4), "a4": (210.0, 297.0)}  # mm
INCH = 25.4  # mm
MARGIN = 3.0  # mm of the sheet's edge that printers leave out
GAP = 1.0  # mm between two copies, for the knife
MARK = 2.0  # mm, length of a mark; between two copies there is less room
GREY = 128


class SheetPlan(NamedTuple):
    """A sheet in pixels, and the left upper corners of the copies on it."""

    width: int
    height: int
    corners: tuple[tuple[int, int], ...]


def plan_sheet(sheet: str, photo: tuple[int, int], dpi: float) -> SheetPlan:
    """The sheet, upright or across, whichever holds more copies; none lies on its side.

    Args:
        photo: width and height, pixels at `dpi`.

    Raises:
        ValueError: not even one fits.
    """
    short, long = (pixels(side, dpi) for side in SHEETS[sheet])
    plans = [_plan(width, height, photo, dpi) for width, height in ((long, short), (short, long))]
    best = max(plans, key=lambda plan: len(plan.corners))
    if not best.corners:
        raise ValueError(f"sheet: a photo of {photo[0]} by {photo[1]} pixels does not fit on {sheet} at {dpi:g} dpi")
    return best


def pixels(mm: float, dpi: float) -> int:
    """A length on paper in whole pixels."""
    return round(mm / INCH * dpi)


def print_sheet(photo: U8, plan: SheetPlan, dpi: float) -> U8:
    """The sheet, uint8 [H, W, 3], white, its copies the photo's own pixels.

    Args:
        photo: uint8 [h, w, 3].
    """
    height, width = photo.shape[:2]
    sheet = np.full((plan.height, plan.width, 3), 255, np.uint8)
    length = pixels(MARK, dpi)
    for x, y in plan.corners:  # marks first: a copy never has one over it
        for column in (x, x + width - 1):
            sheet[max(0, y - length) : y, column] = GREY
            sheet[y + height : y + height + length, column] = GREY
        for row in (y, y + height - 1):
            sheet[row, max(0, x - length) : x] = GREY
            sheet[row, x + width : x + width + length] = GREY
    for x, y in plan.corners:
        sheet[y : y + height, x : x + width] = photo
    return sheet


def _plan(width: int, height: int, photo: tuple[int, int], dpi: float) -> SheetPlan:
    margin, gap = pixels(MARGIN, dpi), pixels(GAP, dpi)
    columns, rows = (
        max(0, (side - 2 * margin + gap) // (size + gap)) for side, size in zip((width, height), photo, strict=True)
    )
    left = (width - columns * (photo[0] + gap) + gap) // 2
    top = (height - rows * (photo[1] + gap) + gap) // 2
    corners = tuple(
        (left + i * (photo[0] + gap), top + j * (photo[1] + gap)) for j in range(rows) for i in range(columns)
    )
    return SheetPlan(width, height, corners)
