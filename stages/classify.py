"""The classify stage: what kind of subject is it? The answer picks the matting weights (the route)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import cv2
import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from .decode.picture import ANALYSIS_SIDE, Picture
from .errors import HairlineError, PictureError
from .item import U8, Item
from .networks import exported
from .networks.batch import forward_images
from .networks.classifier import CATEGORIES, SIZE, ClassifierNet
from .networks.stage import NetworkSettings, NetworkStage

UNSURE = "unsure"  # the category where a classifier of the user's is not sure enough of any
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

    weights: str = Field(
        "builtin",
        description="builtin, or the path or URL of other weights, such as OUT/model of `hairline autoclassify`",
    )
    min_score: float = Field(
        0.75, ge=0, le=1, description="below this probability a picture takes the general route; its category is noted"
    )
    routes: dict[str, str] = Field(
        ROUTE_OF,
        description="{category: route}, for the categories that are to take another route than by default; those of a "
        "classifier of yours take the general one",
    )

    @field_validator("routes")
    @classmethod
    def _known(cls, routes: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        for category, route in routes.items():
            if info.data.get("weights") == "builtin" and category not in CATEGORIES:
                raise ValueError(f"there is no category {category!r}{suggest(category, CATEGORIES)}")
            if route not in ROUTES:
                raise ValueError(f"there is no route {route!r}{suggest(route, ROUTES)}")
        return ROUTE_OF | routes

    def weight_files(self, network: str) -> dict[str, Path]:
        found = super().weight_files(network)
        if self.weights != "builtin":
            labels = categories_of(found[network])
            for category in self.routes.keys() - ROUTE_OF.keys() - set(labels):
                raise HairlineError(
                    f"classify.routes: {self.weights} has no category {category!r}{suggest(category, labels)}"
                )
        return found


class ClassifyStage(NetworkStage[ClassifySettings, ClassifierNet | exported.ExportedNet]):
    """Fills `item.category`, `item.category_score` (a calibrated probability, 0..1) and `item.route`.

    With a classifier of the user's the categories are its labels, and `unsure` where it is not sure: `item.detail` then
    names the likeliest. `item.category_hint` decides by itself, with score 1. A hint that is no category ends as
    `failed/unknown_category`: a guess would put a whole catalog on the wrong route unnoticed.
    """

    name = "classify"
    Settings = ClassifySettings
    network = "classify"
    Network = ClassifierNet

    def load(self, path: Path) -> ClassifierNet | exported.ExportedNet:
        form = exported.read_form(path)
        return super().load(path) if form is None else exported.load(path, form, self.device)

    @property
    def _own(self) -> exported.ExportedNet | None:
        """The user's classifier, where there is one."""
        network = self.networks["classify"]
        return network if isinstance(network, exported.ExportedNet) else None

    @property
    def categories(self) -> tuple[str, ...]:
        """All that a picture can be, but for `UNSURE`; known after `setup`."""
        return self._own.form.labels if self._own else CATEGORIES

    def process(self, items: Sequence[Item]) -> None:
        prepared = [(item, image) for item, image in self.one_by_one(items, self._prepare) if image is not None]
        if not prepared:
            return
        images = np.stack([image for _, image in prepared])
        if own := self._own:
            for (item, _), features in zip(prepared, forward_images(own.pool, images, self.device), strict=True):
                self._take(item, own.judge(features[None])[0])
            return
        logits = forward_images(self.networks["classify"], images, self.device)
        for (item, _), row in zip(prepared, logits.softmax(1), strict=True):
            best = int(row.argmax())
            self._set_category(item, CATEGORIES[best], float(row[best]))

    def _prepare(self, item: Item) -> U8 | None:
        """The network's input, uint8 [size, size, 3], or None where a hint has decided already."""
        if item.category_hint:
            self._set_category(item, parse_hint(item.category_hint, self.categories), 1.0)
            return None
        size = self._own.form.size if self._own else SIZE
        return network_input(item.picture, size)

    def _take(self, item: Item, judged: exported.Judgement) -> None:
        score = max(judged.probabilities)
        self._set_category(item, UNSURE if judged.unsure else judged.label, score)
        if judged.unsure:
            item.route = "general"
            item.detail = f"perhaps {judged.label}, probability {score:.2f}" + (
                "; it is like none of the pictures that the classifier learned from" if judged.strangeness > 1 else ""
            )

    def _set_category(self, item: Item, category: str, score: float) -> None:
        item.category, item.category_score = category, score
        item.route = self.settings.routes.get(category, "general") if score >= self.settings.min_score else "general"


def network_input(picture: Picture, size: int) -> U8:
    """What a classifier sees of a picture, uint8 [size, size, 3]: all of it, stretched to a square."""
    return cv2.resize(picture.small(ANALYSIS_SIDE), (size, size), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def categories_of(path: Path) -> tuple[str, ...]:
    """The categories that a weights file of the classify stage knows. Raises HairlineError as `read_form`."""
    form = exported.read_form(path)
    return CATEGORIES if form is None else form.labels


def parse_hint(hint: str, categories: Sequence[str] = CATEGORIES) -> str:
    """The category that a hint names, however it writes case and blanks.

    Raises PictureError `unknown_category` where it names none.
    """
    known: Mapping[str, str] = {_plain(category): category for category in categories}
    name = _plain(hint)
    if name not in known:
        raise PictureError(
            "unknown_category", f"{hint!r} is none of {', '.join(categories)}{suggest(name, tuple(known))}"
        )
    return known[name]


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def suggest(name: str, names: Sequence[str]) -> str:
    """`; did you mean 'x'?` where a misspelt name is much like one of the names, else an empty string."""
    close = get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
