"""Paper arithmetic of a very large catalog: 100 million pictures on 64 cards; each input is printed with its source.

    python benchmarks/arithmetic.py [--pictures N] [--cards N] [--card A10G] [--card-ms MS] [--prices FILE] [--quick]

Measured where this runs: what each pool takes for a picture of a megapixel, bytes of a row of the ledger, the driver's
memory and seconds for two catalogs whose partitions are as large as those of the large one, from which its own follow
by a straight line. Counted: the networks' operations, requests. Not measured: how fast a card is. It is worked out from
its published peak and the share of that which is taken to be reached (--share); `hairline plan --sample` on such a card
says what it really takes, for --card-ms. Prices are those of a price file. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

from large_catalog import measure as measure_driver
from record import record
from stage_times import PEAK, Measured, measured, on_card

from hairline.cluster.card_types import card_types, shares
from hairline.cluster.nodes import Node
from hairline.configs.job import Job, load_job
from hairline.configs.nodes import CARD_GIB
from hairline.configs.prices import Prices, load_prices
from hairline.pipeline.cost import GIB, estimate, requests
from hairline.pipeline.partitions import partitions_for
from hairline.pipeline.tuning import propose, throughput

HERE = Path(__file__).resolve().parent
PRICES = HERE.parent / "configs" / "prices.yaml"
CORES = {"cpu": 15.0, "gpu": 7.0}  # of a node, as in the run book


def say(what: str, value: str, source: str) -> None:
    print(f"{what:46} {value:>18}   {source}", flush=True)


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def line(sizes: list[int], values: list[float], at: int) -> float:
    """What a straight line through two measurements says elsewhere; never less than the larger one."""
    (small, large), (low, high) = sizes, values
    return max(high, low + (high - low) / (large - small) * (at - small))


def networks(job: Job) -> int:
    """Which pool has the cards."""
    return next(number for number, pool in enumerate(job.pools) if pool.gpu_memory_gib)


def cluster(
    job: Job, found: Measured, args: argparse.Namespace, share: float, prices: Prices
) -> tuple[dict[str, int], dict[str, int], dict[str, Any]]:
    """Workers of each pool, nodes of each type, and what the catalog takes with cards at such a share of their peak."""
    seconds, with_card = list(found.seconds), networks(job)
    seconds[with_card] = on_card(found, with_card, args.card, share, args.card_ms)
    cards = [Node(CORES["gpu"], 1, CARD_GIB[args.card], args.card, "gpu")] * args.cards
    each = shares(job.pools[with_card], card_types(cards))
    per_card = min(math.floor(1 / max(each.values())), int(CORES["gpu"] // job.pools[with_card].cpus))
    rate = per_card * args.cards / seconds[with_card]
    for_cpus = sum(rate * spent * pool.cpus for pool, spent in zip(job.pools, seconds, strict=True)
                   if not pool.gpu_memory_gib)  # fmt: skip
    nodes = [*cards, *[Node(CORES["cpu"], group="cpu")] * math.ceil(for_cpus / CORES["cpu"] + 1)]
    proposals, room = propose(job.pools, found.samples, seconds, nodes)
    workers = {proposal.pool: proposal.workers for proposal in proposals}
    rate = throughput(seconds, list(workers.values()))
    used = [room.nodes[i] for i in room.used]
    ok = sum(sample.counts["ok"] for sample in found.samples) / found.pictures
    files = round(args.pictures * ok * len(job.product_names))
    asked = requests(args.pictures, files, len(job.pools), job.pools[0].batch, True, True)
    sizes = (found.samples[0].bytes_in, found.samples[-1].bytes_out)
    gib = tuple(size / found.pictures * args.pictures / GIB for size in sizes)
    took = estimate(args.pictures, rate, used, asked, (gib[0], gib[1]), prices).as_dict()
    took |= {"pictures_per_s": round(rate, 1), "batches_per_s": round(rate / job.pools[0].batch, 1)}
    return workers, {kind: sum(node.group == kind for node in used) for kind in CORES}, took


def driver(args: argparse.Namespace, folder: Path) -> dict[str, float]:
    """What the driver and the ledger take, from catalogs of two sizes."""
    whole = partitions_for(args.pictures)
    sizes = [args.pictures * partitions // whole for partitions in ((2, 4) if args.quick else (8, 32))]
    runs = [measure_driver(size, folder) for size in sizes]
    source = f"measured with {sizes[0]:,} and {sizes[1]:,}, and a straight line"
    figures: dict[str, float] = {}
    for name, key, unit in (
        ("plan_s", "plan_s", "s"), ("compare_s", "compare_s", "s"), ("driver_mib", "peak_mib", "MiB"),
    ):  # fmt: skip
        figures[name] = round(line(sizes, [float(run[key]) for run in runs], args.pictures))
        say(f"driver: {name}", f"{figures[name]:,.0f} {unit}", source)
    rows = sizes[1] * 9 // 10  # of the ledger that was made
    results = folder_bytes(folder / f"out {sizes[1]}" / "results") / rows
    figures |= {"ledger_bytes_per_row": round(results, 1), "ledger_gib": round(results * args.pictures / GIB, 2)}
    figures["partitions"] = whole
    say("a row of the ledger", f"{results:,.0f} bytes", f"measured, a ledger of {rows:,} rows")
    say(
        "the ledger",
        f"{figures['ledger_gib']:,.1f} GiB",
        f"times the pictures; {figures['partitions']:,.0f} partitions",
    )
    return figures


def tell(
    args: argparse.Namespace, job: Job, workers: dict[str, int], nodes: dict[str, int], took: dict[str, Any]
) -> None:
    currency, batch = took["currency"], job.pools[0].batch
    say("workers", " + ".join(map(str, workers.values())), "as `hairline plan --sample` proposes them")
    say("nodes", " + ".join(f"{n} {kind}" for kind, n in nodes.items()), "with 15 cores, and with 7 and a card")
    say("pictures a second", f"{took['pictures_per_s']:,.0f}", f"{took['batches_per_s']:,.0f} batches of {batch}")
    say("hours", f"{took['hours']:,.1f}", "without starting and the tail")
    for kind, number in took["requests"].items():
        say(f"requests: {kind}", f"{number:,}", "counted by what a run asks for")
    say("read, written", f"{took['gib_in']:,.0f}, {took['gib_out']:,.0f} GiB", "measured, a megapixel a picture")
    for what, money in took["cost"].items():
        say(f"cost: {what}", f"{money:,.0f} {currency}", f"prices of {Path(args.prices).name}")
    each = f"{took['cost_per_1000_pictures']:.3f} {currency}"
    say("cost for 1,000 pictures", each, "with the products kept for a month")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=100_000_000)
    parser.add_argument("--cards", type=int, default=64)
    parser.add_argument("--card", default="A10G", choices=sorted(PEAK))
    parser.add_argument("--share", type=float, default=0.1, help="of the card's peak that the networks reach")
    parser.add_argument("--card-ms", type=float, default=0.0, help="measured instead: ms of one process for a picture")
    parser.add_argument("--prices", default=str(PRICES), help="a price file (default: the example's made-up prices)")
    parser.add_argument("--sample", type=int, default=0, help="pictures to measure the pools with")
    parser.add_argument("--quick", action="store_true", help="smaller samples")
    args = parser.parse_args()
    job, prices = load_job("gpu-node.yaml", input="s3://bucket/in", output="s3://bucket/out"), load_prices(args.prices)
    with tempfile.TemporaryDirectory(prefix="hairline-arithmetic-") as made:
        say("pictures, cards", f"{args.pictures:,}, {args.cards} {args.card}", "given")
        found = measured(job, args.sample or (12 if args.quick else 48), Path(made, "pictures"))
        for pool, seconds in zip(job.pools, found.seconds, strict=True):
            say(f"pool {pool.name}, on a core", f"{seconds * 1000:,.1f} ms", f"measured, {found.pictures} pictures")
        say("  of it in networks", f"{found.inside * 1000:,.1f} ms", "measured; with a card, the card has it")
        say("networks", f"{found.operations / 1e9:,.1f} GFLOP", "counted, for one picture")
        share = f"{args.share:.0%} of {PEAK[args.card]:g} TFLOP/s, the data sheet's; the share is assumed"
        each = on_card(found, networks(job), args.card, args.share, args.card_ms)
        say("a process with a card", f"{each * 1000:,.1f} ms", "given: --card-ms" if args.card_ms else share)
        workers, nodes, took = cluster(job, found, args, args.share, prices)
        tell(args, job, workers, nodes, took)
        for share in () if args.card_ms else (args.share / 2, args.share * 2):
            other = cluster(job, found, args, share, prices)[2]
            both = f"{other['hours']:,.1f} h, {other['cost_per_1000_pictures']:.3f}"
            say(f"  at {share:.0%} of the card's peak", both, f"hours, {took['currency']} for 1,000 pictures")
        figures = driver(args, Path(made, "driver"))
    return record({"workers": workers, "nodes": nodes, **took, **figures})


if __name__ == "__main__":
    sys.exit(main())
