"""`hairline autoclassify prepare`: from a data set to examined, grouped and split pictures, and the data card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..stages.errors import HairlineError
from . import duplicates, examine, files
from .card import data_card
from .dataset import check_counts, list_dataset
from .quality import issues
from .split import leaks, split

FACTS, PICTURES, DATASET, CARD = "prepare/facts", "prepare/pictures.parquet", "dataset.json", "prepare/card.md"
TOO_MANY_COPIES = 0.9


@dataclass(frozen=True)
class Prepared:
    """A prepared data set.

    Attributes:
        output: the folder OUT.
        table: one row a usable picture, ordered by uri: uri, label, split, group, issues.
        labels: the classes; ordered ones from the worst to the best.
        ordered: whether they are.
        starts: the encoders whose features there are.
    """

    output: Path
    table: pa.Table
    labels: tuple[str, ...]
    ordered: bool
    starts: tuple[str, ...]

    def column(self, name: str) -> NDArray:
        return np.array(self.table[name].to_pylist(), object if name == "issues" else None)

    @property
    def targets(self) -> NDArray[np.int64]:
        """Numbers of the given labels, [N]."""
        number = {label: i for i, label in enumerate(self.labels)}
        return np.array([number[label] for label in self.table["label"].to_pylist()], np.int64)

    def features(self, start: str) -> NDArray[np.float16]:
        """What an encoder says of the pictures, [N, P]."""
        return examine.features(self.output / FACTS, start, self.table)

    def thumbnails(self, rows: Sequence[int] | NDArray[np.int64]) -> list[bytes]:
        """Small copies of some pictures, JPEG, in the order of the rows."""
        wanted = self.table.take(pa.array(rows, pa.int64()))
        facts = examine.known(self.output / FACTS, ["uri", "etag", "thumbnail"], wanted["uri"])
        return [one.as_py() for one in _aligned(facts, wanted)["thumbnail"]]


def prepare(
    dataset: str, output: Path, order: Sequence[str], starts: Sequence[str], tell: Callable[[str], None]
) -> Prepared:
    """Prepares a data set in the Ray session that is there; what has been examined before is not examined again.

    Args:
        dataset: see `list_dataset`.
        output: the folder OUT.
        order: the classes from the worst to the best; empty: they have no order.
        starts: encoders, of `examine.STARTS`.
        tell: is given a line for a person now and then.

    Raises:
        HairlineError: the data set is not usable; one line says why.
    """
    before = files.read_json(output / DATASET, {})
    if before and before["dataset"] != dataset:
        raise HairlineError(f"output {output}: holds what was made of {before['dataset']}; give another folder")
    listed = list_dataset(dataset)
    labels = _labels(dataset, set(listed["label"].to_pylist()), order)
    files.write_json(
        output / DATASET, {"dataset": dataset, "labels": labels, "ordered": bool(order), "starts": list(starts)}
    )
    examine.examine(listed, output / FACTS, starts, lambda done, of: tell(f"examined {done:,} of {of:,} pictures"))
    small = [name for name in examine.FACTS.names if name != "thumbnail" and not name.startswith("features_")]
    facts = _aligned(examine.known(output / FACTS, small), listed)
    table, figures = _judge(dataset, output, listed, facts, starts[0])
    files.write_table(output / PICTURES, table)
    files.write(output / CARD, data_card(dataset, labels, table, figures))
    for note in figures["notes"]:
        tell(note)
    return open_prepared(output)


def open_prepared(output: Path) -> Prepared:
    """What `prepare` has made. Raises HairlineError: it has not yet."""
    about = files.read_json(output / DATASET)
    if about is None or not (output / PICTURES).is_file():
        raise HairlineError(f"output {output}: nothing is prepared there; run hairline autoclassify prepare first")
    table = pq.read_table(output / PICTURES)
    usable = table.filter(pc.equal(table["dropped"], ""))
    return Prepared(output, usable, tuple(about["labels"]), about["ordered"], tuple(about["starts"]))


def _labels(dataset: str, found: set[str], order: Sequence[str]) -> list[str]:
    if not order:
        return sorted(found)
    if set(order) != found or len(order) != len(set(order)):
        raise HairlineError(
            f"data set {dataset}: --ordered names {', '.join(order)}, but the classes are {', '.join(sorted(found))}"
        )
    return list(order)


def _judge(
    dataset: str, output: Path, listed: pa.Table, facts: pa.Table, start: str
) -> tuple[pa.Table, dict[str, Any]]:
    """The table of all pictures, with the reason why one is dropped, and figures for the card."""
    errors = np.array(facts["error"].to_pylist(), object)
    readable = errors == ""
    if not readable.any():
        raise HairlineError(
            f"data set {dataset}: none of {len(listed)} pictures can be read; "
            f"the first, {listed['uri'][0]}: {errors[0]}"
        )
    labels = np.array(listed["label"].to_pylist(), object)
    dropped = np.where(readable, "", "unreadable").astype(object)
    at = np.nonzero(readable)[0]
    digests = pc.fill_null(facts["sha256"].combine_chunks().dictionary_encode().indices, -1).to_numpy()
    first = at[duplicates.first_of_each(digests[at])]
    copies, conflicts = 0, set()
    for row, original in zip(at.tolist(), first.tolist(), strict=True):
        if row != original:
            copies += 1
            dropped[row] = "copy"
            if labels[row] != labels[original]:
                conflicts.add(original)
    kept = np.nonzero(dropped == "")[0]
    if copies >= TOO_MANY_COPIES * len(at):
        raise HairlineError(
            f"data set {dataset}: {copies} of {len(at)} pictures are copies of others, {len(kept)} are left; "
            "give different pictures"
        )
    for row in conflicts:
        dropped[row] = "two labels"
    kept = np.nonzero(dropped == "")[0]
    counts = Counter(dict.fromkeys(labels.tolist(), 0))  # a class may have lost all of its pictures
    counts.update(labels[kept].tolist())
    check_counts(dataset, counts, "different readable pictures")
    used = facts.take(pa.array(kept))
    features = examine.features(output / FACTS, start, used)
    numbers = duplicates.groups(duplicates.Looks(used["phash"].to_numpy(), features))
    check_groups(dataset, labels[kept], numbers)
    uris = listed["uri"].to_pylist()
    parts, leaked = _split(output, [uris[i] for i in kept], labels[kept].tolist(), numbers, listed.take(pa.array(kept)))
    for row in leaked:
        dropped[kept[row]] = "leak"
    found = issues(used)
    columns: dict[str, list[Any]] = {
        "uri": uris,
        "etag": listed["etag"].to_pylist(),
        "label": labels.tolist(),
        "dropped": dropped.tolist(),
        "why": [
            error or f"of {uris[o]}" if d == "copy" else error for error, d, o in _whys(errors, dropped, at, first)
        ],
        "group": [-1] * len(uris),
        "split": [""] * len(uris),
        "issues": [[] for _ in uris],
    }
    for place, row in enumerate(kept.tolist()):
        columns["group"][row], columns["split"][row] = int(numbers[place]), parts[place]
        columns["issues"][row] = found[place]
    sizes = np.bincount(numbers)
    figures = {
        "listed": len(listed),
        "unreadable": int((~readable).sum()),
        "copies": copies,
        "two labels": len(conflicts),
        "leaks": len(leaked),
        "near": int(sizes[sizes > 1].sum()),
        "near groups": int((sizes > 1).sum()),
        "across": _across(labels[kept], numbers),
    }
    notes = []
    if copies:
        notes.append(
            f"{copies} copies left out" + (f", {len(conflicts)} pictures have two labels" if conflicts else "")
        )
    if figures["unreadable"]:
        notes.append(f"{figures['unreadable']} pictures cannot be read, the first is {uris[int(np.argmax(~readable))]}")
    if leaked:
        notes.append(f"{len(leaked)} pictures left out because a near duplicate of theirs is held out")
    schema = {"group": pa.int64(), "issues": pa.list_(pa.string())}
    table = pa.table({name: pa.array(values, schema.get(name, pa.string())) for name, values in columns.items()})
    return table, figures | {"notes": notes}


def _whys(errors: NDArray, dropped: NDArray, at: NDArray, first: NDArray) -> list[tuple[str, str, int]]:
    original = np.arange(len(errors))
    original[at] = first
    return list(zip(errors.tolist(), dropped.tolist(), original.tolist(), strict=True))


def check_groups(dataset: str, labels: NDArray, numbers: NDArray) -> None:
    """Raises HairlineError: near duplicates leave too few different pictures of a class."""
    pairs = {(label, group) for label, group in zip(labels.tolist(), numbers.tolist(), strict=True)}
    check_counts(dataset, Counter(label for label, _ in pairs), "pictures that are no near duplicates")


def _across(labels: NDArray, numbers: NDArray) -> int:
    """Groups of near duplicates whose pictures have different labels."""
    of: dict[int, set[str]] = {}
    for label, group in zip(labels.tolist(), numbers.tolist(), strict=True):
        of.setdefault(group, set()).add(label)
    return sum(len(names) > 1 for names in of.values())


def _split(
    output: Path, uris: Sequence[str], labels: Sequence[str], numbers: NDArray, listed: pa.Table
) -> tuple[list[str], list[int]]:
    """The split, as an earlier call or the manifest has it where they say so; and what leaks."""
    before: dict[str, str] = {}
    if (output / PICTURES).is_file():
        table = pq.read_table(output / PICTURES, columns=["uri", "split"])
        before = dict(zip(table["uri"].to_pylist(), table["split"].to_pylist(), strict=True))
    given = listed["split"].to_pylist()
    fixed = [own or before.get(uri, "") for uri, own in zip(uris, given, strict=True)]
    parts = split(labels, numbers, fixed)
    return parts, leaks(numbers, parts)


def _aligned(facts: pa.Table, listed: pa.Table) -> pa.Table:
    """The facts of the listed pictures, in their order; each has been examined."""
    return facts.take(pa.array(examine.places(listed, facts))).combine_chunks()
