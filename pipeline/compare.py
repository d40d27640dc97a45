"""Two outputs side by side: counts, pictures that end differently, mattes that differ most, speed.

Pictures are matched by id. Mattes are compared on an even sample, at `SIDE` pixels: it finds what changed,
it does not say which of the two is right (`hairline evaluate` does, where there is a truth).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from ..stages.item import U8
from ..stages.limits import DEFAULT_LIMITS
from .fetch import fetch
from .outcome import Outcome, Row, load_outcome
from .overview import ENOUGH, Overview
from .report import SPEED_FIELDS, render, shown_product, spread, write_page
from .storage import Folder, is_local, local_path
from .thumbnails import WORKERS, Thumb, output_thumbs, source_thumbs

SAMPLE = 400  # pictures whose mattes are compared
SIDE = 256  # longest side of a compared matte, pixels
SHOWN = 24
EXAMPLES = 5
MATTES = ("mask", "cutout")  # products that hold the matte, the smaller first


class Change(NamedTuple):
    """Pictures that ended in one way in A and in another in B."""

    before: str
    after: str
    total: int
    examples: list[str]


class Difference(NamedTuple):
    """One picture whose mattes differ; `mean` is the mean absolute difference of alpha, 0..1."""

    id: str
    mean: float
    source: Thumb
    first: Thumb
    second: Thumb


def write_comparison(a: str, b: str, to: str | None = None) -> str:
    """Compares two outputs in one self-contained HTML file.

    Args:
        a, b: folders or URLs of two outputs, usually of the same catalog.
        to: the file to write; default B/report/compare.html.

    Returns:
        The path or URL of the file.

    Raises:
        HairlineError: one of them has no results, or another file is where the page goes.
    """
    first, second = load_outcome(a), load_outcome(b)
    html = render("compare.html", **_context(first, second))
    parent, _, name = (to or second.folder.uri("report/compare.html")).rpartition("/")
    if is_local(parent):
        parent = local_path(parent) or ("/" if to and to.startswith("/") else ".")
    folder = Folder(parent)
    write_page(folder, name, html)
    return folder.uri(name)


def _context(first: Outcome, second: Outcome) -> dict[str, Any]:
    sides, pairs = [Overview(), Overview()], _Pairs()
    partitions = max(first.partitions, second.partitions)
    columns = ["id", "status", "reason", "stage", "seconds"]
    for tables in zip(first.tables(columns, partitions), second.tables(columns, partitions), strict=True):
        for side, table in zip(sides, tables, strict=True):
            side.count(table)
        pairs.add(*tables)
    compared = spread(pairs.ok, SAMPLE)
    means = _differences(first, second, compared)
    known = {id: mean for id, mean in means.items() if mean is not None}
    most = sorted((id for id in known if known[id] > 0), key=lambda id: -known[id])[:SHOWN]
    return {
        "sides": [_side("A", first, sides[0]), _side("B", second, sides[1])],
        "only": [side.total - pairs.both for side in sides],
        "both": pairs.both,
        "changes": pairs.changes(),
        "compared": len(known),
        "unread": len(means) - len(known),
        "same": sum(mean == 0 for mean in known.values()),
        "mean": float(np.mean(list(known.values()))) if known else None,
        "most": _shown(first, second, [(id, known[id]) for id in most]),
        "stages": _stages(*sides),
    }


class _Pairs:
    """The pictures that are in both outputs, partition by partition.

    Attributes:
        both: how many there are.
        ok: ids of those that are ok in both; of many those of some partitions.
    """

    def __init__(self) -> None:
        self.both, self.ok = 0, list[str]()
        self._changes: dict[tuple[str, str], Change] = {}

    def add(self, first: pa.Table, second: pa.Table) -> None:
        at = pc.index_in(first["id"], value_set=second["id"])
        before = first.filter(pc.is_valid(at)).select(["id", "status", "reason"])
        after = second.select(["status", "reason"]).take(pc.drop_null(at))
        self.both += len(before)
        differ = pc.or_(*(pc.not_equal(before[name], after[name]) for name in ("status", "reason")))
        ids, ends = before["id"].filter(differ), [side.filter(differ) for side in (before, after)]
        for id, *rows in zip(ids.to_pylist(), *(side.to_pylist() for side in ends), strict=True):
            words = [" · ".join(filter(None, (row["status"], row["reason"]))) for row in rows]
            change = self._changes.setdefault((words[0], words[1]), Change(words[0], words[1], 0, []))
            examples = [*change.examples, id] if change.total < EXAMPLES else change.examples
            self._changes[words[0], words[1]] = change._replace(total=change.total + 1, examples=examples)
        if len(self.ok) < ENOUGH:
            ok = pc.and_(pc.equal(before["status"], "ok"), pc.equal(after["status"], "ok"))
            self.ok = sorted([*self.ok, *before["id"].filter(ok).to_pylist()])

    def changes(self) -> list[Change]:
        """The pictures that ended differently, most frequent first."""
        changes = [change._replace(examples=sorted(change.examples)) for change in self._changes.values()]
        return sorted(changes, key=lambda change: -change.total)


def _side(letter: str, outcome: Outcome, found: Overview) -> dict[str, Any]:
    run = outcome.last_run
    return {
        "letter": letter,
        "place": outcome.folder.root,
        "total": found.total,
        "statuses": [(status, found.of_status(status)) for status in ("ok", "filtered", "failed")],
        "speed": {key: run.get(field) for key, field in SPEED_FIELDS.items()},
        "facts": [(key, run.get(key)) for key in ("run_id", "fingerprint", "versions", "pools", "machine")],
    }


def _stages(first: Overview, second: Overview) -> list[tuple[str, float | None, float | None]]:
    """Busy seconds per picture of each stage in A and B."""
    sides = [{name: spent / max(found.total, 1) for name, spent in found.seconds.items()} for found in (first, second)]
    names = sorted({*sides[0], *sides[1]}, key=lambda name: -max(side.get(name, 0.0) for side in sides))
    return [(name, sides[0].get(name), sides[1].get(name)) for name in names]


def _differences(first: Outcome, second: Outcome, ids: Sequence[str]) -> dict[str, float | None]:
    """id -> mean absolute difference of alpha, 0..1; None where one of them cannot be read."""

    def one(pair: tuple[Row, Row]) -> float | None:
        try:
            data = [_matte_bytes(outcome, row) for outcome, row in zip((first, second), pair, strict=True)]
            return 0.0 if data[0] == data[1] else difference(_matte(data[0]), _matte(data[1]))
        except Exception:  # a product that is gone or damaged is counted, and no reason to stop
            return None

    rows = list(zip(first.full(ids), second.full(ids), strict=True))
    with ThreadPoolExecutor(WORKERS) as pool:
        return {a["id"]: mean for (a, _), mean in zip(rows, pool.map(one, rows), strict=True)}


def difference(a: U8, b: U8) -> float:
    """Mean absolute difference of two mattes uint8 [h, w], 0..1; B is scaled to A's size."""
    if a.shape != b.shape:
        b = np.asarray(Image.fromarray(b).resize(a.shape[1::-1], Image.Resampling.BOX))
    return float(np.abs(a.astype(np.int16) - b).mean() / 255)


def _matte_bytes(outcome: Outcome, row: Row) -> bytes:
    return fetch(outcome.product_link(row, shown_product(row["outputs"], MATTES)).uri, DEFAULT_LIMITS)[0]


def _matte(data: bytes) -> U8:
    with Image.open(io.BytesIO(data)) as image:
        alpha = image.getchannel("A" if image.mode != "L" else "L")  # a picture without alpha is no matte
        ratio = min(1.0, SIDE / max(alpha.size))
        size = max(1, round(alpha.width * ratio)), max(1, round(alpha.height * ratio))
        return np.asarray(alpha.resize(size, Image.Resampling.BOX))


def _shown(first: Outcome, second: Outcome, means: Sequence[tuple[str, float]]) -> list[Difference]:
    ids = [id for id, _ in means]
    before, after = first.full(ids), second.full(ids)
    sides = [
        output_thumbs([outcome.product_link(row, shown_product(row["outputs"])).uri for row in full])
        for outcome, full in ((first, before), (second, after))
    ]
    sources = source_thumbs([row["uri"] for row in after])
    return [Difference(*each, *thumbs) for each, *thumbs in zip(means, sources, *sides, strict=True)]
