"""`hairline train NETWORK`: one command for each network, resumable and time-budgeted."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import cv2

from ..stages.errors import HairlineError
from .loop import Plan

Collect = Callable[[str, Path], None]  # an output, and the folder to make
NETWORKS = ("quality", "classify", "detect", "coarse", "fine")


def parser() -> argparse.ArgumentParser:
    """The options of `hairline train NETWORK`."""
    command = argparse.ArgumentParser(
        prog="hairline train",
        description="Trains one network on the pictures in $HAIRLINE_DATA. A run that was stopped goes on "
        "where it was when the same command is given again. `hairline train label --help`: masks for photographs of "
        "yours by a strong model, to train on; `hairline adapt --help` does both for one catalog.",
    )
    command.add_argument("network", choices=NETWORKS, help="which one")
    command.add_argument("--minutes", type=float, default=30, help="wall-clock budget in all")
    command.add_argument("--run", type=Path, help="folder of the log and the state (default: runs/NETWORK)")
    command.add_argument("--threads", type=int, default=0, help="torch threads (default: all cores)")
    command.add_argument("--workers", type=int, default=1, help="processes that make samples")
    command.add_argument("--batch", type=int, default=32, help="samples of one step")
    command.add_argument("--lr", type=float, help="peak learning rate (default: 1.5e-3; with --corrections 2e-4)")
    command.add_argument("--every", type=float, default=5, help="minutes between looks at it (the first after one)")
    command.add_argument("--route", default="", help="of fine: a route that gets weights of its own")
    command.add_argument("--start", type=Path, help="weight file that a new run starts from")
    command.add_argument(
        "--corrections",
        metavar="OUTPUT",
        help="of fine: learn on from what people corrected in `hairline review OUTPUT`",
    )
    command.add_argument(
        "--without-stock", action="store_true", help="leave out photographs under the licences of Unsplash and Pexels"
    )
    return command


def main(argv: list[str], collect: Collect | None = None) -> int:
    """Runs a recipe; its weights and card land in `stages/weights/`, with `--corrections` in the run's folder.

    Args:
        collect: puts the corrections of an output into a folder, as `corrections.py` reads them.

    Raises:
        HairlineError: a user's mistake.
    """
    if argv[:1] == ["label"]:  # it reads its own arguments
        from .label import main as label

        return label(argv[1:])
    args = parser().parse_args(argv)
    if args.without_stock:
        os.environ["HAIRLINE_STOCK"] = "0"
    cv2.setNumThreads(0)  # its thread pool does not survive the fork of the processes that make samples
    try:
        recipe = import_module(f".{args.network}", __package__)
    except ModuleNotFoundError as missing:
        raise HairlineError(f"training needs {missing.name}: pip install 'hairline-matting[training]'") from missing
    routes = getattr(recipe, "ROUTES", ())
    if args.route and args.route not in routes:
        known = f"it has {', '.join(routes)}" if routes else "only fine has routes"
        raise HairlineError(f"{args.network} has no route {args.route}: {known}")
    if args.corrections and args.network != "fine":
        raise HairlineError(f"--corrections: only fine learns from them, not {args.network}")
    plan = Plan(
        minutes=args.minutes,
        run=args.run
        or Path("runs") / "-".join(filter(None, (args.network, args.route, args.corrections and "corrected"))),
        lr=args.lr or (2e-4 if args.corrections else 1.5e-3),
        validate_every=args.every,
        threads=args.threads,
        route=args.route,
        start=args.start,
    )
    if args.corrections:
        from .corrections import train

        folder = plan.run / "corrections"
        if collect:
            collect(args.corrections, folder)
        print("\n".join(train(plan, args.workers, args.batch, folder if collect else Path(args.corrections))))
        return 0
    recipe.train(plan, args.workers, args.batch)
    return 0


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
