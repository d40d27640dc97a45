"""What a picture costs in figures that do not depend on the machine: they may not grow unseen.

    python benchmarks/counts.py [--write]

The service's sample pictures go through the pools of `gpu-node.yaml`, on the CPU and one at a time. Counted for each:
multiplications and additions of the networks, decodings and the pixels that they gave, encoded files, and the bytes
that travel from pool to pool. The figures are compared with `counts.json` beside this file; one that has grown by more
than 5 % ends the command with exit code 1. `--write` puts the present ones there, to be committed with what changed
them. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import pickle
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from torch.utils.flop_counter import FlopCounterMode

from hairline.cluster.placement import Placement
from hairline.cluster.stage_runner import StageRunner, pool_specs
from hairline.configs.job import load_job
from hairline.stages.decode.picture import Picture
from hairline.stages.item import Item
from hairline.stages.networks import compiled
from hairline.stages.products import encode

sys.path.insert(0, str(Path(__file__).parent))
from record import record

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "serve" / "page" / "samples"
BASELINE = Path(__file__).with_name("counts.json")
GROWTH = 1.05  # from which on it is a finding
Counts = dict[str, dict[str, float]]  # picture -> figure -> how much


@contextmanager
def counted(found: Counter[str]) -> Iterator[None]:
    """Counts decodings and encodings while the block lasts."""
    load: Callable[..., Any] = Picture._load
    writers = {name: getattr(encode, name) for name in ("encode_png", "_save")}

    def decode(picture: Picture, scale: int) -> Any:
        image = load(picture, scale)
        found["decodes"] += 1
        found["decoded_pixels"] += image.width * image.height
        return image

    def writing(name: str) -> Callable[..., bytes]:
        def write(*given: Any, **named: Any) -> bytes:
            data: bytes = writers[name](*given, **named)
            found["encodes"] += 1
            return data

        return write

    with (
        mock.patch.object(Picture, "_load", decode),
        mock.patch.object(encode, "encode_png", writing("encode_png")),
        mock.patch.object(encode, "_save", writing("_save")),
    ):
        yield


def count() -> Counts:
    """The figures of each sample picture."""
    job = load_job("gpu-node.yaml", input="unused", output="unused")
    specs = pool_specs(job, [Placement(pool, 1, 1, 1, 0) for pool in job.pools])
    with mock.patch.object(compiled, "engine", return_value="torch"):  # whose operations are counted
        runners = [StageRunner(spec) for spec in specs]
    result: Counts = {}
    for path in sorted(SAMPLES.glob("*.jpg")):
        item, found = Item(path.stem, "", data=path.read_bytes()), Counter[str]()
        with counted(found), FlopCounterMode(display=False) as flops:
            for number, runner in enumerate(runners):
                if number:
                    packed = pickle.dumps(item)
                    found["bytes_between_pools"] += len(packed)
                    item = pickle.loads(packed)
                runner.run([item])
        assert item.status == "ok", f"{path.name} ended as {item.status}: {item.reason}"
        result[path.stem] = {"mflops": round(flops.get_total_flops() / 1e6), **found}
    return result


def grown(now: Counts, before: Counts) -> list[str]:
    """Each figure that has grown too much, or of which nothing was known, as a line."""
    lines = []
    for picture, figures in now.items():
        for name, value in figures.items():
            known = before.get(picture, {}).get(name, 0)
            if value > GROWTH * known:
                lines.append(f"{picture}: {name} {known:,} -> {value:,}")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="make the present figures the baseline")
    parser.add_argument("--quick", action="store_true", help="the same")
    args = parser.parse_args()
    now = count()
    if args.write:
        BASELINE.write_text(json.dumps(now, indent=1) + "\n")
    lines = grown(now, json.loads(BASELINE.read_text()))
    for line in lines:
        print(line)
    record(now)
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
