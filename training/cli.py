"""`hairline train NETWORK`: one command for each network, resumable and time-budgeted."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

import cv2

from .loop import Plan

NETWORKS = ("quality", "classify", "detect", "coarse", "fine")


def main(argv: list[str]) -> int:
    """Runs a recipe; its weights and card land in `stages/weights/`. Raises HairlineError for a user's mistake."""
    parser = argparse.ArgumentParser(
        prog="hairline train",
        description="Trains one network on the pictures in $HAIRLINE_DATA. A run that was stopped goes on "
        "where it was when the same command is given again.",
    )
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--minutes", type=float, default=30, help="wall-clock budget in all")
    parser.add_argument("--run", type=Path, help="folder of the log and the state (default: runs/NETWORK)")
    parser.add_argument("--threads", type=int, default=0, help="torch threads (default: all cores)")
    parser.add_argument("--workers", type=int, default=1, help="processes that make samples")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1.5e-3, help="peak learning rate")
    parser.add_argument("--start", type=Path, help="weight file that a new run starts from")
    args = parser.parse_args(argv)
    plan = Plan(
        minutes=args.minutes,
        run=args.run or Path("runs") / args.network,
        lr=args.lr,
        threads=args.threads,
        start=args.start,
    )
    cv2.setNumThreads(0)  # its thread pool does not survive the fork of the processes that make samples
    import_module(f".{args.network}", __package__).train(plan, args.workers, args.batch)
    return 0


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
