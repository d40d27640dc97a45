"""The driver of a large catalog: a made-up ledger of N rows, nine tenths of them done; no picture is touched.

    python benchmarks/catalog.py --rows 10000000 [--rows N …] [--quick] [--keep FOLDER]

For each N: `hairline plan` as a command; then, in one process as a run has it, the comparison, all batches as workers
get them, the rows of a few pictures and the compaction of the partitions that they touch, and the report. Says how
long each takes and the peak of resident memory. The last line is one of JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from record import record

from hairline.cluster.nodes import this_machine
from hairline.configs.fingerprint import fingerprint, ingredients
from hairline.configs.job import load_job
from hairline.pipeline.compaction import compact
from hairline.pipeline.feed import Feed
from hairline.pipeline.ledger import SCHEMA, Ledger, encode, write_part
from hairline.pipeline.partitions import Spill, partitions_for, shares
from hairline.pipeline.prepare import prepare
from hairline.pipeline.report import write_report
from hairline.pipeline.storage import Folder

STEP = 200_000
TOUCHED = 5  # pictures whose rows are merged
RUN = "20260101T000000.000Z-aaaa"
STAGES = ("fetch", "filter", "classify", "detect", "coarse", "fine", "products", "write")
SIGNALS = ("clipped", "dark", "entropy", "light", "sharpness", "blur", "occluded", "exposure")
ROUTES = ("general", "portrait", "animal", "product", "clothing")
ENDINGS = [("ok", "", "", 0.9), ("filtered", "too_dark", "filter", 0.06), ("filtered", "no_subject", "coarse", 0.03),
           ("failed", "truncated", "fetch", 0.01)]  # fmt: skip


def ids(start: int, size: int) -> list[str]:
    return [f"shelf {i // 1000:05d}/picture {i:09d}.jpg" for i in range(start, start + size)]


def write_manifest(path: Path, rows: int) -> None:
    """Every picture has an address in a bucket that is never asked, an ETag and a size."""
    schema = pa.schema([("id", pa.string()), ("uri", pa.string()), ("etag", pa.string()), ("size", pa.int64())])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, rows, STEP):
            names = ids(start, min(STEP, rows - start))
            columns = [names, [f"s3://bucket/{name}" for name in names], [etag(name) for name in names]]
            writer.write_table(pa.table([*map(pa.array, columns), pa.array([123456] * len(names))], schema=schema))


def etag(id: str) -> str:
    return hashlib.md5(id.encode(), usedforsecurity=False).hexdigest()


def write_ledger(folder: Folder, rows: int, partitions: int, printed: str) -> None:
    """The rows of the first pictures, as runs of this version leave them."""
    spill = Spill(pa.schema([("id", pa.string())]))
    for start in range(0, rows, STEP):
        spill.add(pa.table([ids(start, min(STEP, rows - start))], schema=spill.schema))
    for share in shares(partitions):
        table = ledger_rows(folder, spill.read(share).sort_by("id")["id"].to_pylist(), share.number, printed)
        folder.write(f"results/all{share.suffix or '-00000'}.parquet", encode(table))


def ledger_rows(folder: Folder, names: list[str], seed: int, printed: str) -> pa.Table:
    n, chance = len(names), np.random.default_rng(seed)
    kinds = chance.choice(len(ENDINGS), n, p=[share for *_, share in ENDINGS])
    ok = kinds == 0
    lists = pa.array(np.arange(n + 1, dtype=np.int32))
    boxes = pa.ListArray.from_arrays(lists, pa.array([(1.0, 2.0, 300.0, 400.0, "subject", 0.9)] * n,
                                                     SCHEMA.field("boxes").type.value_type))  # fmt: skip
    made = pa.array(np.concatenate([[0], np.cumsum(np.where(ok, 2, 0))]).astype(np.int32))
    outputs = [f"{folder.root}/{kind}/{id}.png" for id, good in zip(names, ok.tolist(), strict=True) if good
               for kind in ("cutout", "mask")]  # fmt: skip
    products = ["cutout", "mask"] * int(ok.sum())
    digests = [f"{value:016x}" * 2 for value in chance.integers(0, 2**63, len(outputs)).tolist()]
    columns: dict[str, Any] = {
        "id": names,
        "uri": [f"s3://bucket/{name}" for name in names],
        "etag": [etag(name) for name in names],
        "status": [ENDINGS[k][0] for k in kinds],
        "reason": [ENDINGS[k][1] for k in kinds],
        "stage": [ENDINGS[k][2] for k in kinds],
        "detail": [""] * n,
        "width": chance.integers(600, 4000, n),
        "height": chance.integers(600, 4000, n),
        "quality": numbers(SIGNALS, n, chance),
        "category": [ROUTES[k] for k in chance.integers(0, len(ROUTES), n)],
        "category_score": chance.random(n),
        "boxes": boxes,
        "route": [ROUTES[k] for k in chance.integers(0, len(ROUTES), n)],
        "confidence": chance.random(n),
        "outputs": pa.MapArray.from_arrays(made, pa.array(products, pa.string()), pa.array(outputs, pa.string())),
        "digests": pa.MapArray.from_arrays(made, pa.array(products, pa.string()), pa.array(digests, pa.string())),
        "kept": [""] * n,
        "verdicts": pa.array([[]] * n, SCHEMA.field("verdicts").type),
        "seconds": numbers(STAGES, n, chance),
        "attempts": [1] * n,
        "fingerprint": [printed] * n,
        "run_id": [RUN] * n,
    }
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in SCHEMA]
    return pa.table(arrays, schema=SCHEMA)


def numbers(keys: tuple[str, ...], n: int, chance: np.random.Generator) -> pa.Array:
    """A map with the same keys in each row, and some figures."""
    starts = pa.array(np.arange(n + 1, dtype=np.int32) * len(keys))
    values = np.round(chance.random(n * len(keys)), 4)
    return pa.MapArray.from_arrays(starts, pa.array(list(keys) * n, pa.string()), pa.array(values))


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def job_of(manifest: Path, output: Path) -> Any:
    return load_job("laptop.yaml", input=str(manifest), output=str(output))


def driver(manifest: Path, output: Path) -> dict[str, Any]:
    """What a run's driver does, without the pools."""
    figures: dict[str, Any] = {}

    @contextlib.contextmanager
    def step(name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        figures[f"{name}_s"], figures[f"{name}_peak_mib"] = round(time.monotonic() - started, 1), round(peak_mib())
        print(f"{name}: {figures[f'{name}_s']} s, {figures[f'{name}_peak_mib']} MiB", file=sys.stderr, flush=True)

    job, folder = job_of(manifest, output), Folder(str(output), "20270101T000000.000Z-bbbb")
    with step("compare"):
        prepared = prepare(job, folder, [this_machine()])
    with step("feed"):
        feed = Feed(prepared.todo, job.pools[0].batch, 2, folder)
        figures["batches"] = sum(bool(pickle.dumps(batch)) for batch in feed)
    with step("compact"):
        share = next(prepared.todo.shares)
        table = ledger_rows(folder, prepared.todo.read(share)["id"].to_pylist()[:TOUCHED], 0, prepared.fingerprint)
        rows = [{**row, "run_id": folder.run_id} for row in table.to_pylist()]
        write_part(folder, rows, prepared.todo.partitions)
        compact(Ledger(folder), folder.run_id, prepared.todo.partitions)
    with step("check"):
        kept = Ledger(folder).of_share(share).read(["id"], ids=table["id"].combine_chunks())
        assert len(kept) == len(rows), "rows are lost"
    with step("report"):
        write_report(str(output))
    return {"to_do": len(prepared.todo), "partitions": prepared.todo.partitions, **figures, "peak_mib": peak_mib()}


def plan(manifest: Path, output: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "hairline", "plan", "laptop.yaml", "--input", manifest, "--output", output]
    started = time.monotonic()
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said
    line = next(line for line in said.splitlines() if "to do" in line)
    print(line, file=sys.stderr, flush=True)
    return {"plan_s": round(time.monotonic() - started, 1), "plan_peak_mib": round(usage.ru_maxrss / 1024)}


def measure(rows: int, folder: Path) -> dict[str, Any]:
    manifest, output = folder / f"{rows}.parquet", folder / f"out {rows}"
    if not manifest.exists():
        done = rows * 9 // 10
        write_ledger(
            Folder(str(output)), done, partitions_for(rows), fingerprint(ingredients(job_of(manifest, output)))
        )
        write_manifest(manifest, rows)
        print(f"{rows:,} rows made, {done:,} of them done", file=sys.stderr, flush=True)
    figures = plan(manifest, output)
    command = [sys.executable, __file__, "--driver", str(manifest), str(output)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return {"rows": rows, **figures, **json.loads(said.splitlines()[-1])}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, action="append", help="rows of the manifest; several times for several")
    parser.add_argument("--quick", action="store_true", help="200,000 rows")
    parser.add_argument("--keep", help="a folder for what is made, which a later call takes up again")
    parser.add_argument("--driver", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.driver:
        print(json.dumps(driver(*map(Path, args.driver))))
        return 0
    sizes = args.rows or ([200_000] if args.quick else [1_000_000, 10_000_000])
    with tempfile.TemporaryDirectory(prefix="hairline-large-") as made:
        folder = Path(args.keep or made)
        folder.mkdir(parents=True, exist_ok=True)
        return record({"runs": [measure(rows, folder) for rows in sizes]})


if __name__ == "__main__":
    sys.exit(main())
