"""The classify stage: what kind of subject is it? The answer picks the matting weights (the route)."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import cv2
import numpy as np
from pydantic import Field, field_validator

from .decode.picture import ANALYSIS_SIDE
from .errors import PictureError
from .item import U8, Item
from .networks.batch import forward_images
from .networks.classifier import CATEGORIES, SIZE, ClassifierNet
from .networks.stage import NetworkSettings, NetworkStage

ROUTES = ("general", "portrait", "product", "product_hollow")
ROUTE_OF = {
    "portrait": "portrait",
    "person": "portrait",
    "animal": "general",
    "product": "product",
    "product_hollow": "product_hollow",
    "clothing": "product",
    "food": "product",
    "vehicle": "product",
    "cartoon": "general",
    "scene": "general",
}


class ClassifySettings(NetworkSettings):
    """Settings of the classify stage."""

    min_score: float = Field(
        0.75, ge=0, le=1, description="below this probability a picture takes the general route; its category is noted"
    )
    routes: dict[str, str] = Field(
        ROUTE_OF, description="{category: route}, for the categories that are to take another route than by default"
    )

    @field_validator("routes")
    @classmethod
    def _known(cls, routes: dict[str, str]) -> dict[str, str]:
        for category, route in routes.items():
            if category not in CATEGORIES:
                raise ValueError(f"there is no category {category!r}{suggest(category, CATEGORIES)}")
            if route not in ROUTES:
                raise ValueError(f"there is no route {route!r}{suggest(route, ROUTES)}")
        return ROUTE_OF | routes


class ClassifyStage(NetworkStage[ClassifySettings, ClassifierNet]):
    """Fills `item.category`, `item.category_score` (a calibrated probability, 0..1) and `item.route`.

    `item.category_hint` decides by itself, with score 1. A hint that is no category ends as
    `failed/unknown_category`: a guess would put a whole catalog on the wrong route unnoticed.
    """

    name = "classify"
    Settings = ClassifySettings
    network = "classify"
    Network = ClassifierNet

    def process(self, items: Sequence[Item]) -> None:
        prepared = [(item, image) for item, image in self.one_by_one(items, self._prepare) if image is not None]
        if not prepared:
            return
        images = np.stack([image for _, image in prepared])
        logits = forward_images(self.networks["classify"], images, self.device)
        for (item, _), row in zip(prepared, logits.softmax(1), strict=True):
            best = int(row.argmax())
            self._set_category(item, CATEGORIES[best], float(row[best]))

    def _prepare(self, item: Item) -> U8 | None:
        """The network's input, uint8 [SIZE, SIZE, 3], or None where a hint has decided already."""
        if item.category_hint:
            self._set_category(item, parse_hint(item.category_hint), 1.0)
            return None
        return cv2.resize(item.picture.small(ANALYSIS_SIDE), (SIZE, SIZE), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]

    def _set_category(self, item: Item, category: str, score: float) -> None:
        item.category, item.category_score = category, score
        item.route = self.settings.routes[category] if score >= self.settings.min_score else "general"


def parse_hint(hint: str) -> str:
    """The category that a hint names. Raises PictureError `unknown_category` where it names none."""
    name = hint.strip().lower().replace("-", "_").replace(" ", "_")
    if name not in CATEGORIES:
        raise PictureError(
            "unknown_category", f"{hint!r} is none of {', '.join(CATEGORIES)}{suggest(name, CATEGORIES)}"
        )
    return name


def suggest(name: str, names: Sequence[str]) -> str:
    """`; did you mean 'x'?` where a misspelt name is much like one of the names, else an empty string."""
    close = get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
