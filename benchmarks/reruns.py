"""What a rerun costs when only late stages have changed, beside a fresh run with the same settings.

    python benchmarks/reruns.py [--pictures N] [--distinct N]

A first run keeps what later ones can start from (`restart_at`). Then only an option of a product changes, then only
one of the fine stage; each rerun is followed by a fresh run with the same settings into an empty output, and every
product is compared byte for byte. Ends with one line of JSON; exit code 1 when a byte differs.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from command import finished, hairline_run
from pictures import make
from record import record

KEEP = "restart_at=[fine, products]"
CHANGES = {  # what changed -> the settings of that run
    "products": ("products=[cutout: {crop: true}]",),
    "fine": ("products=[cutout: {crop: true}]", "stages.fine.sure=0.02"),
}


def run(catalog: Path, output: Path, *settings: str) -> float:
    """One run; its wall time with everything, seconds."""
    more = [word for setting in settings for word in ("--set", setting)]
    started = time.perf_counter()
    done = finished(hairline_run(catalog, output, *more))
    if done.returncode not in (0, 3):
        sys.exit(f"hairline run ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.perf_counter() - started


def products(output: Path) -> dict[str, str]:
    """Product -> digest."""
    files = (path for path in output.joinpath("cutout").rglob("*") if path.is_file())
    return {str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--distinct", type=int, help="different pictures; the others are links to them (default: all)")
    parser.add_argument("--quick", action="store_true", help="24 pictures")
    args = parser.parse_args()
    count = 24 if args.quick else args.pictures
    with tempfile.TemporaryDirectory(prefix="hairline-reruns-") as folder:
        base = Path(folder)
        catalog, output = base / "catalog", base / "out"
        make(catalog, count, distinct=args.distinct)
        found: dict[str, object] = {"pictures": count, "first_s": round(run(catalog, output, KEEP), 1)}
        equal = True
        for what, settings in CHANGES.items():
            again = run(catalog, output, KEEP, *settings)
            fresh = run(catalog, base / what, KEEP, *settings)
            same = products(output) == products(base / what)
            equal = equal and same
            share = round(again / fresh, 3)
            found[what] = {"rerun_s": round(again, 1), "fresh_s": round(fresh, 1), "share": share, "same_bytes": same}
            print(f"{what} changed: {again:.1f} s, a fresh run {fresh:.1f} s", flush=True)
    record(found)
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
