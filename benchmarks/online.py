"""The service under load, against the same stages called in process, in one run on loopback.

    python benchmarks/online.py [--quick]

p50_ratio: median latency of one client, over the median of the same pictures through the same stages in process.
throughput_ratio: pictures per second of a saturated service, over the bare loop of benchmarks/offline.py.
goodput_ratio: pictures per second at three times that load, over its peak. The rest is turned away: rejected_p99_ms.
Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from load import CORES, closed, metrics, open_loop, percentile, rss_mib, service
from offline import bare
from pictures import make
from record import ratios, record, spread


def in_process(paths: list[str], results: mp.Queue) -> None:
    """Seconds of each picture through the stages, one at a time, as a service's process has them."""
    from hairline.cluster.nodes import Node
    from hairline.cluster.placement import allocate
    from hairline.configs.service import load_service
    from hairline.serve.engine import Engine
    from hairline.serve.pools import engine_specs
    from hairline.serve.request_item import RequestItem
    from hairline.stages.item import Item
    from hairline.stages.products.spec import ProductSpec
    from hairline.stages.request import RequestSpec

    service = load_service("service-laptop.yaml")
    engine = Engine(engine_specs(service, allocate(service.pools, [Node(CORES)]))[0])
    engine.probe()
    seconds = []
    for path in paths:
        data = Path(path).read_bytes()
        wanted = RequestSpec((ProductSpec.model_validate("cutout"),))
        work = RequestItem(Item("picture", "", data=data, request=wanted))
        started = time.perf_counter()
        engine.run([work])
        seconds.append(time.perf_counter() - started)
    results.put(seconds)


def alone(paths: list[Path]) -> list[float]:
    """`in_process` in a process of its own."""
    context = mp.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=in_process, args=([str(p) for p in paths], results))
    process.start()
    found = results.get(timeout=600)
    process.join()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="shorter: the overload lasts 20 s instead of 60")
    parser.add_argument("--clients", type=int, default=3 * CORES, help="of the saturated service")
    args = parser.parse_args()
    count, seconds, overload = (24, 20.0, 20.0) if args.quick else (80, 60.0, 60.0)
    rounds = 1 if args.quick else 2
    with tempfile.TemporaryDirectory(prefix="hairline-online-") as folder:
        base = Path(folder)
        paths = make(base / "in", count)
        pictures = [path.read_bytes() for path in paths]
        single: list[float] = []
        served: list[float] = []
        rates: dict[str, list[float]] = {"bare": [], "service": []}
        for number in range(rounds):
            single += alone(paths[: count // 2])
            rates["bare"].append(bare(paths, base / "bare", CORES)["rate"])
            print(f"in process: p50 {statistics.median(single):.3f} s, {rates['bare'][-1]:.2f} pictures/s", flush=True)
            with service() as running:
                url = running.url + "/v1/cutout"
                closed(url, pictures, CORES, 5)
                one = closed(url, pictures[: count // 2], 1, seconds)
                served += one.latencies()
                many = closed(url, pictures, args.clients, seconds)
                rates["service"].append(many.rate())
                print(f"service:    p50 {statistics.median(served):.3f} s, {many.rate():.2f} pictures/s", flush=True)
                if number == rounds - 1:
                    before = sum(rss_mib(running.family()).values())
                    over = open_loop(url, pictures, 3 * many.rate(), overload)
                    after = sum(rss_mib(running.family()).values())
                    shown = metrics(running.url)
    done = [a for a in over.answers if a[2] == 200]
    last = max(a[0] + a[1] for a in done) - min(a[0] for a in over.answers)
    goodput = len(done) / max(overload, last)
    statuses = over.statuses()
    bad = {k: v for k, v in (one.statuses() | many.statuses() | statuses).items() if k not in (200, 422, 429)}
    return record(
        {
            "p50_ratio": round(statistics.median(served) / statistics.median(single), 3),
            "throughput_ratio": ratios(rates["service"], rates["bare"]),
            "goodput_ratio": round(goodput / rates["service"][-1], 3),
            "rejected_p99_ms": round(1000 * percentile(over.latencies(429), 0.99), 1),
            "errors_5xx": sum(v for k, v in bad.items() if k >= 500 or k == 0),
            "p50_s": round(statistics.median(served), 3),
            "p50_in_process_s": round(statistics.median(single), 3),
            "pictures_per_s": spread(rates["service"]),
            "bare_pictures_per_s": spread(rates["bare"]),
            "overload": {str(k): v for k, v in sorted(statuses.items())},
            "overload_p99_s": round(percentile(over.latencies(), 0.99), 2),
            "rss_mib_before_after": [round(before), round(after)],
            "retries": shown.get("hairline_retries_total", 0),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
