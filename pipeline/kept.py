"""What a run keeps of pictures so that a later one can start in the middle: files in OUTPUT/kept, one for each batch.

A picture's row in the ledger names the file. So what no row names is of no use to anybody: the trace of a kill, or of
rows that were replaced; such files of ours go at the end of a run.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from ..stages.state import State
from .ledger import Ledger
from .partitions import shares
from .storage import Folder

KEPT = "kept"
OURS = re.compile(rf"{KEPT}/\d{{8}}T[^/]+Z-[0-9a-f]{{4}}-[0-9a-f]{{16}}\.parquet")
SCHEMA = pa.schema(
    [("id", pa.string()), ("stage", pa.string()), ("facts", pa.string()), ("images", pa.list_(pa.binary()))]
)
States = Mapping[str, Mapping[str, State]]  # id -> stage -> what was known before it


def write_kept(output: Folder, run_id: str, states: States) -> str:
    """Writes one batch's states; returns the file's name, or nothing where there are none. Twice, it is one file."""
    rows = [
        {"id": id, "stage": stage, "facts": state.facts, "images": list(state.images)}
        for id, of_picture in states.items()
        for stage, state in of_picture.items()
    ]
    if not rows:
        return ""
    digest = hashlib.sha256("\0".join(row["id"] for row in rows).encode()).hexdigest()[:16]  # type: ignore[misc]
    name = f"{KEPT}/{run_id}-{digest}.parquet"
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), sink, compression="none")  # PNGs do not get smaller
    output.write(name, sink.getvalue())
    return name


def read_kept(output: Folder, name: str) -> dict[str, dict[str, State]]:
    """The states in a file, as `States`.

    Raises:
        ValueError: it is damaged, or not ours.
        OSError: it is not there, or cannot be read.
    """
    if not OURS.fullmatch(name):
        raise ValueError(f"{name}: no file of kept states")
    states: dict[str, dict[str, State]] = {}
    table = pq.read_table(io.BytesIO(output.read(name))).cast(SCHEMA)
    for row in table.to_pylist():
        states.setdefault(row["id"], {})[row["stage"]] = State(row["facts"], tuple(row["images"]))
    return states


def clear_kept(output: Folder, ledger: Ledger) -> None:
    """Deletes the files of kept states that no row names. Only while no other run is under way."""
    ours = {name for name in output.names(KEPT) if OURS.fullmatch(name)}
    if ours:
        partitions = ledger.partitions
        split = ledger.split(["kept"], partitions)
        for share in shares(partitions):
            ours.difference_update(ledger.of_share(share, split).read(["kept"])["kept"].unique().to_pylist())
        for name in sorted(ours):
            output.delete(name)
