"""Where the core-seconds of a picture go, and how near each network and codec comes to what the processor can do.

    python benchmarks/limit.py [--pictures N] [--rounds R] [--product cutout] [--quick]

Photographs of one megapixel with one subject go through the stages of `laptop.yaml`, one by one and in one thread.
Every step is charged its own processor time and not that of the steps inside it; the least of all rounds counts, for a
busy machine only adds. Then each network alone: its operations against the rate at which this processor multiplies
matrices in the same precision, and the bytes of its weights and of what each operation hands on, written once and read
once, against the rate at which it copies memory. The larger of both is the limit. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch
from pictures import make
from record import record
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from hairline.configs.job import load_job
from hairline.stages import checkpoints, classify, coarse, detect, filter, fine
from hairline.stages.base import Settings, Stage, run_stage
from hairline.stages.decode.picture import Picture
from hairline.stages.imaging import png
from hairline.stages.item import Item
from hairline.stages.networks import compiled
from hairline.stages.networks.batch import forward_images
from hairline.stages.products import base, encode
from hairline.stages.registry import stage_class

CPU = torch.device("cpu")
ROUNDS = 15  # of a measurement, of which the best counts
# what is charged for itself: where it lies, its name there, and what the table calls it
STEPS: list[tuple[Any, str, str]] = [
    (Picture, "__init__", "decode: header"),
    (Picture, "_decode", "decode: pixels"),
    (Picture, "small", "decode: smaller sizes"),
    (filter.signals, "measure", "filter: signals"),
    (filter, "forward_images", "filter: network"),
    (classify, "forward_images", "classify: network"),
    (detect, "forward_images", "detect: network"),
    (detect, "select_boxes", "detect: boxes"),
    (coarse, "_forward", "coarse: network"),
    (coarse, "resolve_by_colour", "coarse: colours"),
    (fine, "forward_images", "fine: network"),
    (fine, "remove_specks", "fine: specks"),
    (base, "estimate_foreground", "products: foreground"),
    (encode, "encode_png", "products: PNG"),
]
# stage -> its network's role and method, and the images that it takes: side, channels
NETWORKS = [
    ("filter", "quality", "pool", 256, 3),
    ("classify", "classify", "forward", 224, 3),
    ("detect", "detect", "forward", 384, 3),
    ("coarse", "general", "forward", 320, 3),
    ("coarse", "general", "forward", 224, 3),
    ("fine", "general", "maps", fine.TILE, 5),
]


class Clock:
    """Processor seconds of steps, each without the steps inside it."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: defaultdict[str, int] = defaultdict(int)
        self._stack: list[str] = []
        self._since = 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Charges the step while the block lasts."""
        self._charge()
        self._stack.append(name)
        self.calls[name] += 1
        try:
            yield
        finally:
            self._charge()
            self._stack.pop()

    def _charge(self) -> None:
        now = time.process_time()
        if self._stack:
            self.seconds[self._stack[-1]] += now - self._since
        self._since = now

    def around(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        """The function, charged as a step."""

        def timed(*given: Any, **named: Any) -> Any:
            with self.step(name):
                return function(*given, **named)

        return timed


def ready(product: str) -> list[Stage[Settings]]:
    """The stages of `laptop.yaml`, loaded."""
    job = load_job("laptop.yaml", [f"products=[{product}]"], input="unused", output="unused")
    stages = [stage_class(name)(job.stages[name]) for name in job.stage_names]
    for stage in stages:
        stage.setup(CPU)
    return stages


def steps(stages: list[Stage[Settings]], paths: list[Path], rounds: int) -> dict[str, float]:
    """Milliseconds of a core for a picture, by step; the sum is what a picture takes."""
    best: dict[tuple[Path, str], float] = {}
    for _ in range(1 + rounds):  # the first loads and compiles
        for path in paths:
            clock, item = Clock(), Item(path.stem, "", data=path.read_bytes())
            with ExitStack() as patches:
                for owner, name, label in STEPS:
                    timed = clock.around(getattr(owner, name), label)
                    patches.enter_context(mock.patch.object(owner, name, timed))
                for stage in stages:
                    with clock.step(f"{stage.name}: rest"):
                        run_stage(stage, [item])
            assert not item.ended, f"{path} ended as {item.reason}"
            for step, seconds in clock.seconds.items():
                best[path, step] = min(best.get((path, step), np.inf), seconds)
    found: defaultdict[str, float] = defaultdict(float)
    for (_, step), seconds in best.items():
        found[step] += 1000 * seconds / len(paths)
    return dict(sorted(found.items()))


class Traffic(TorchDispatchMode):
    """Counts the bytes that operations hand on, at two bytes a number."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        first = found[0] if isinstance(found, tuple) else found
        if not func._schema.name.endswith("_") and not func.is_view:  # a view or what is done in place moves nothing
            self.bytes += 2 * 2 * first.numel()
        return found


def networks(stages: list[Stage[Settings]], multiplied: float, copied: float) -> list[dict[str, Any]]:
    """Each network on one image: what it computes and moves, how long it takes, and how near the limit that is.

    Args:
        multiplied: operations a second of a matrix product. copied: bytes a second of a copy, read and written.
    """
    found = []
    for name, role, method, side, channels in NETWORKS:
        network = next(each for each in stages if each.name == name).networks[role]  # type: ignore[attr-defined]
        function = network if method == "forward" else getattr(network, method)
        image = np.random.default_rng(0).integers(0, 256, (1, side, side, channels), np.uint8)
        sample = torch.zeros(1, channels, side, side, dtype=next(network.parameters()).dtype)
        traffic, operations = Traffic(), FlopCounterMode(display=False)
        with torch.no_grad(), operations, traffic:
            function(sample)
        moved = traffic.bytes + 2 * sum(each.numel() for each in network.parameters())
        seconds = least(lambda function=function, image=image: forward_images(function, image, CPU))
        limit = max(operations.get_total_flops() / multiplied, moved / copied)
        found.append(
            {
                "network": f"{name} {side}",
                "gflop": round(operations.get_total_flops() / 1e9, 2),
                "mbytes": round(moved / 1e6, 1),
                "ms": round(1000 * seconds, 2),
                "limit_ms": round(1000 * limit, 2),
                "share_of_limit": round(limit / seconds, 2),
            }
        )
    return found


def codecs(path: Path) -> list[dict[str, Any]]:
    """Decoding and encoding beside the best call of a library in a bare loop."""
    data = path.read_bytes()
    rgb = Picture(data).rgb()
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    rows = np.ascontiguousarray(np.vstack([rgba[:1], np.diff(rgba, axis=0)])).tobytes()
    pairs = {
        "JPEG, decoded": (
            lambda: Picture(data).rgb(),
            lambda: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR),
        ),
        "PNG, encoded": (lambda: png.encode_png(rgba), lambda: png.deflate(rows, png.LEVEL)),
    }
    found = []
    for name, (ours, bare) in pairs.items():
        seconds, limit = least(ours), least(bare)
        found.append(
            {"codec": name, "ms": round(1000 * seconds, 2), "limit_ms": round(1000 * limit, 2)}
            | {"share_of_limit": round(limit / seconds, 2)}
        )
    return found


def least(work: Callable[[], Any]) -> float:
    """The least processor seconds of several times."""
    work()
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def rates() -> tuple[float, float]:
    """Operations a second of a matrix product in the networks' precision, and bytes a second of a copy."""
    side, precision = 1024, checkpoints.precision(CPU)
    a, b = (torch.randn(side, side).to(precision) for _ in range(2))
    source = torch.zeros(16 << 20, dtype=torch.float32)
    target = torch.zeros_like(source)
    return 2 * side**3 / least(lambda: a @ b), 2 * 4 * source.numel() / least(lambda: target.copy_(source))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--product", default="cutout", help="what is made of each picture")
    parser.add_argument("--quick", action="store_true", help="two pictures")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(prefix="hairline-limit-") as folder:
        paths = make(Path(folder), 2 if args.quick else args.pictures, rendered=False)
        stages = ready(args.product)
        found = steps(stages, paths, args.rounds)
        multiplied, copied = rates()
        nets, files = networks(stages, multiplied, copied), codecs(paths[0])
    print(f"| step | core-ms a picture, {compiled.engine()} |\n| --- | --- |")
    for step, milliseconds in found.items():
        print(f"| {step} | {milliseconds:.1f} |")
    total = sum(found.values()) / 1000
    print(f"| **all** | **{1000 * total:.1f}** |\n")
    print(f"Limit: {multiplied / 1e9:.0f} GFLOP/s of a matrix product, {copied / 1e9:.1f} GB/s of a copy.\n")
    print("| network | GFLOP | MB | core-ms | limit | share |\n| --- | --- | --- | --- | --- | --- |")
    for row in [*nets, *files]:
        name = row.get("network") or row["codec"]
        cells = [name, row.get("gflop", ""), row.get("mbytes", ""), row["ms"], row["limit_ms"], row["share_of_limit"]]
        print("| " + " | ".join(str(cell) for cell in cells) + " |")
    result = {"core_seconds": round(total, 4), "product": args.product, "engine": compiled.engine()}
    result |= {"gflops": round(multiplied / 1e9), "gbytes_per_s": round(copied / 1e9, 1)}
    result |= {"steps_ms": {k: round(v, 2) for k, v in found.items()}, "networks": nets + files}
    return record(result, f"limit-{compiled.engine().split()[0]}")


if __name__ == "__main__":
    sys.exit(main())
