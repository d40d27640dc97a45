"""A product of your own: the subject's silhouette in one colour, as a PNG with transparency."""

import numpy as np
from pydantic import Field

from hairline.stages.item import Output
from hairline.stages.products.base import Matte, Product, ProductSettings
from hairline.stages.products.encode import png


class SilhouetteSettings(ProductSettings):
    color: tuple[int, int, int] = Field((0, 0, 0), description="RGB, 0..255")


class Silhouette(Product[SilhouetteSettings]):
    """RGBA: one colour everywhere, and the subject's alpha."""

    Settings = SilhouetteSettings

    def make(self, matte: Matte) -> Output:
        rgb = np.full((*matte.alpha.shape, 3), self.settings.color, np.uint8)
        return Output(png(np.dstack([rgb, matte.alpha]), matte.picture), "png")
