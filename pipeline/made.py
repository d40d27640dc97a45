"""What has been made in an output, so that nothing else is ever replaced or deleted.

    results/*.parquet                     each run's products with their digests (ledger.py)
    .cut/<cut id>.json                    those of `hairline cut`
    .partial/<run id>/made-<hash>.json    a batch's write-ahead list: what it is about to write

A list is written before a batch's products and goes when the batch's rows are in the ledger. So whatever a dead
process left half-made stands in one of its lists, with the digest of what it wrote: that alone is swept. A file that
differs from its digest has been changed by somebody; it is theirs.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from threading import Lock
from typing import Any, NamedTuple

import pyarrow as pa

from ..stages.errors import HairlineError
from .ledger import RESULTS, Ledger, part_stem
from .names import output_name
from .presence import CUT, DEAD_S, OURS, Other, Process, is_present, me, others
from .source import OWN
from .storage import CUTS, UNFINISHED, WORK, Folder

NOTES = re.compile(rf"{re.escape(CUTS)}/[^/]+Z-[0-9a-f]{{4}}(-\d+)?\.json")
LIST = re.compile(rf"{re.escape(WORK)}/([^/]+)/made-[0-9a-f]{{32}}\.json")
TEMPORARY = re.compile(rf"{re.escape(WORK)}/[0-9a-f]{{32}}")  # of who writes outside of a run
Old = Mapping[str, str | None]  # name -> digest; empty: the same bytes were there before; None: a row without digests


class Entry(NamedTuple):
    """One line of a list: the picture, the name in the output, and the digest of what is about to be written there.

    The digest is empty where a product is about to be deleted.
    """

    id: str
    name: str
    digest: str


class Listed(NamedTuple):
    """A write-ahead list that is there: of which run, by which process."""

    run_id: str
    name: str
    maker: Process
    entries: list[Entry]


class Batch:
    """The write-ahead list of one batch, and what else is known to be made by runs (or by cuts) in this output.

    Args:
        ids: the pictures of the batch; done again, it gets the same list.
    """

    def __init__(self, output: Folder, ids: Sequence[str]) -> None:
        self._output, self._ids = output, ids
        self._name = f"{output.work}/made-{hashlib.sha256(chr(0).join(ids).encode()).hexdigest()[:32]}.json"
        self._lock = Lock()
        self._listed = self._watched = False

    def owns(self, name: str, digest: str, old: Old) -> bool:
        """Whether what lies at a name is a product of an earlier run; `old`: those of the rows when this run began."""
        if not digest:  # a folder, a link
            return False
        if name in old and old[name] in (None, digest):
            return True
        with self._lock:
            return digest in self._claims.get(name, ())

    def begin(self, entries: Sequence[Entry]) -> None:
        """Puts down what is about to be written; `owns` has been asked before."""
        if entries:
            before = [entry for listed in read_lists(self._output, [self._name]) for entry in listed.entries]
            text = {"maker": me(), "entries": list(dict.fromkeys([*before, *entries]))}
            self._output.write(self._name, json.dumps(text).encode())
            self._listed, self._watched = True, is_present(self._output)

    def check(self) -> None:
        """Raises HairlineError when this run was taken for dead and swept: the products may be gone."""
        if self._watched and not is_present(self._output):
            raise HairlineError(
                f"output {self._output.root}: another run took this one for dead, for it gave no sign of life"
            )

    def settle(self) -> None:
        """The rows are in the ledger."""
        if self._listed:
            self._output.delete(self._name)

    @cached_property
    def _claims(self) -> dict[str, set[str]]:
        """Name -> digests, from all lists and from the rows of other runs. Slow; asked only for what is in the way."""
        claims: dict[str, set[str]] = defaultdict(set)
        cut = self._output.run_id.startswith(CUT)
        for listed in read_lists(self._output, self._output.names(WORK)):
            if listed.run_id.startswith(CUT) == cut:
                for entry in listed.entries:
                    claims[entry.name].add(entry.digest)  # also of this process: a batch that is done again
        if not cut:
            for _, name, digest in products(self._rows()):
                if digest:
                    claims[name].add(digest)
        return claims

    def _rows(self) -> pa.Table:
        """The newest rows of this batch's pictures, with those of a run beside this one and of an earlier try."""
        mine, again = f"{RESULTS}/part-{self._output.run_id}-", part_stem(self._output.run_id, self._ids)
        ledger = Ledger(self._output, lambda name: name.startswith(again) or not name.startswith(mine))
        return ledger.read(["id", "outputs", "digests"], ids=pa.array(self._ids, pa.string()))


def read_lists(output: Folder, names: Iterable[str]) -> list[Listed]:
    """The write-ahead lists among the names; those that go meanwhile are passed over.

    Raises:
        HairlineError: what is named as one is none, or names files that cannot be products of its pictures.
    """
    found = []
    for name in names:
        if match := LIST.fullmatch(name):
            try:
                text = json.loads(output.read(name))
                listed = Listed(match[1], name, Process(*text["maker"]), [Entry(*entry) for entry in text["entries"]])
                if not all(map(_may_be, listed.entries)):
                    raise ValueError("names outside of the products")
            except FileNotFoundError:
                continue
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise _damaged(output, name, "list of products about to be written") from error
            found.append(listed)
    return found


def _may_be(entry: Entry) -> bool:
    """Whether a name is one that its picture's products can have: one in the output, and none of ours beside them."""
    folder, _, rest = entry.name.partition("/")
    alike = output_name("x" * len(folder.encode()), entry.id, rest.rpartition(".")[2])
    return folder not in ("", ".", "..", *OWN) and alike.partition("/")[2] == rest


def _damaged(output: Folder, name: str, what: str) -> HairlineError:
    return HairlineError(f"{output.uri(name)}: damaged, or no {what}, but named as one; move it away")


def products(rows: pa.Table) -> Iterator[tuple[str, str, str | None]]:
    """(id, name in the output, digest as in `Old`) of every product, of rows with id, outputs and digests."""
    for batch in rows.to_batches(max_chunksize=10_000):
        for row in batch.to_pylist():
            for name, digest in made_in(row):
                yield row["id"], name, digest


def made_in(row: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """(name in the output, digest as in `Old`) of one row's products."""
    digests = None if row["digests"] is None else dict(row["digests"])
    for product, uri in row["outputs"] or ():
        if product not in OWN:
            yield (
                output_name(product, row["id"], (uri or "").rpartition(".")[2]),
                (digests.get(product) or "") if digests is not None else None,
            )


def torn(output: Folder) -> dict[str, str]:
    """id -> the run in whose lists it stands: its products may not be those of an older row any more."""
    found: dict[str, str] = {}
    for listed in read_lists(output, output.names(WORK)):
        if not listed.run_id.startswith(CUT):
            for entry in listed.entries:
                found[entry.id] = max(listed.run_id, found.get(entry.id, ""))
    return found


def made_by_cuts(output: Folder) -> dict[str, str]:
    """name -> digest of what cuts have made here, the newest where several did.

    Raises:
        HairlineError: what is named as a note of theirs is none.
    """
    found: dict[str, str] = {}
    for name in output.names(CUTS):
        if NOTES.fullmatch(name):
            try:
                note = json.loads(output.read(name))
            except FileNotFoundError:  # another cut put it together with its own
                continue
            except ValueError:
                note = None
            if not isinstance(note, dict):
                raise _damaged(output, name, "note of what a cut has made")
            found.update(note)
    return found


def add_cut(output: Folder, made: Mapping[str, str]) -> None:
    """Notes what a cut has made. The notes' names sort by time."""
    if made:
        output.write(f"{CUTS}/{output.run_id.removeprefix(CUT)}-{time.time_ns()}.json", json.dumps(made).encode())


def merge_cuts(output: Folder) -> None:
    """Puts the notes of all cuts into one file. What another cut adds meanwhile stays beside it."""
    names = [name for name in output.names(CUTS) if NOTES.fullmatch(name)]
    if len(names) > 1:
        output.write(f"{CUTS}/{output.run_id.removeprefix(CUT)}.json", json.dumps(made_by_cuts(output)).encode())
        for name in names:
            output.delete(name)


def clear_dead(output: Folder, cuts_only: bool = False, alone: bool = False, also: str = "") -> list[Other]:
    """Sweeps what dead processes left half-made, and their folders in WORK.

    Args:
        cuts_only: leaves the runs, whose lists a run that goes on from there still needs.
        alone: see `presence.others`.
        also: a run id that counts as dead as well: this run's own, when its workers are through.

    Returns:
        The others who are not dead, or may not be.
    """
    lists = read_lists(output, output.names(WORK))
    around = others(output, [(listed.run_id, listed.maker) for listed in lists], alone)
    dead = [other for other in around if other.dead and (other.is_cut or not cuts_only)]
    over = {also, *(other.run_id for other in dead)}
    for other in dead:
        output.delete(f"{WORK}/{other.run_id}/{UNFINISHED}")  # first: should it live after all, it stops here
    entries = [entry for listed in lists if listed.run_id in over for entry in listed.entries]
    if entries:
        ids = pa.array(sorted({entry.id for entry in entries}), pa.string())
        kept = {name for _, name, _ in products(Ledger(output).read(["id", "outputs", "digests"], ids=ids))}
        noted = made_by_cuts(output)
        digests: dict[str, set[str]] = defaultdict(set)
        for entry in entries:
            digests[entry.name].add(entry.digest)
        replaced: dict[str, str] = {}
        for name in digests.keys() - kept:
            found = output.look(name, digests[name])
            if found and found.digest and found.digest in digests[name]:
                if name not in noted:
                    output.delete(name)
                elif noted[name] != found.digest:  # a cut had replaced its own, and died before it noted that
                    replaced[name] = found.digest
        add_cut(output, replaced)
    for listed in lists:
        if listed.run_id == also:
            output.delete(listed.name)
    for other in dead:
        output.clear(f"{WORK}/{other.run_id}", OURS)
    if not cuts_only:
        _clear_temporary(output)
    return [other for other in around if not other.dead]


def leave(output: Folder) -> None:
    """Clears what a run or a cut needed only while it lasted, unless a list there says what it left half-made."""
    with suppress(Exception):  # also when the output cannot be written any more
        if not any(LIST.fullmatch(name) for name in output.names(output.work)):
            output.clear(output.work, OURS)


def _clear_temporary(output: Folder) -> None:
    for name in output.names(WORK):
        if TEMPORARY.fullmatch(name) and time.time() - output.changed(name) > DEAD_S:
            output.delete(name)
