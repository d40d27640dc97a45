"""Ten minutes of mixed load: does the memory of any process grow, is there any 5xx?

    python benchmarks/soak.py [--quick]

Pictures of several sizes and kinds, products, remove.bg's route, analyses, damaged files and jobs, at the rate that
the service can take. growth: of each process's resident memory, the median of the last fifth of the time over that of
the second fifth (the first warms up). Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import aiohttp
import psutil

sys.path.insert(0, str(Path(__file__).parent))
from load import CORES, Service, metrics, rss_mib, service, title
from pictures import make
from record import record

SAMPLE_S = 2.0
ASKS = (  # route, fields
    ("/v1/cutout", {}),
    ("/v1/cutout", {"format": "webp", "crop": "true"}),
    ("/v1/mask", {}),
    ("/v1/white_background", {"format": "jpeg"}),
    ("/v1/analyze", {"include": "alpha,unsure"}),
    ("/v1.0/removebg", {"size": "auto", "bg_color": "fff"}),
    ("/v1.0/removebg", {"crop": "true", "format": "zip"}),
    ("/v1.0/removebg", {"roi": "10% 10% 90% 90%", "size": "auto"}),
    ("/v1/cutout", {"format": "nonsense"}),
)


async def load(url: str, pictures: list[bytes], seconds: float, statuses: dict[int, int]) -> None:
    began = time.monotonic()
    numbers = iter(range(10**9))

    async def client(session: aiohttp.ClientSession) -> None:
        while time.monotonic() - began < seconds:
            number = next(numbers)
            route, fields = ASKS[number % len(ASKS)]
            form = aiohttp.FormData(fields)
            data = pictures[number * 7 % len(pictures)]
            form.add_field("image_file", data, filename="a.jpg")
            try:
                async with session.post(url + route, data=form) as answer:
                    await answer.read()
                    statuses[answer.status] = statuses.get(answer.status, 0) + 1
            except aiohttp.ClientError:
                statuses[0] = statuses.get(0, 0) + 1
            if number % 40 == 0:
                async with session.post(url + "/v1/jobs", data=_job(pictures[number % len(pictures)])) as answer:
                    statuses[answer.status] = statuses.get(answer.status, 0) + 1

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(client(session) for _ in range(2 * CORES)))


def _job(data: bytes) -> aiohttp.FormData:
    form = aiohttp.FormData({"product": "mask"})
    form.add_field("image_file", data, filename="a.jpg")
    return form


def watch(running: Service, samples: dict[int, list[float]], stop: threading.Event) -> None:
    while not stop.wait(SAMPLE_S):
        for pid, mib in rss_mib(running.family()).items():
            samples.setdefault(pid, []).append(mib)


def growth(values: list[float]) -> float:
    fifth = len(values) // 5
    return statistics.median(values[-fifth:]) / statistics.median(values[fifth : 2 * fifth]) - 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one minute")
    parser.add_argument("--seconds", type=float, default=0)
    args = parser.parse_args()
    seconds = args.seconds or (60 if args.quick else 600)
    with tempfile.TemporaryDirectory(prefix="hairline-soak-") as folder:
        pictures = []
        for number, size in enumerate(((1152, 896), (640, 480), (1600, 1200), (320, 240))):
            pictures += [p.read_bytes() for p in make(Path(folder, str(number)), 6, seed=number, size=size)]
        pictures += [pictures[0][:5000], b"%PDF-1.7 no picture"]
        with service() as running:
            samples: dict[int, list[float]] = {}
            statuses: dict[int, int] = {}
            stop = threading.Event()
            thread = threading.Thread(target=watch, args=(running, samples, stop))
            thread.start()
            asyncio.run(load(running.url, pictures, seconds, statuses))
            stop.set()
            thread.join()
            whole = max(len(values) for values in samples.values())
            grown = {}
            for pid, values in samples.items():
                if len(values) >= 0.9 * whole and psutil.pid_exists(pid):
                    name = title(psutil.Process(pid)).split("/")[-1][:40]
                    grown[f"{name} {pid}"] = (round(growth(values), 3), round(values[-1]))
            shown = metrics(running.url)
    for name, (part, mib) in sorted(grown.items(), key=lambda each: -each[1][1]):
        print(f"{part:+7.1%}  {mib:5} MiB  {name}")
    worst = max(part for part, mib in grown.values())
    return record(
        {
            "seconds": seconds,
            "requests": sum(statuses.values()),
            "statuses": {str(k): v for k, v in sorted(statuses.items())},
            "errors_5xx": sum(v for k, v in statuses.items() if k >= 500 or k == 0),
            "largest_growth": worst,
            "processes": len(grown),
            "total_mib": sum(mib for _, mib in grown.values()),
            "jobs_open": shown["hairline_jobs"],
        }
    )


if __name__ == "__main__":
    sys.exit(main())
