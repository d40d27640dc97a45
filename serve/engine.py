"""The stages of one pool in one process, as the service runs them. Nothing here knows Ray."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from ..cluster.stage_runner import PoolSpec, StageRunner
from ..stages.base import EachStage, Settings, Stage, run_stage
from ..stages.item import Item
from ..stages.products.spec import ProductSpec
from .work import Order, ProductsOrder, Work


@dataclass(frozen=True)
class EngineSpec:
    """All that a process needs to know; travels to it by pickle.

    Attributes:
        batch_pixels: pixels that go through the stages together.
        model: fingerprint of all pools together.
        code: fingerprint of the source files, so that new code is a new version.
    """

    pool: PoolSpec
    batch_pixels: int
    model: str
    code: str


class Engine:
    """The stages of one pool, set up and warm."""

    def __init__(self, spec: EngineSpec) -> None:
        """Raises HairlineError: there is no GPU, or weights are missing or damaged."""
        self.spec = spec
        self.stages = StageRunner(spec.pool).stages
        self._lenient = {stage.name: _lenient(stage) for stage in self.stages}

    def run(self, works: Sequence[Work]) -> None:
        """Runs the pool's stages over pictures, in place. No error of a picture leaves this."""
        if self.spec.pool.is_first:
            for work in works:
                run_stage(_Prepare(work.order), [work.item])
        for stage in self.stages:
            works = [work for work in works if not work.gone]
            if stage.name == "products":
                for work in works:
                    run_stage(_Make(work.order), [work.item])
                continue
            for lenient in (False, True):
                items = [work.item for work in works if work.order.lenient == lenient]
                run_stage(self._lenient[stage.name] if lenient else stage, items)
        for work in works:
            work.item.forget_pixels()
            if self.spec.pool.is_last:
                work.item.finish()
                work.item.release()

    def probe(self) -> float:
        """Runs a picture of its own through the pool; seconds.

        Raises:
            RuntimeError: a stage failed on it. What later pools need of earlier ones is not there, so a pool in
                the middle is asked with what it has; only a whole chain must end well.
        """
        work = Work(Item("probe", "", data=PROBE), ProductsOrder((ProductSpec.model_validate("mask"),), lenient=True))
        work.item.width, work.item.height = work.item.picture.width, work.item.picture.height
        if not self.spec.pool.is_first:
            work.item.alpha = np.full((work.item.height, work.item.width), 255, np.uint8)
        started = time.perf_counter()
        self.run([work])
        if work.item.status == "failed":
            raise RuntimeError(f"{work.item.stage}: {work.item.reason}: {work.item.detail}")
        return time.perf_counter() - started


class _Prepare(EachStage[Settings]):
    name: ClassVar[str] = "prepare"
    Settings = Settings

    def __init__(self, order: Order) -> None:
        super().__init__(Settings())
        self.order = order

    def process_one(self, item: Item) -> None:
        self.order.prepare(item)


class _Make(_Prepare):
    """The products stage, with the products of this one request."""

    name: ClassVar[str] = "products"

    def process_one(self, item: Item) -> None:
        item.outputs = self.order.make(item)


def _lenient(stage: Stage[Settings]) -> Stage[Settings]:
    """The same stage, sharing its networks, that ends no picture for its quality."""
    if "reject" not in type(stage.settings).model_fields:
        return stage
    other = copy.copy(stage)
    other.settings = stage.settings.model_copy(update={"reject": ()})
    return other


def _probe_picture() -> bytes:
    """A JPEG of a coloured disc with a soft edge before a plain background: a subject that every stage works on."""
    y, x = np.mgrid[0:192, 0:256].astype(np.float32)
    disc = np.clip((70 - np.hypot(x - 128, y - 96)) / 6, 0, 1)[..., None]
    subject = np.stack([40 + x / 2, 60 + y, 200 - x / 3], -1)
    return cv2.imencode(".jpg", (disc * subject + (1 - disc) * 225).astype(np.uint8))[1].tobytes()


PROBE = _probe_picture()
