"""Contact sheets of pictures and mattes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np


def sheet(path: Path, rows: Sequence[tuple[np.ndarray, ...]]) -> None:
    """A picture and mattes in each row."""
    lines = []
    for rgb, *mattes in rows:
        greys = [np.repeat((alpha * 255).astype(np.uint8)[..., None], 3, 2) for alpha in mattes]
        lines.append(cv2.resize(np.hstack([rgb, *greys]), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(lines)[..., ::-1])
