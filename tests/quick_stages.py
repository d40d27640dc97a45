"""Stages that start at once, for the tests of how the service runs: their alpha says which settings made it."""

from __future__ import annotations

import os
import time
from typing import ClassVar

import numpy as np
from pydantic import Field

from hairline.stages.base import EachStage, Settings
from hairline.stages.item import Item


class FindSettings(Settings):
    value: int = Field(200, ge=1, le=255)


class Find(EachStage[FindSettings]):
    """Half of the alpha; `value` stands for weights."""

    name: ClassVar[str] = "find"
    Settings: ClassVar[type[Settings]] = FindSettings

    def process_one(self, item: Item) -> None:
        if item.category_hint == "poison":
            os._exit(1)
        item.alpha = np.full((item.picture.height, item.picture.width), self.settings.value, np.uint8)


class RefineSettings(Settings):
    value: int = Field(200, ge=1, le=255)
    seconds: float = 0.0


class Refine(EachStage[RefineSettings]):
    """The other half. Takes its time."""

    name: ClassVar[str] = "refine"
    Settings: ClassVar[type[Settings]] = RefineSettings

    def process_one(self, item: Item) -> None:
        time.sleep(self.settings.seconds)
        assert item.alpha is not None
        alpha = item.alpha.copy()
        alpha[:, alpha.shape[1] // 2 :] = self.settings.value
        item.alpha = alpha
