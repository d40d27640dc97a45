"""What a report says of all pictures, as sums and bounded samples: never all rows at once.

Ids are spread over the partitions by their hash, so the rows of a few partitions are a fair sample of all.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from .outcome import Outcome

LIGHT = ["id", "status", "reason", "stage", "route", "confidence"]
FIRST = 32  # rows of a group that are kept for being the first in its order
ENOUGH = 5000  # rows of a group after which no further partition adds to its sample
UNKNOWN = 2.0  # a confidence that is not known goes last


@dataclass
class Group:
    """Pictures that belong together.

    Attributes:
        total: how many there are.
        first: those that come first in the group's order, at most `FIRST` of all.
        sample: all of them, sorted in that order, or where they are many those of some partitions.
    """

    order: list[tuple[str, str]]
    first: pa.Table
    sample: pa.Table
    total: int = 0

    @property
    def is_sampled(self) -> bool:
        return len(self.sample) < self.total

    def add(self, rows: pa.Table) -> None:
        self.total += len(rows)
        both = pa.concat_tables([self.first, rows])
        self.first = both.take(pc.select_k_unstable(both, min(FIRST, len(both)), self.order))
        if len(self.sample) < ENOUGH:
            self.sample = pa.concat_tables([self.sample, rows]).sort_by(self.order)


@dataclass
class Verdicts:
    """What was said of products with presets.

    Attributes:
        counts: (product, preset, verdict) -> files.
        failed: (product, rule) -> files that do not keep it.
        first: pictures with a product that fails, the first by id, at most `FIRST`.
    """

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: list[str] = field(default_factory=list)

    def add(self, table: pa.Table) -> None:
        """Counts the rows of a partition, columns `id` and `verdicts`."""
        ids = table["id"].combine_chunks()
        column = table["verdicts"].combine_chunks()
        found = pc.list_flatten(column)
        if not len(found):
            return
        product, preset, verdict = (pc.struct_field(found, name) for name in ("product", "preset", "verdict"))
        rows = zip(product.to_pylist(), preset.to_pylist(), verdict.to_pylist(), strict=True)
        self.counts.update(rows)
        bad = pc.equal(verdict, "fail")
        owners = ids.take(pc.list_parent_indices(column)).filter(bad).unique().to_pylist()
        self.first = sorted({*self.first, *owners})[:FIRST]
        checks = pc.struct_field(found, "checks")
        of = product.take(pc.list_parent_indices(checks))
        each = pc.list_flatten(checks)
        wrong = pc.equal(pc.struct_field(each, "verdict"), "fail")
        names = pc.struct_field(each, "name").filter(wrong).to_pylist()
        self.failed.update(zip(of.filter(wrong).to_pylist(), names, strict=True))


@dataclass
class Overview:
    """All pictures of an output.

    Attributes:
        ends: (stage, status, reason) -> pictures.
        seconds: stage -> busy seconds.
        routes: route -> those that were cut out, least certain first.
        reasons: (status, reason) -> the others, by id.
        verdicts: whether products keep the rules of their presets.
    """

    ends: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    routes: dict[str, Group] = field(default_factory=dict)
    reasons: dict[tuple[str, str], Group] = field(default_factory=dict)
    verdicts: Verdicts = field(default_factory=Verdicts)

    @property
    def total(self) -> int:
        return self.ends.total()

    def count(self, table: pa.Table) -> list[tuple[str, str, str]]:
        """Counts the rows of a partition; returns the ends that they have."""
        self.seconds.update(busy_seconds(table))
        ends = table.group_by(["stage", "status", "reason"]).aggregate([([], "count_all")]).to_pylist()
        counts = {(row["stage"], row["status"], row["reason"]): row["count_all"] for row in ends}
        self.ends.update(counts)
        return list(counts)

    def of_status(self, status: str) -> int:
        return sum(number for (_, ended, _), number in self.ends.items() if ended == status)


def overview(outcome: Outcome) -> Overview:
    """Goes through all rows once."""
    found = Overview()
    for table in outcome.tables([*LIGHT, "seconds", "verdicts"]):
        ends = found.count(table)
        found.verdicts.add(table)
        light = table.select(LIGHT).append_column("order", pc.fill_null(table["confidence"], UNKNOWN))
        ok = light.filter(pc.equal(light["status"], "ok"))
        routes = pc.if_else(pc.equal(ok["route"], ""), "general", ok["route"])
        for route in routes.unique().to_pylist():
            group = found.routes.setdefault(route, _group(light, [("order", "ascending"), ("id", "ascending")]))
            group.add(ok.filter(pc.equal(routes, route)))
        for end in {(status, reason) for _, status, reason in ends if status != "ok"}:
            group = found.reasons.setdefault(end, _group(light, [("id", "ascending")]))
            mask = pc.and_(pc.equal(light["status"], end[0]), pc.equal(light["reason"], end[1]))
            group.add(light.filter(mask))
    return found


def _group(light: pa.Table, order: list[tuple[str, str]]) -> Group:
    return Group(order, light.schema.empty_table(), light.schema.empty_table())


def busy_seconds(rows: pa.Table) -> dict[str, float]:
    """Seconds spent in each stage, over all rows."""
    seconds = rows["seconds"].combine_chunks()
    if not len(seconds):
        return {}
    pairs = pa.table({"stage": seconds.keys, "seconds": seconds.items})
    sums = pairs.group_by("stage").aggregate([("seconds", "sum")])
    return dict(zip(sums["stage"].to_pylist(), sums["seconds_sum"].to_pylist(), strict=True))
