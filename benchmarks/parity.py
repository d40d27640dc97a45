"""The same pictures through the service and through `hairline run`: their alphas and cut-outs, byte by byte.

    python benchmarks/parity.py [--quick] [--pictures N]

Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

sys.path.insert(0, str(Path(__file__).parent))
from command import finished, hairline_run
from load import CORES, service
from pictures import make
from record import record

PRODUCTS = ("mask", "cutout")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 pictures")
    parser.add_argument("--pictures", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hairline-parity-") as folder:
        base = Path(folder)
        paths = make(base / "in", args.pictures or (20 if args.quick else 200), seed=7)
        command = hairline_run(base / "in", base / "out", "--set", f"products=[{', '.join(PRODUCTS)}]")
        done = finished(command)
        if done.returncode not in (0, 3):
            sys.exit(done.stderr[-2000:])
        print(f"run: {len(paths)} pictures", flush=True)
        with service() as running:

            def same(path: Path) -> dict[str, bool]:
                found = {}
                for product in PRODUCTS:
                    made = base / "out" / product / f"{path.relative_to(base / 'in')}.png"
                    files = {"image_file": path.read_bytes()}
                    answer = requests.post(f"{running.url}/v1/{product}", files=files, timeout=120)
                    expected = made.read_bytes() if made.exists() else None
                    found[product] = expected == (answer.content if answer.status_code == 200 else None)
                return found

            with ThreadPoolExecutor(2 * CORES) as threads:
                found = list(threads.map(same, paths))
        cut = sum(1 for path in paths if (base / "out" / "mask" / f"{path.relative_to(base / 'in')}.png").exists())
    different = {product: sum(not each[product] for each in found) for product in PRODUCTS}
    record({"pictures": len(paths), "cut_out": cut, "different": different})
    return int(any(different.values()))


if __name__ == "__main__":
    sys.exit(main())
