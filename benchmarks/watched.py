"""A real Prometheus that reads a real run and a real service: is every query answered, does an alert fire?

    python benchmarks/watched.py [--pictures N]

Starts Prometheus (Debian's package `prometheus`), `hairline serve` with clients of which some are turned away, and
`hairline run --metrics` over a catalog of which a quarter is damaged. Every query of both rendered dashboards has to
give a number while they last. The damaged files are a planted fault, for which HairlineManyFailed has to fire; then the
service is killed, for which HairlineServiceSilent has to. The rules are the rendered ones with their minutes made
seconds. Exit 1 if a query has no answer or an alert does not fire. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import requests
import skimage
import yaml
from command import free_port, hairline_run
from load import service

from hairline.cluster.monitoring import RUN, SERVICE, expression, rules, run_alerts, service_alerts

LONGEST_S = 900.0  # for the queries, and again for each alert; a machine may be busy
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png")
MINUTE_S = 4  # that ranges look back for each minute of the rule; alerts have to last as many seconds as minutes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=400, help="of the catalog at most; it ends when all is seen")
    args = parser.parse_args()
    if not shutil.which("prometheus"):
        sys.exit("benchmarks/watched.py: no Prometheus here: apt-get install prometheus")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hairline-watched-")))
        photos = catalog(folder / "in", args.pictures)
        serving = stack.enter_context(service("queue.requests=2", "pools.0.workers=1"))
        address = f"127.0.0.1:{free_port()}"
        more = ["--metrics", address, "--set", "pools.0.workers=1", "--set", "pools.0.batch=4"]
        command = hairline_run(folder / "in", folder / "out", *more)
        prometheus = stack.enter_context(started(folder, {"run": address, "service": serving.url.split("//")[1]}))
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        stack.callback(end, run)
        over = threading.Event()
        stack.callback(over.set)
        for _ in range(6):
            threading.Thread(target=clients, args=(serving.url, photos, over), daemon=True).start()
        began = time.monotonic()
        unanswered = answered(prometheus, run)
        result: dict[str, Any] = {"queries_s": round(time.monotonic() - began, 1), "unanswered": sorted(unanswered)}
        result["HairlineManyFailed"] = fires(prometheus, "HairlineManyFailed", "run")
        over.set()
        for process in reversed(serving.family()):
            process.kill()
        result["HairlineServiceSilent"] = fires(prometheus, "HairlineServiceSilent", "service")
    print(json.dumps({"queries": len(queries()), **result}))
    return int(bool(unanswered) or not result["HairlineManyFailed"] or not result["HairlineServiceSilent"])


def catalog(folder: Path, number: int) -> list[bytes]:
    """Small photographs, each another one, every fourth cut off in the middle; returns some whole ones."""
    folder.mkdir()
    chance = np.random.default_rng(0)
    sources = [cv2.imread(str(Path(skimage.__file__).parent / "data" / name)) for name in PHOTOGRAPHS]
    found = []
    for i in range(number):
        small = cv2.resize(sources[i % 3], (224, 224), interpolation=cv2.INTER_AREA)
        noise = chance.integers(-8, 9, small.shape)
        data = cv2.imencode(".jpg", np.clip(small + noise, 0, 255).astype(np.uint8))[1].tobytes()
        (folder / f"{i:04d}.jpg").write_bytes(data[: len(data) // 2] if i % 4 == 3 else data)
        found += [data] if len(found) < 3 else []
    return found


def clients(url: str, photos: list[bytes], over: threading.Event) -> None:
    """One client after the other: a picture, and now and then what is no picture."""
    number = 0
    while not over.is_set():
        number += 1
        data = photos[number % len(photos)] if number % 5 else b"no picture"
        try:
            answer = requests.post(f"{url}/v1/cutout", files={"image_file": ("a.jpg", data)}, timeout=120)
            over.wait(0 if answer.ok else 0.2)
        except requests.RequestException:  # the service was killed
            over.wait(0.2)


@contextmanager
def started(folder: Path, targets: dict[str, str]) -> Iterator[str]:
    """Prometheus with the rules, reading every second; gives its address."""
    text = yaml.safe_dump(rules([*run_alerts(), *service_alerts(30.0)]))
    text = re.sub(r"for: (\d+)m", r"for: \1s", text)
    (folder / "alerts.yaml").write_text(re.sub(r"\[(\d+)m\]", lambda m: f"[{int(m[1]) * MINUTE_S}s]", text))
    jobs = [{"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in targets.items()]
    times = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config = {"global": times, "rule_files": ["alerts.yaml"], "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--web.listen-address={address}"]
    with open(folder / "said", "wb") as said:
        process = subprocess.Popen([*command, f"--storage.tsdb.path={folder}/data"], stdout=said, stderr=said)
    try:
        yield address
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def queries() -> set[str]:
    return {
        expression(query, "30s", job)
        for job, panels in (("run", RUN), ("service", SERVICE))
        for panel in panels
        for query, _ in panel.queries
    }


def answered(prometheus: str, run: subprocess.Popen[bytes]) -> set[str]:
    """The queries to which Prometheus has given no number, by the time that the run ends or all others have one."""
    left, until = queries(), time.monotonic() + LONGEST_S
    while left and time.monotonic() < until:
        time.sleep(1)
        left = {query for query in left if not numbers(prometheus, query)}
        if run.poll() is not None:
            break
    return left


def numbers(prometheus: str, query: str) -> list[float]:
    """What a query gives at present, without what is no number."""
    parameters = urllib.parse.urlencode({"query": query})
    try:
        answer = json.loads(urllib.request.urlopen(f"http://{prometheus}/api/v1/query?{parameters}", timeout=30).read())
    except OSError:  # it is starting
        return []
    values = [float(each["value"][1]) for each in answer["data"]["result"]]
    return [value for value in values if not math.isnan(value)]


def fires(prometheus: str, alert: str, job: str) -> float:
    """Seconds until an alert fires for a job; 0 if it does not."""
    began = time.monotonic()
    while time.monotonic() - began < LONGEST_S:
        if numbers(prometheus, f'ALERTS{{alertname="{alert}", alertstate="firing", job="{job}"}}'):
            return round(time.monotonic() - began, 1) or 0.1
        time.sleep(0.5)
    return 0.0


if __name__ == "__main__":
    sys.exit(main())
