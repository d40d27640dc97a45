"""What a run leaves when workers, drivers and storage fail, against what an unharmed run leaves.

    python benchmarks/faults.py [--quick] [--pictures N] [--times K] [--only FAULT,…]

The catalog lies in S3 (a server on loopback that is started for it, or HAIRLINE_S3_ENDPOINT), and so do the outputs; in
between is a way that fails as it is told. Each fault comes at a random moment, `--times` times. Prints a table, and
ends with one line of JSON: runs with a fault, pictures lost and duplicated, and files (or rows, but for time and
attempt) that differ from the unharmed run's.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[1] / "tests"))
from command import hairline_run
from pictures import make
from record import record

from failing_s3 import Answer, FailingS3, Request
from hairline.pipeline.ledger import SCHEMA, Ledger
from hairline.pipeline.storage import Folder, filesystem

VOLATILE = {"seconds", "attempts", "run_id", "outputs"}  # outputs hold the folder's name; the files are compared
SERVER = """
import sys, time
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://%s:%d" % server.get_host_and_port(), flush=True)
sys.stdin.read()
server.stop()
"""


class Bench:
    """A catalog in S3, the way to it, and the runs over it.

    Attributes:
        proxy: the way; it fails as it is told.
        seconds: what the unharmed run took.
        codes: exit codes of the present fault's commands, in their order.
    """

    def __init__(self, endpoint: str, catalog: Path, seed: int, host: str = "127.0.0.1") -> None:
        self.random = random.Random(seed)
        self.proxy = FailingS3(endpoint, host=host)
        self.root = f"s3://hairline-faults-{os.getpid()}"
        filesystem("s3").mkdir(self.root[5:])
        paths = sorted(path for path in catalog.rglob("*") if path.is_file())
        for path in paths:
            Folder(f"{self.root}/in").write(str(path.relative_to(catalog)), path.read_bytes())
        self.pictures, self.number, self.seconds = len(paths), 0, 0.0
        self.codes: list[int] = []
        self.output = ""

    def fresh(self) -> None:
        """A new output; storage is well."""
        self.proxy.rule, self.proxy.away = (lambda request: None), False
        self.number += 1
        self.output, self.codes = f"{self.root}/out-{self.number}", []

    def start(self, *more: str) -> subprocess.Popen[str]:
        command = hairline_run(f"{self.root}/in", self.output, *more)
        environ = {**os.environ, "AWS_ENDPOINT_URL": self.proxy.url}
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environ)

    def end(self, run: subprocess.Popen[str]) -> str:
        said = run.communicate()[1]
        self.codes.append(run.returncode)
        return said

    def under_way(self, run: subprocess.Popen[str]) -> None:
        """Waits until the first rows are written, and then for a random part of the time that the rest takes."""
        while run.poll() is None and not Folder(self.output).names("results"):
            time.sleep(0.1)
        time.sleep(self.random.uniform(0, self.seconds / 3))

    def state(self) -> tuple[dict[str, str], list[dict]]:
        """The products by their MD5, and the rows."""
        folder, path = Folder(self.output), self.output[5:]
        found = {key[len(path) + 1 :]: about for key, about in filesystem("s3").find(path, detail=True).items()}
        own = ("runs/", "report/", "results/")
        files = {name: about["ETag"] for name, about in found.items() if not name.startswith(own)}
        columns = [name for name in SCHEMA.names if name not in VOLATILE]
        rows = [row for name in Ledger(folder).files for row in Ledger(folder).table(name, columns).to_pylist()]
        return files, rows

    def close(self) -> None:
        self.proxy.close()
        filesystem("s3").rm(self.root[5:], recursive=True)


@contextmanager
def s3_server() -> Iterator[str]:
    """The endpoint of HAIRLINE_S3_ENDPOINT, or of a server that lasts as long as the block."""
    if endpoint := os.environ.get("HAIRLINE_S3_ENDPOINT", ""):
        os.environ["AWS_ENDPOINT_URL"] = endpoint
        yield endpoint
        return
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    command = [sys.executable, "-c", SERVER]
    server = subprocess.Popen(command, stdin=-1, stdout=-1, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    endpoint = server.stdout.readline().strip()
    os.environ.update(keys, AWS_ENDPOINT_URL=endpoint)
    try:
        yield endpoint
    finally:
        server.communicate("")


def workers_killed(bench: Bench) -> None:
    """One worker after another is killed, three times."""
    run = bench.start()
    for _ in range(3):
        bench.under_way(run)
        with suppress(psutil.NoSuchProcess):  # the run, or the worker, has ended
            workers = [each for each in psutil.Process(run.pid).children(recursive=True) if "MapWorker" in each.name()]
            if workers:
                bench.random.choice(workers).kill()
    bench.end(run)


def storage_away(bench: Bench) -> None:
    """Nobody answers for 20 s; then a third of the requests is turned off with 503."""
    run, draw = bench.start(), random.Random(bench.number)
    bench.under_way(run)
    bench.proxy.away = True
    time.sleep(20)
    slow = Answer(503, "SlowDown", "Please reduce your request rate.")
    bench.proxy.rule, bench.proxy.away = (lambda request: slow if draw.random() < 1 / 3 else None), False
    bench.end(run)


def access_lost(bench: Bench) -> None:
    """All inputs are refused with 403 for 15 s."""
    denied = Answer(403, "AccessDenied", "Access Denied")

    def rule(request: Request) -> Answer | None:
        return denied if request.method == "GET" and "/in/" in request.path else None

    run = bench.start()
    bench.under_way(run)
    bench.proxy.rule = rule
    time.sleep(15)
    bench.proxy.rule = lambda request: None
    bench.end(run)


def credentials_expired(bench: Bench) -> None:
    """No request's credentials are taken for 15 s."""
    expired = Answer(400, "ExpiredToken", "The provided token has expired.")
    run = bench.start()
    bench.under_way(run)
    bench.proxy.rule = lambda request: expired
    time.sleep(15)
    bench.proxy.rule = lambda request: None
    bench.end(run)


def driver_killed(bench: Bench) -> None:
    """The command is killed, and given again."""
    run = bench.start()
    bench.under_way(run)
    run.kill()
    bench.end(run)
    bench.end(bench.start())


def two_drivers(bench: Bench) -> None:
    """While one works, a second is refused and a third waits; the first is killed, and the third goes on."""
    first = bench.start()
    bench.under_way(first)
    third = bench.start("--set", "lease_wait_s=600")
    bench.end(bench.start())
    first.kill()
    bench.end(first)
    bench.end(third)


def driver_stopped(bench: Bench) -> None:
    """The first driver stands still, its workers go on; it wakes when a second one has taken its lease."""
    first = bench.start()
    bench.under_way(first)
    first.send_signal(signal.SIGSTOP)
    second = bench.start("--set", "lease_wait_s=600")
    lost = threading.Timer(150, lambda: first.send_signal(signal.SIGCONT))
    lost.start()
    bench.end(second)
    lost.join()
    bench.end(first)


FAULTS: dict[str, tuple[Callable[[Bench], None], list[set[int]]]] = {  # what happens; the exit codes that are right
    "workers killed": (workers_killed, [{0}]),
    "storage away 20 s, then 503 to a third": (storage_away, [{0}]),
    "inputs refused (403) for 15 s": (access_lost, [{0}]),
    "credentials expired for 15 s": (credentials_expired, [{0}]),
    "driver killed and run again": (driver_killed, [{-signal.SIGKILL, 0}, {0}]),
    "two drivers, the first killed": (two_drivers, [{2}, {-signal.SIGKILL, 0}, {0}]),
    "driver stopped until it lost its lease": (driver_stopped, [{0}, {1, 2}]),
}
QUICK = list(FAULTS)[:6]


def judged(bench: Bench, whole: tuple[dict[str, str], list[dict]]) -> dict[str, int]:
    """What the present output lacks, has twice or has otherwise than the unharmed one."""
    (files, rows), (whole_files, whole_rows) = bench.state(), whole
    ids, expected = [row["id"] for row in rows], {row["id"]: row for row in whole_rows}
    different = [name for name in files.keys() | whole_files.keys() if files.get(name) != whole_files.get(name)]
    different += [row["id"] for row in rows if expected.get(row["id"]) != row]
    for name in different[:5]:
        print("different:", name)
    return {
        "lost": bench.pictures - len(set(ids)),
        "duplicated": len(ids) - len(set(ids)),
        "different_files": len(different),
    }


def run_all(bench: Bench, wanted: list[str], times: int) -> list[dict]:
    bench.fresh()
    started = time.monotonic()
    said = bench.end(bench.start())
    bench.seconds = time.monotonic() - started
    if bench.codes != [0]:
        sys.exit(f"the unharmed run ended with {bench.codes[0]}:\n{said[-2000:]}")
    print(f"unharmed: {bench.pictures} pictures in {bench.seconds:.0f} s", flush=True)
    whole, found = bench.state(), []
    for name in wanted:
        fault, right = FAULTS[name]
        for _ in range(times):
            bench.fresh()
            started = time.monotonic()
            fault(bench)
            as_told = len(bench.codes) == len(right) and all(a in b for a, b in zip(bench.codes, right, strict=True))
            line = {"fault": name, "seconds": round(time.monotonic() - started), "exit_codes": bench.codes}
            found.append({**line, "as_told": as_told, **judged(bench, whole)})
            print(json.dumps(found[-1]), flush=True)
    return found


def table(found: list[dict]) -> str:
    """The runs as Markdown."""
    head = list(found[0])
    lines = [head, ["---"] * len(head), *([str(value) for value in row.values()] for row in found)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="48 pictures, each fault once, but for the slowest")
    parser.add_argument("--pictures", type=int, default=0)
    parser.add_argument("--times", type=int, default=0, help="moments per fault (3)")
    parser.add_argument("--only", help=f"some of the faults, by the beginnings of their names: {', '.join(FAULTS)}")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    parts = tuple(args.only.split(",")) if args.only else ("",)
    wanted = [name for name in (QUICK if args.quick and not args.only else FAULTS) if name.startswith(parts)]
    with tempfile.TemporaryDirectory(prefix="hairline-faults-") as folder:
        make(Path(folder), args.pictures or (48 if args.quick else 300), args.seed, size=(480, 360))
        with s3_server() as endpoint, closing(Bench(endpoint, Path(folder), args.seed)) as bench:
            found = run_all(bench, wanted, args.times or (1 if args.quick else 3))
    print(table(found))
    sums = {key: sum(row[key] for row in found) for key in ("lost", "duplicated", "different_files")}
    record({"runs": len(found), **sums, "as_told": all(row["as_told"] for row in found)})
    return int(any(sums.values()) or not all(row["as_told"] for row in found))


if __name__ == "__main__":
    sys.exit(main())
