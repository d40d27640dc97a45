"""Runs the variants of one idea, one after the other, or makes the tables of what was run."""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from pathlib import Path

import cv2

from ...stages.errors import HairlineError
from ..command import run as run_command
from .run import Run
from .tables import tables

IDEAS = ("fusion", "two_stages", "crop", "pyramid", "ordered", "routes", "signals", "encoder", "looks", "loss")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m hairline.training.ablations", description=__doc__)
    parser.add_argument("idea", choices=(*IDEAS, "table"))
    parser.add_argument("--minutes", type=float, default=10, help="of training for each variant and seed")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each variant")
    parser.add_argument("--variants", nargs="+", metavar="NAME", help="some of them (default: all)")
    parser.add_argument("--runs", type=Path, default=Path("runs/ablations"), help="where logs and results go")
    parser.add_argument("--threads", type=int, default=0, help="torch threads (default: all cores)")
    parser.add_argument("--workers", type=int, default=1, help="processes that make samples")
    parser.add_argument("--batch", type=int, default=32)
    args = parser.parse_args(argv)
    if args.idea == "table":
        print(tables(args.runs))
        return 0
    cv2.setNumThreads(0)  # its thread pool does not survive the fork of the processes that make samples
    variants = import_module(f".{args.idea}", __package__).VARIANTS
    if strange := set(args.variants or ()) - set(variants):
        raise HairlineError(f"{args.idea} has no variant {', '.join(strange)}; it has {', '.join(variants)}")
    for seed in range(args.seeds):
        for name in args.variants or variants:
            done = args.runs / args.idea / f"{name}-{seed}.json"
            if done.is_file():
                print(f"{done} is there already")
                continue
            run = Run(done.with_suffix(""), seed, args.minutes, args.threads, args.workers, args.batch)
            figures = variants[name](run)
            result = {"idea": args.idea, "variant": name, "seed": seed, "minutes": args.minutes}
            done.parent.mkdir(parents=True, exist_ok=True)
            done.write_text(json.dumps(result | {"cost": run.cost, "figures": figures}, indent=1) + "\n")
            print(f"{done}: {json.dumps(figures)}", flush=True)
    return 0


if __name__ == "__main__":
    run_command(main)
