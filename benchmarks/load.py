"""A service on loopback and the load that the benchmarks put on it."""

from __future__ import annotations

import asyncio
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

from hairline.cluster.nodes import cores

CORES = cores()


@dataclass
class Service:
    """A running `hairline serve`: its process, its address, and the file with its settings."""

    process: subprocess.Popen
    url: str
    log: Path

    @property
    def replicas(self) -> list[psutil.Process]:
        """The pools' processes, below this very service."""
        return [p for p in self.family() if "ServeReplica:" in title(p)]

    def family(self) -> list[psutil.Process]:
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]


def title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@contextmanager
def service(*changes: str, path: str = "service-laptop.yaml") -> Iterator[Service]:
    """Starts a service on a free port of 127.0.0.1 and ends it."""
    with tempfile.TemporaryDirectory(prefix="hairline-online-") as folder:
        log = Path(folder, "access.log")
        settings = ["port=0", f"jobs.folder={folder}/jobs", f"access_log={log}", *changes]
        command = [sys.executable, "-m", "hairline", "serve", path, *(w for s in settings for w in ("--set", s))]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            line = _first_line(process)
            print(f"service: {line.strip()}", flush=True)
            yield Service(process, line.split()[0], log)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(120)
            except subprocess.TimeoutExpired:
                process.kill()


def _first_line(process: subprocess.Popen) -> str:
    assert process.stdout
    line = process.stdout.readline() if select.select([process.stdout], [], [], 300)[0] else ""
    if not line:
        sys.exit("the service does not start")
    return line


@dataclass
class Found:
    """What came back.

    Attributes:
        answers: (start, seconds, status, model) of each request; status 0: the connection broke.
    """

    answers: list[tuple[float, float, int, str]] = field(default_factory=list)
    seconds: float = 0.0

    def rate(self, status: int = 200) -> float:
        return sum(a[2] == status for a in self.answers) / self.seconds

    def latencies(self, status: int = 200) -> list[float]:
        return sorted(a[1] for a in self.answers if a[2] == status)

    def statuses(self) -> dict[int, int]:
        counts: dict[int, int] = {}
        for answer in self.answers:
            counts[answer[2]] = counts.get(answer[2], 0) + 1
        return counts


def percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))] if values else 0.0


Check = Callable[[int, bytes], None]


async def _ask(
    session: aiohttp.ClientSession, url: str, number: int, data: bytes, found: Found, check: Check | None
) -> None:
    started = time.perf_counter()
    status, model = 0, ""
    try:
        form = aiohttp.FormData()
        form.add_field("image_file", data, filename="a.jpg", content_type="image/jpeg")
        async with session.post(url, data=form) as answer:
            body = await answer.read()
            status, model = answer.status, answer.headers.get("X-Hairline-Model", "")
        if check and status == 200:
            check(number, body)
    except (aiohttp.ClientError, OSError, TimeoutError):
        pass
    found.answers.append((started, time.perf_counter() - started, status, model))


def closed(url: str, pictures: Sequence[bytes], clients: int, seconds: float, check: Check | None = None) -> Found:
    """So many clients, each asking again as soon as it has its answer."""

    async def run() -> Found:
        found, began = Found(), time.perf_counter()
        numbers = iter(range(10**9))

        async def client(session: aiohttp.ClientSession) -> None:
            while time.perf_counter() - began < seconds:
                number = next(numbers) % len(pictures)
                await _ask(session, url, number, pictures[number], found, check)

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await asyncio.gather(*(client(session) for _ in range(clients)))
        found.seconds = time.perf_counter() - began
        return found

    return asyncio.run(run())


def open_loop(url: str, pictures: Sequence[bytes], rate: float, seconds: float, most: int = 500) -> Found:
    """So many requests a second, whatever the answers are; at most `most` at the same time."""

    async def run() -> Found:
        found, began = Found(), time.perf_counter()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            tasks: set[asyncio.Task] = set()
            number = 0
            while (now := time.perf_counter() - began) < seconds:
                due = number / rate
                if due > now:
                    await asyncio.sleep(due - now)
                if len(tasks) < most:
                    task = asyncio.create_task(
                        _ask(session, url, number, pictures[number % len(pictures)], found, None)
                    )
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                number += 1
            found.seconds = time.perf_counter() - began
            await asyncio.gather(*tasks)
        return found

    return asyncio.run(run())


def rss_mib(processes: Sequence[psutil.Process]) -> dict[int, float]:
    """Resident memory by process id."""
    sizes = {}
    for process in processes:
        try:
            sizes[process.pid] = process.memory_info().rss / (1 << 20)
        except psutil.Error:
            continue
    return sizes


def metrics(url: str) -> dict[str, float]:
    """The service's metrics: name with labels -> number."""
    from urllib.request import urlopen

    with urlopen(f"{url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(number) for name, _, number in (line.rpartition(" ") for line in lines if line[:1] != "#")}
