"""What starting takes: `hairline cut` of one picture and `hairline run` of ten, beside `import torch`.

    python benchmarks/start.py [--rounds R] [--quick]

`compute_s` is what each further picture of one `hairline cut` takes, so `cut_over_least` is the time of `hairline cut`
of one picture over that of `python -c "import torch"` and one picture's computing. All take turns; seconds on the clock
from a command's start to its end. What OpenVINO has compiled once is kept in the cache and there before the first
measurement. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from command import finished, hairline_run
from pictures import make
from record import ratios, record, spread

MORE = 4  # further pictures, from which one's time is known
RUN = 10  # pictures of a run


def seconds(command: list[str]) -> float:
    """Seconds of a command from start to end."""
    started = time.perf_counter()
    done = finished(command)
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round")
    args = parser.parse_args()
    found: dict[str, list[float]] = {"torch": [], "one": [], "more": [], "run": []}
    with tempfile.TemporaryDirectory(prefix="hairline-start-") as folder:
        base = Path(folder)
        paths = [str(path) for path in make(base / "in", RUN, rendered=False)]
        cut = [sys.executable, "-m", "hairline", "cut", "-o", str(base / "cut")]
        finished([*cut, paths[0]])  # compiles
        for number in range(1 if args.quick else args.rounds):
            found["torch"].append(seconds([sys.executable, "-c", "import torch"]))
            found["one"].append(seconds([*cut, paths[0]]))
            found["more"].append(seconds([*cut, *paths[: 1 + MORE]]))
            found["run"].append(seconds(hairline_run(base / "in", base / f"run{number}")))
            print({name: round(values[-1], 2) for name, values in found.items()}, flush=True)
    compute = [max(0.0, more - one) / MORE for one, more in zip(found["one"], found["more"], strict=True)]
    least = [torch + each for torch, each in zip(found["torch"], compute, strict=True)]
    return record(
        {
            "import_torch_s": spread(found["torch"]),
            "cut_s": spread(found["one"]),
            "compute_s": spread(compute),
            "cut_over_least": ratios(found["one"], least),
            "run_s": spread(found["run"]),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
