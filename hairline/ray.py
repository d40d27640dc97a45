"""Cut-outs in a Ray program of your own: `Cutter` for `Dataset.map_batches`.

    import hairline, ray

    pictures = ray.data.read_binary_files("photos/", include_paths=True)
    actors = ray.data.ActorPoolStrategy(min_size=1, max_size=8)
    cut = pictures.map_batches(hairline.ray.Cutter, batch_size=16, num_cpus=1, compute=actors)

In a Ray Serve application of your own, make a `hairline.Cutter` in the deployment's `__init__`; examples/serve_app.py
shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import ray

from . import cutter
from .cutout import Cutout, product_spec
from .stages.errors import HairlineError, PictureError

HERE = "hairline.ray.Cutter"
FACTS = ("status", "reason", "detail", "width", "height", "category", "category_score")


class Cutter:
    """An operator for `Dataset.map_batches`: adds columns to a dataset of pictures, and drops no row.

    It takes batches as Ray hands them out, in the format `numpy`. A process takes as many threads as it has `num_cpus`,
    and the GPU if it has `num_gpus`; the answers are those of a run.

    Args:
        column: of the pictures: bytes of files (`read_binary_files` calls it so), paths or URLs, or uint8 pixels
            [H, W], [H, W, 3] or [H, W, 4], such as `read_images` makes.
        products: what is made of each picture, as in a job file; each becomes a column of its name that holds files
            as bytes, empty where the picture did not end as `ok`.
        prefix: before the names of all columns that are added.
        options: those of `hairline.Cutter`: job, stages, limits, keep_rejects, batch, …

    Adds, besides the products: status, reason, detail, category (text), width, height (pixels), category_score and
    confidence (0..1; confidence is NaN where there is none), and boxes, a list of {x0, y0, x1, y1, label, score}.

    Raises:
        HairlineError: a setting is wrong, there is no such column, or one that it adds is there already.
    """

    def __init__(
        self, column: str = "bytes", *, products: Sequence[Any] = ("cutout",), prefix: str = "", **options: Any
    ) -> None:
        given = _given()
        options.setdefault("threads", max(1, int(given.get("CPU", 1))))
        options.setdefault("device", "cuda" if given.get("GPU") else "cpu")
        self.column = column
        self.products = [product_spec(product) for product in products]
        names = [*FACTS, "confidence", "boxes", *(spec.name for spec in self.products)]
        if twice := {name for name in names if names.count(name) > 1}:
            raise HairlineError(f"{HERE}: two columns would be called {', '.join(sorted(twice))}")
        self.added = [prefix + name for name in names]
        self.cutter = cutter.Cutter(**options)

    def __call__(self, batch: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """A batch with its columns and ours."""
        if not isinstance(batch, Mapping):
            raise HairlineError(f"{HERE} takes batches in the format numpy, not {type(batch).__name__}")
        if self.column not in batch:
            raise HairlineError(f"{HERE}: no column {self.column!r}, only {', '.join(batch)}; name yours with column=")
        if both := batch.keys() & self.added:
            raise HairlineError(f"{HERE}: columns {', '.join(sorted(both))} are there already; give ours a prefix=")
        rows = [self._row(cutout) for cutout in self.cutter.cut_many(map(_picture, batch[self.column]))]
        return {**batch, **{name: _column([row[i] for row in rows]) for i, name in enumerate(self.added)}}

    def _row(self, cutout: Cutout) -> list[Any]:
        """The cells of the added columns."""
        files = [b""] * len(self.products)
        if cutout.ok:
            try:
                files = [spec.build().make(cutout.matte).data for spec in self.products]
            except PictureError as error:  # the picture does not allow this product
                cutout = replace(cutout, status="failed", reason=error.reason, detail=error.detail, confidence=None)
        confidence = np.nan if cutout.confidence is None else cutout.confidence
        return [*(getattr(cutout, name) for name in FACTS), confidence, [vars(box) for box in cutout.boxes], *files]


def _given() -> dict[str, float]:
    """What this process got from Ray: `{"CPU": 2.0, "GPU": 1.0}`; nothing where it is no actor."""
    context = ray.get_runtime_context() if ray.is_initialized() else None
    if context is None or context.get_actor_id() is None:
        return {}
    return context.get_assigned_resources()  # type: ignore[no-untyped-call]


def _picture(cell: Any) -> Any:
    return str(cell) if isinstance(cell, np.str_) else cell


def _column(values: list[Any]) -> np.ndarray:
    if values and not isinstance(values[0], bytes | str | list):
        return np.array(values)
    column = np.empty(len(values), object)
    column[:] = values
    return column
