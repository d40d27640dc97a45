"""The stages of one pool in one process, as the service runs them. Nothing here knows Ray."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..cluster.stage_runner import PoolSpec, StageRunner
from ..stages.item import Item
from ..stages.products.spec import ProductSpec
from ..stages.request import RequestSpec
from .request_item import RequestItem


@dataclass(frozen=True)
class EngineSpec:
    """All that a process needs to know; travels to it by pickle.

    Attributes:
        model: fingerprint of all pools together.
        code: fingerprint of the source files, so that new code is a new version.
    """

    pool: PoolSpec
    model: str
    code: str


class Engine:
    """The stages of one pool, set up and warm."""

    def __init__(self, spec: EngineSpec) -> None:
        """Raises HairlineError: there is no GPU, or weights are missing or damaged."""
        self.spec = spec
        self.runner = StageRunner(spec.pool)

    def run(self, pictures: Sequence[RequestItem]) -> None:
        """Runs the pool's stages over pictures, in place. No error of a picture leaves this."""
        self.runner.run([picture.item for picture in pictures])
        if self.spec.pool.is_last:
            for picture in pictures:
                picture.item.release()

    def probe(self) -> float:
        """Runs a picture of its own through the pool; seconds.

        Raises:
            RuntimeError: a stage failed on it. What later pools need of earlier ones is not there, so a pool in
                the middle is asked with what it has; only a whole chain must end well.
        """
        item = Item("probe", "", data=PROBE)
        item.request = RequestSpec((ProductSpec.model_validate("mask"),), keep_rejects=True)
        item.width, item.height = item.picture.width, item.picture.height
        if not self.spec.pool.is_first:
            item.alpha = np.full((item.height, item.width), 255, np.uint8)
        started = time.perf_counter()
        self.run([RequestItem(item)])
        if item.status == "failed":
            raise RuntimeError(f"{item.stage}: {item.reason}: {item.detail}")
        return time.perf_counter() - started


def _probe_picture() -> bytes:
    """A JPEG of a coloured disc with a soft edge before a plain background: a subject that every stage works on."""
    y, x = np.mgrid[0:192, 0:256].astype(np.float32)
    disc = np.clip((70 - np.hypot(x - 128, y - 96)) / 6, 0, 1)[..., None]
    subject = np.stack([40 + x / 2, 60 + y, 200 - x / 3], -1)
    return cv2.imencode(".jpg", (disc * subject + (1 - disc) * 225).astype(np.uint8))[1].tobytes()


PROBE = _probe_picture()
