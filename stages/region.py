"""A part of a picture as a picture of its own, for requests that want the stages to see no more."""

from __future__ import annotations

import numpy as np

from .decode.picture import Picture
from .limits import Limits
from .products.encode import png


def part(picture: Picture, region: tuple[int, int, int, int], limits: Limits) -> Picture:
    """The region of the upright picture, with the source's own alpha and colour space. Raises PictureError."""
    x0, y0, x1, y1 = region
    pixels, own = picture.colours(), picture.source_alpha
    cut = np.ascontiguousarray((pixels if own is None else np.dstack([pixels, own]))[y0:y1, x0:x1])
    return Picture(png(cut, picture), limits)
