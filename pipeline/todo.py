"""What is to do: the catalog compared with the ledger, partition by partition; no table of either is held whole."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .catalog import Catalog
from .ledger import KEYS, RESULT, Ledger
from .partitions import Share, shares, spread

ENDINGS = ["etag", *RESULT]  # columns of the ledger that decide
FirstStage = Callable[[str, str, str, str], str | None]  # fingerprint, status, stage, reason -> Outdated.first_stage
WORTH = 8  # partitions from which on the nodes of a cluster compare


class Reasons(NamedTuple):
    """Why a picture is done in this run."""

    new: int = 0
    changed: int = 0  # the file is another one
    outdated: int = 0  # done with other settings, weights or version
    asked: int = 0  # --retry


class Compared(NamedTuple):
    """One partition.

    Attributes:
        todo: which of the catalog's rows are to do, bool [n], packed to bits.
        stages: the stages at which outdated ones start, by their names in rows.
        firsts: of each row to do which of them, from 1, or 0 for all stages; uint8 [n], deflated.
        starts: pictures that start at each of the stages.
        fingerprints: those that rows of the ledger have.
        pictures: how many rows it has.
        why: how many of them are to do, for which cause.
        settled: (status, reason) -> pictures that are done.
        gone: rows of the ledger whose picture the catalog does not hold.
    """

    todo: bytes
    stages: list[str]
    firsts: bytes
    starts: Counter[str]
    fingerprints: list[str]
    pictures: int
    why: Reasons
    settled: Counter[tuple[str, str]]
    gone: int


class Todo:
    """The pictures to do: a bit for each one of the catalog. Travels by pickle in a machine.

    Attributes:
        partitions: how many there are.
        counts: pictures to do in each.
        why, settled, gone, starts, fingerprints: see `Compared`, of all together.
    """

    def __init__(self, catalog: Catalog, compared: Sequence[Compared]) -> None:
        self.catalog, self._compared = catalog, [(each.todo, each.stages, each.firsts) for each in compared]
        self.partitions = len(compared)
        self.counts = [sum(each.why) for each in compared]
        self.known = [sum(each.why[1:]) for each in compared]  # have a row already
        self.why = Reasons(*map(sum, zip(*(each.why for each in compared), strict=True)))
        self.settled = sum((each.settled for each in compared), Counter())
        self.starts: Counter[str] = sum((each.starts for each in compared), Counter())
        self.fingerprints = sorted({each for one in compared for each in one.fingerprints})
        self.gone = sum(each.gone for each in compared)

    def __len__(self) -> int:
        return sum(self.counts)

    @property
    def shares(self) -> Iterator[Share]:
        """Those in which something is to do."""
        return (share for share in shares(self.partitions) if self.counts[share.number])

    def read(self, share: Share) -> pa.Table:
        """The catalog's rows to do in one of the partitions, sorted by id; `first`: the first stage, empty for all."""
        rows, (todo, stages, firsts) = self.catalog.read(share), self._compared[share.number]
        bits = np.unpackbits(np.frombuffer(todo, np.uint8), count=len(rows))
        at = np.frombuffer(zlib.decompress(firsts), np.uint8)
        return rows.filter(pa.array(bits.astype(bool))).append_column(
            "first", pa.array(["", *stages]).take(pa.array(at))
        )


def compare(
    catalog: Catalog,
    ledger: Ledger,
    first_stage: FirstStage,
    retry: Sequence[str] = (),
    torn: Mapping[str, str] | None = None,
    remote: bool = False,
) -> Todo:
    """Compares a catalog with what is done, a few partitions at a time.

    Args:
        first_stage: the first stage to run again for a picture with such a row; None: it is done.
        retry: statuses (`failed`, `filtered`, `ok`) and reason codes to do again.
        torn: id -> run that was replacing its products when it died: an older row does not hold any more.
        remote: a session with nodes of a cluster lasts, which may do it.
    """
    partitions = max(catalog.partitions, ledger.partitions)
    split = ledger.split(ENDINGS, partitions)
    work = partial(compare_share, first_stage=first_stage, retry=list(retry), torn=dict(torn or {}))
    parts = ((catalog.read(share), ledger.of_share(share, split)) for share in shares(partitions))
    return Todo(catalog, list(spread(work, parts, remote and partitions >= WORTH)))


def compare_share(
    catalog: pa.Table,
    ledger: Ledger,
    first_stage: FirstStage,
    retry: Sequence[str] = (),
    torn: Mapping[str, str] | None = None,
) -> Compared:
    """Compares some of the catalog (columns id and etag at least) with the ledger's rows of the same share."""
    done = ledger.read(["id", "run_id", *ENDINGS])
    gone = len(done)
    if torn:
        some = done.filter(pc.is_in(done["id"], value_set=pa.array(list(torn), pa.string()))).select(KEYS).to_pylist()
        untrue = [row["id"] for row in some if row["run_id"] < torn[row["id"]]]
        untrue_ids = pa.array(untrue, pa.string())
        gone -= pc.sum(pc.is_in(catalog["id"], value_set=untrue_ids)).as_py() or 0
        done = done.filter(pc.invert(pc.is_in(done["id"], value_set=untrue_ids)))
    at = pc.index_in(catalog["id"], value_set=done["id"])
    known = done.select(ENDINGS).take(at)  # a null where the ledger has no row
    new = pc.is_null(at)
    changed = pc.fill_null(pc.not_equal(known["etag"], catalog["etag"]), False)
    first = _first_stages(known, first_stage)
    outdated = pc.and_not(pc.is_valid(first), changed)
    settled = pc.invert(pc.or_(new, pc.or_(changed, outdated)))
    wanted = pa.array(retry, pa.string())
    named = pc.or_(pc.is_in(known["status"], value_set=wanted), pc.is_in(known["reason"], value_set=wanted))
    asked = pc.and_(settled, pc.fill_null(named, False))
    why = Reasons(*(pc.sum(mask).as_py() or 0 for mask in (new, changed, outdated, asked)))
    todo = pc.or_(pc.invert(settled), asked)
    starts = pc.if_else(outdated, first, "").filter(todo).combine_chunks().dictionary_encode()
    counts = Counter(dict(zip(starts.dictionary.to_pylist(), np.bincount(starts.indices).tolist(), strict=True)))
    stages = [stage for stage in counts if stage]
    codes = pc.fill_null(pc.index_in(starts.cast(pa.string()), value_set=pa.array(["", *stages])), 0).cast(pa.uint8())
    ends = known.filter(pc.invert(todo)).group_by(["status", "reason"]).aggregate([([], "count_all")]).to_pylist()
    return Compared(
        np.packbits(todo.to_numpy().astype(bool)).tobytes(),
        stages,
        zlib.compress(codes.to_numpy().tobytes(), 1),
        Counter({stage: counts[stage] for stage in stages}),
        known["fingerprint"].drop_null().unique().to_pylist(),
        len(catalog),
        why,
        Counter({(row["status"], row["reason"]): row["count_all"] for row in ends}),
        gone - (len(catalog) - why.new),
    )


def _first_stages(known: pa.Table, first_stage: FirstStage) -> pa.ChunkedArray:
    """The first stage to run again for each row; null where it is done, or there is none. Rows have few kinds."""
    kinds = pc.binary_join_element_wise(*(known[name] for name in RESULT), "\0").combine_chunks().dictionary_encode()
    answers = [first_stage(*kind.split("\0")) for kind in kinds.dictionary.to_pylist()]
    return pa.chunked_array([pa.array(answers, pa.string()).take(kinds.indices)])
