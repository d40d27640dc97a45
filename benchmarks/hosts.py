"""What a run on three hosts leaves when hosts, networks, processes and storage fail, against what a quiet run leaves.

    python benchmarks/hosts.py [--quick] [--pictures N] [--times K] [--only FAULT,…] [--stages all] [--clean]

The hosts are on this machine, in namespaces with addresses of their own (namespaces.py); it needs root. Catalog and
outputs lie in S3 (a server on loopback that is started for it, or HAIRLINE_S3_ENDPOINT), behind a way that fails as it
is told. Each fault comes at `--times` random moments of one run. Without `--stages all`, stages that only look at a
picture, wait and invert it take the place of the networks, for the faults are not theirs. Prints a table, and ends
with one line of JSON: pictures lost and duplicated, files (or rows, but for time and attempt) that differ from those of
the quiet run, and whether exit codes and repeated work were as they should be.
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
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import yaml

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[1] / "tests"))
from faults import Bench, judged, s3_server, table
from namespaces import Host, Hosts, clean, kill
from pictures import make
from record import record

from failing_s3 import Answer, Request

SIZE = (256, 192)
BATCH = 8
AT_MOST_S = 1500  # one run, with all of its faults
KILLED = -signal.SIGKILL
SLOW = Answer(503, "SlowDown", "Please reduce your request rate.")
EXPIRED = Answer(400, "ExpiredToken", "The provided token has expired.")
Run = subprocess.Popen[str]
Rule = Callable[[Request], Answer | None]


class HostsBench(Bench):
    """Runs over a catalog in S3 on several hosts.

    Attributes:
        times: moments of each fault.
        read, quiet: how often each source was read whole, now and by the quiet run.
        hits: moments at which the present fault came.
        killed: worker processes that it has killed.
    """

    def __init__(self, hosts: Hosts, endpoint: str, catalog: Path, job: Path, times: int, seed: int) -> None:
        super().__init__(endpoint, catalog, seed, hosts.address)
        self.hosts, self.job, self.times = hosts, job, times
        self.read: Counter[str] = Counter()
        self.quiet: Counter[str] = Counter()
        self.hits = self.killed = 0
        self.until = 0.0

    def fresh(self) -> None:
        """A new output; storage is well, and all hosts are there."""
        super().fresh()
        self.proxy.flowing.set()
        self.read, self.hits, self.killed = Counter(), 0, 0
        self.answer(lambda request: None)
        self.hosts.wait()
        self.until = time.monotonic() + AT_MOST_S

    def answer(self, rule: Rule) -> None:
        """From now on storage answers by a rule; what it lets through is counted."""

        def counted(request: Request) -> Answer | None:
            answer = rule(request)
            if answer is None and request.method == "GET" and "/in/" in request.path and not request.partial:
                self.read[request.path] += 1
            return answer

        self.proxy.rule = counted

    def start(self, *more: str) -> Run:
        command = [sys.executable, "-m", "hairline", "run", str(self.job), "--input", f"{self.root}/in"]
        command += ["--output", self.output, *more]
        return self.hosts.head.command(command, AWS_ENDPOINT_URL=self.proxy.url)

    def end(self, run: Run) -> str:
        try:
            said = run.communicate(timeout=max(1.0, self.until - time.monotonic()))
        except subprocess.TimeoutExpired:
            kill(run)
            said = run.communicate()
            print("took too long", flush=True)
        self.codes.append(run.returncode)
        self.said = "".join(said)
        return self.said

    def moments(self, run: Run) -> Iterator[int]:
        """Waits for one random moment after another while a run works: one in each of as many parts of it."""
        for i in range(self.times):
            if not self.reaches(run, (i + self.random.uniform(0.15, 0.9)) / self.times):
                return
            yield i

    def reaches(self, run: Run, part: float) -> bool:
        """Waits until a part of the pictures was read; False if the run has ended before."""
        while len(self.read) < part * self.pictures and time.monotonic() < self.until:
            if run.poll() is not None:
                return False
            time.sleep(0.05)
        self.hits += run.poll() is None
        return run.poll() is None

    def a_worker_host(self) -> Host:
        return self.random.choice(self.hosts.all[1:])

    def repeated(self) -> int:
        """Pictures that were read more often than in the quiet run, which reads some again for its report.

        The three that were most often are left out: each worker tries one at its start.
        """
        more = sorted(times - max(1, self.quiet[name]) for name, times in self.read.items())
        return sum(each for each in more[:-3] if each > 0)


def node_killed(bench: HostsBench) -> None:
    run = bench.start()
    for _ in bench.moments(run):
        host = bench.a_worker_host()
        bench.killed += len(host.workers())
        host.kill()
    bench.end(run)


def network_cut(bench: HostsBench) -> None:
    run = bench.start()
    for _ in bench.moments(run):
        host = bench.a_worker_host()
        bench.killed += len(host.workers())  # Ray may take it for dead
        host.cut(True)
        time.sleep(30)
        host.cut(False)
    bench.end(run)


def workers_killed(bench: HostsBench) -> None:
    run = bench.start()
    while not bench.read and run.poll() is None:
        time.sleep(0.1)
    while run.poll() is None and time.monotonic() < bench.until:
        if workers := [each for host in bench.hosts.all for each in host.workers(at_work=True)]:
            with suppress(psutil.NoSuchProcess):
                bench.random.choice(workers).kill()
                bench.killed += 1
                bench.hits += 1
        for _ in range(100):
            time.sleep(0.1 if run.poll() is None else 0)
    bench.end(run)


def storage_stops(
    seconds: float, then: Callable[[Request], Answer | None] = lambda request: None
) -> Callable[[HostsBench], None]:
    """Storage that does not answer, by turns because connections are broken off and because nothing comes."""

    def fault(bench: HostsBench) -> None:
        run = bench.start()
        for i in bench.moments(run):
            if i % 2:
                bench.proxy.flowing.clear()
            else:
                bench.proxy.away = True
            time.sleep(seconds)
            bench.proxy.away = False
            bench.proxy.flowing.set()
            bench.answer(then)
        bench.end(run)

    return fault


def slow_down(request: Request) -> Answer | None:
    return SLOW if random.random() < 1 / 3 else None


def driver_killed(bench: HostsBench) -> None:
    moments = max(10, bench.times)
    for i in range(moments):
        run = bench.start()
        if bench.reaches(run, (i + bench.random.uniform(0, 1)) / moments * 0.95):
            bench.killed += 3
        kill(run)
        bench.end(run)
    bench.end(bench.start())


def two_drivers(bench: HostsBench) -> None:
    run = bench.start()
    for i in range(bench.times):
        if bench.reaches(run, (i + bench.random.uniform(0.1, 0.3)) / bench.times):
            refused, waiting = bench.start(), bench.start("--set", "lease_wait_s=600")
            bench.end(refused)
            kill(run)
            bench.killed += 3
            bench.end(run)
            run = waiting
    bench.end(run)


def head_restarted(bench: HostsBench) -> None:
    run = bench.start()
    for i in range(bench.times):
        if bench.reaches(run, (i + bench.random.uniform(0.15, 0.9)) / bench.times):
            bench.killed += 3
            bench.hosts.head.kill()
            bench.end(run)
            bench.hosts.wait()
            run = bench.start("--set", "lease_wait_s=600")
    bench.end(run)


def credentials_expired(bench: HostsBench) -> None:
    run = bench.start()
    for _ in bench.moments(run):
        bench.answer(lambda request: EXPIRED)
        time.sleep(15)
        bench.answer(lambda request: None)
    bench.end(run)


# what happens, in words; and the exit codes that are right, where one command may end in several ways
FAULTS: dict[str, tuple[Callable[[HostsBench], None], Callable[[list[int]], bool]]] = {
    "node killed": (node_killed, lambda codes: codes == [0]),
    "network of a node cut for 30 s": (network_cut, lambda codes: codes == [0]),
    "a worker killed every 10 s": (workers_killed, lambda codes: codes == [0]),
    "storage stopped for 20 s": (storage_stops(20), lambda codes: codes == [0]),
    "storage stopped for 120 s, then 503 to a third": (storage_stops(120, slow_down), lambda codes: codes == [0]),
    "driver killed ten times": (driver_killed, lambda codes: set(codes) <= {KILLED, 0} and codes[-1] == 0),
    "two drivers, the first killed": (two_drivers, lambda codes: codes == [2, KILLED] * (len(codes) // 2) + [0]),
    "head restarted": (head_restarted, lambda codes: set(codes[:-1]) == {KILLED} and codes[-1] == 0),
    "credentials expired for 15 s": (credentials_expired, lambda codes: codes == [0]),
}
KILLS = tuple(list(FAULTS)[i] for i in (0, 2, 5, 6, 7))  # those whose repeated work has a limit
QUICK = ("node killed",)


def run_all(bench: HostsBench, wanted: list[str]) -> list[dict]:
    bench.fresh()
    started = time.monotonic()
    bench.end(bench.start())
    bench.seconds = time.monotonic() - started
    if bench.codes != [0]:
        sys.exit(f"the quiet run ended with {bench.codes[0]}:\n{bench.said[-3000:]}")
    print(f"quiet: {bench.pictures} pictures in {bench.seconds:.0f} s", flush=True)
    bench.quiet = bench.read
    whole, found = bench.state(), []
    for name in wanted:
        fault, right = FAULTS[name]
        bench.fresh()
        started = time.monotonic()
        fault(bench)
        line: dict = {"fault": name, "moments": bench.hits, "seconds": round(time.monotonic() - started)}
        line |= {"as_told": right(bench.codes), **judged(bench, whole)}
        line |= {"workers_killed": bench.killed, "repeated": bench.repeated()}
        line["few_repeated"] = name not in KILLS or bench.repeated() <= 2 * BATCH * bench.killed
        found.append(line)
        print(json.dumps({**line, "exit_codes": bench.codes}), flush=True)
        if not line["as_told"]:
            print(bench.said[-3000:], flush=True)
    return found


def job_file(folder: Path, stages: str, pause_s: float) -> Path:
    """The job, in a file that every host reaches."""
    names = ["own_stages:Judge", "own_stages:Invert"]
    job: dict = {"products": ["negative"], "stages": {names[0]: {"pause_s": pause_s}}}
    if stages == "all":
        names, job = ["filter", "classify", "detect", "coarse", "fine", "products"], {"products": ["cutout"]}
    job["pools"] = [{"name": "all", "stages": names, "batch": BATCH, "workers": [1, 3]}]
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump(job, sort_keys=False))
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="60 pictures; only a node that is killed, once")
    parser.add_argument("--pictures", type=int, default=0)
    parser.add_argument("--times", type=int, default=0, help="moments per fault (3)")
    parser.add_argument("--only", help=f"some of the faults, by the beginnings of their names: {', '.join(FAULTS)}")
    parser.add_argument("--stages", choices=["small", "all"], default="small")
    parser.add_argument("--pause", type=float, default=0.06, help="seconds that the small stages take for a picture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--number", type=int, default=0, help="of the hosts' network; another one runs beside")
    parser.add_argument("--clean", action="store_true", help="only removes what one that was killed has left")
    args = parser.parse_args()
    if os.geteuid():
        print(json.dumps({"faults": 0, "skipped": "hosts in namespaces can only be made by root"}))
        return 0 if args.quick else 2
    if args.clean:
        clean(args.number)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    parts = tuple(args.only.split(",")) if args.only else QUICK if args.quick else ("",)
    wanted = [name for name in FAULTS if name.startswith(parts)]
    with tempfile.TemporaryDirectory(prefix="hairline-hosts-") as folder:
        make(Path(folder, "in"), args.pictures or (60 if args.quick else 3000), args.seed, SIZE, rendered=False)
        job = job_file(Path(folder), args.stages, args.pause)
        with s3_server() as endpoint, Hosts(number=args.number) as hosts:
            times = args.times or (1 if args.quick else 3)
            with closing(HostsBench(hosts, endpoint, Path(folder, "in"), job, times, args.seed)) as bench:
                found = run_all(bench, wanted)
    print(table(found))
    sums = {key: sum(row[key] for row in found) for key in ("lost", "duplicated", "different_files")}
    right = all(row["as_told"] and row["few_repeated"] for row in found)
    record({"faults": len(found), **sums, "as_told": right})
    return int(any(sums.values()) or not right)


if __name__ == "__main__":
    sys.exit(main())
