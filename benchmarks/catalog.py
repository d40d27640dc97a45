"""A hard catalog from end to end: odd files, reruns, changes, and the same from and to S3.

    python benchmarks/catalog.py [--quick] [--pictures N] [--odd N]
    python benchmarks/catalog.py --rows N [--rows N …]    # the driver of a large catalog: large_catalog.py

The catalog is four folders deep, with the same name under several endings, spaces and non-Latin letters, and
odd or damaged files of every kind that tests/zoo.py knows. With HAIRLINE_S3_ENDPOINT and AWS credentials in the
environment the same catalog then goes from a bucket to a bucket. Ends with one line of JSON, also of what a catalog of
200,000 rows (--quick) or a million takes; exit 1 if any count in `wrong` is not 0.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
from pyarrow import fs

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]
from command import hairline_run  # noqa: E402
from large_catalog import measure  # noqa: E402
from offline import proportional_mib  # noqa: E402
from record import record  # noqa: E402

from zoo import Expectation, write_catalog  # noqa: E402


def run(source: str, output: str, *more: str) -> tuple[int, float, float, str]:
    """`hairline run`: exit code, seconds, peak MiB of all its processes, and what it printed."""
    started, peak = time.monotonic(), 0.0
    with tempfile.TemporaryFile("w+") as text:
        process = subprocess.Popen(hairline_run(source, output, *more), stdout=text, stderr=subprocess.STDOUT)
        while process.poll() is None:
            peak = max(peak, proportional_mib(process.pid))
            time.sleep(2)
        text.seek(0)
        printed = text.read()
    print(f"exit {process.returncode} after {time.monotonic() - started:.0f} s, peak {peak:.0f} MiB", flush=True)
    return process.returncode, time.monotonic() - started, peak, printed


def rows(output: str) -> dict[str, dict]:
    if output.startswith("s3://"):
        table = pq.read_table(output.removeprefix("s3://") + "/results", filesystem=_s3())
    else:
        table = pq.read_table(Path(output, "results"))
    found = table.to_pylist()
    assert len({row["id"] for row in found}) == len(found), "an id stands twice in the results"
    return {row["id"]: row for row in found}


def done_now(output: Path) -> int:
    """Pictures that the newest run did."""
    newest = max((output / "runs").glob("*.json"))
    return sum(json.loads(newest.read_text())["to_do"].values())


def digests(folder: Path, skip: tuple[str, ...] = ()) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] not in skip
    }


def unexpected(found: dict[str, dict], expected: dict[str, Expectation]) -> list[str]:
    wrong = [f"{id}: no row" for id in expected.keys() - found.keys()]
    wrong += [f"{id}: a row of nothing" for id in found.keys() - expected.keys()]
    for id in expected.keys() & found.keys():
        row, want = found[id], expected[id]
        if row["status"] not in want.statuses or (
            row["status"] == "failed" and want.reasons and row["reason"] not in want.reasons
        ):
            wrong.append(f"{id}: {row['status']} {row['reason']} {row['detail']}; expected {want}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="200 pictures, 60 odd files")
    parser.add_argument("--pictures", type=int, default=0)
    parser.add_argument("--odd", type=int, default=0)
    parser.add_argument("--rows", type=int, action="append", help="rows of a made-up manifest, and nothing else")
    args = parser.parse_args()
    if args.rows:
        return large_catalog(args.rows)
    pictures, odd = args.pictures or (200 if args.quick else 2000), args.odd or (60 if args.quick else 100)
    with tempfile.TemporaryDirectory(prefix="hairline-catalog-") as folder:
        source, output = Path(folder, "in"), Path(folder, "out")
        expected = write_catalog(source, pictures, odd)
        by_id = {path.relative_to(source).as_posix(): want for path, want in expected.items()}
        before = digests(source)
        print(f"{len(expected)} files made", flush=True)
        code, seconds, peak, _ = run(str(source), str(output))
        found, after = rows(str(output)), digests(source)
        wrong = {
            "rows": unexpected(found, by_id),
            "inputs": sorted(k for k in before if after.get(k) != before[k]),
            "exit": [] if code == 3 else [f"exit {code}, not 3"],
        }
        again, again_seconds, _, _ = run(str(source), str(output))
        wrong["rerun"] = (
            [] if done_now(output) == 0 and again == 3 else [f"{done_now(output)} done again, exit {again}"]
        )
        readable = [path for path, want in expected.items() if "ok" in want.statuses and path.suffix == ".jpg"]
        for path in readable[:10]:
            path.write_bytes(path.read_bytes() + b"\0")  # after the end of the picture: another file, the same picture
        for k, path in enumerate(readable[10:20]):
            (source / f"new {k}.jpg").write_bytes(path.read_bytes())
        run(str(source), str(output))
        changed = done_now(output)
        wrong["changed"] = [] if changed == 20 else [f"{changed} done, not 20"]
        total = len(rows(str(output)))
        run(str(source), str(output), "--set", "stages.fine.sure=0.041")
        redone = done_now(output)
        wrong["fingerprint"] = [] if redone == total else [f"{redone} of {total} done after a change of settings"]
        result = {
            "files": total,
            "seconds": round(seconds),
            "rerun_seconds": round(again_seconds, 1),
            "peak_mib": round(peak),
        }
        if os.environ.get("HAIRLINE_S3_ENDPOINT"):
            wrong["s3"] = through_s3(source, output)
        for name, lines in wrong.items():
            for line in lines[:20]:
                print(f"wrong {name}: {line}")
        result["large"] = [measure(200_000 if args.quick else 1_000_000, Path(folder))]
        record({**result, "wrong": {name: len(lines) for name, lines in wrong.items()}})
    return int(any(wrong.values()))


def large_catalog(sizes: list[int]) -> int:
    with tempfile.TemporaryDirectory(prefix="hairline-large-") as folder:
        return record({"large": [measure(rows, Path(folder)) for rows in sizes]}, "catalog-rows")


def _s3() -> fs.S3FileSystem:
    host = os.environ["HAIRLINE_S3_ENDPOINT"]
    return fs.S3FileSystem(endpoint_override=host.partition("://")[2], scheme=host.partition("://")[0])


def through_s3(source: Path, output: Path) -> list[str]:
    """The same catalog from a bucket to a bucket; what differs from the local output."""
    import s3fs

    remote = s3fs.S3FileSystem(endpoint_url=os.environ["HAIRLINE_S3_ENDPOINT"])
    bucket = f"hairline-{int(time.time())}"
    remote.mkdir(bucket)
    files = [path for path in source.rglob("*") if path.is_file()]  # a dangling link is nothing to upload
    for path in files:
        remote.pipe_file(f"{bucket}/in/{path.relative_to(source).as_posix()}", path.read_bytes())
    print(f"{len(files)} files in the bucket", flush=True)
    target = f"s3://{bucket}/out"
    run(f"s3://{bucket}/in", target, "--set", "stages.fine.sure=0.041")
    local, there = rows(str(output)), rows(target)
    same = ("status", "reason", "stage", "width", "height", "quality", "category", "boxes", "route", "confidence")
    wrong = [f"{id}: not in S3" for id in local.keys() - there.keys() if (source / id).is_file()]
    wrong += [
        f"{id}: {k}" for id in there for k in same if local[id][k] != there[id][k] and os.access(source / id, os.R_OK)
    ]
    products = digests(output, skip=("runs", "results", "report"))
    for name, digest in products.items():
        if name.endswith(".png") and hashlib.sha256(remote.cat_file(f"{bucket}/out/{name}")).hexdigest() != digest:
            wrong.append(f"{name}: other bytes in S3")
    remote.rm(bucket, recursive=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
