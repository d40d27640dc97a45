"""Contact sheets of labelled photographs, for a person to look at before training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..stages.errors import HairlineError
from .data import U8, shrink
from .synth.composite import F32

if TYPE_CHECKING:
    from .label import Label

SHEET, COLUMNS = 40, 2  # photographs on a contact sheet, and how many side by side
CELL = 220  # pixels
GROUND = (200, 0, 255)  # what cut-outs lie on: no catalog's colour


def write_sheets(folder: Path, labels: list[Label]) -> None:
    """Contact sheets of what is kept, the least certain first."""
    (folder / "sheets").mkdir(exist_ok=True)
    for old in (folder / "sheets").glob("*.jpg"):
        old.unlink()
    order = sorted(labels, key=lambda label: -label.doubt)
    for start in range(0, len(order), SHEET):
        cells = [_cell(folder, label) for label in order[start : start + SHEET]]
        cells += [np.zeros_like(cells[0])] * (-len(cells) % COLUMNS)
        page = np.vstack([np.hstack(cells[k : k + COLUMNS]) for k in range(0, len(cells), COLUMNS)])
        write_image(folder / f"sheets/{start // SHEET:03}.jpg", page)


def _cell(folder: Path, label: Label) -> U8:
    picture, mask, weight = (
        cv2.imread(str(folder / path), flags)
        for path, flags in (
            (label.path, cv2.IMREAD_COLOR),
            (label.mask_path, cv2.IMREAD_GRAYSCALE),
            (label.weight_path, cv2.IMREAD_GRAYSCALE),
        )
    )
    if picture is None or mask is None or weight is None:
        raise HairlineError(f"{folder / label.path} or its mask cannot be read; remove its row from labels.csv")
    cut = over(picture, mask / np.float32(255), GROUND)
    cell = np.zeros((CELL + 16, 3 * CELL, 3), np.uint8)
    for k, image in enumerate((picture, cut, np.repeat(weight[..., None], 3, 2))):
        small = shrink(image, CELL)
        cell[: small.shape[0], k * CELL : k * CELL + small.shape[1]] = small
    text = f"{label.doubt:.3f}  {label.path}"
    cv2.putText(cell, text[:90], (2, CELL + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (255, 255, 255), 1, cv2.LINE_AA)
    return cell


def over(picture: U8, share: F32, ground: tuple[int, int, int]) -> U8:
    """A picture under its matte before one colour.

    Args:
        picture: uint8 [H, W, 3].
        share: float32 [H, W], 0..1.
        ground: in the picture's order of colours.
    """
    alpha = share[..., None]
    return (picture * alpha + np.array(ground) * (1 - alpha) + 0.5).astype(np.uint8)


def write_image(path: Path, image: U8, options: Sequence[int] = ()) -> None:
    """Writes a picture in OpenCV's order of colours. Raises HairlineError: it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), image, list(options)):
        raise HairlineError(f"cannot write {path}")
