"""A matte as a person wants it: the run's own stages compute again what strokes, places and boxes touch."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

from ..pipeline.fetch import fetch
from ..pipeline.outcome import Row
from ..stages.correction import Correction
from ..stages.errors import HairlineError, PictureError
from ..stages.item import U8, Item
from ..stages.request import RequestSpec
from .replace import Products

# stages that a box has do their work again; the last alone takes strokes and places
ANEW = ("detect", "coarse", "fine")


class Corrector:
    """The stages that correct, each loaded when it is first needed. One correction at a time: they share the cores."""

    def __init__(self, products: Products) -> None:
        self._products, self._lock = products, Lock()
        self._stages: dict[tuple[str, str], Any] = {}
        self._held = ("", b"")  # the picture that was corrected last: id, bytes

    def correct(self, row: Row, correction: Correction) -> U8:
        """The corrected matte, uint8 [H, W], 0..255, of the upright picture.

        Args:
            correction: with the matte so far, or with boxes.

        Raises:
            PictureError: the source cannot be read, or the correction is not for it.
            HairlineError: it is not known with what settings the picture was made.
        """
        from ..stages.base import run_stages

        with self._lock:
            item = self._item(row)
            item.request = RequestSpec((), correction=correction)
            run_stages(self._wanted(row, ANEW if correction.boxes else ANEW[-1:]), [item])
            if item.status != "pending" or item.alpha is None:
                raise PictureError(item.reason or "no_subject", item.detail)
            return item.alpha

    def _item(self, row: Row) -> Item:
        """A picture as if the stages before had just seen it."""
        limits = self._products.limits(row)
        if self._held[0] != row["id"]:
            self._held = row["id"], fetch(row["uri"], limits)[0]
        item = Item(row["id"], row["uri"], data=self._held[1], limits=limits)
        item.width, item.height = item.picture.width, item.picture.height
        item.category, item.route, item.quality = row["category"], row["route"], row["quality"]
        return item

    def _wanted(self, row: Row, names: Sequence[str]) -> list[Any]:
        import torch

        from ..stages.registry import stage_class

        settings = self._products.settings(row)["stages"]
        found = []
        for name in names:
            if name not in settings:
                raise HairlineError(f"{row['id']}: the run had no stage {name}; it cannot be corrected here")
            key = (row["fingerprint"], name)
            if key not in self._stages:
                kind = stage_class(name)
                stage = kind(kind.Settings.model_validate(settings[name]))
                stage.setup(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
                self._stages[key] = stage
            found.append(self._stages[key])
        return found
