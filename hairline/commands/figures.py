"""train, autoclassify and evaluate: the models, and figures of what they make."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..evaluation.cli import options as evaluation_options
from ..stages.errors import HairlineError
from .base import Commands


def add(commands: Commands) -> None:
    commands.add_parser("train", help="makes the models: hairline train --help", add_help=False)
    commands.add_parser(
        "autoclassify", help="a classifier of your own categories: hairline autoclassify --help", add_help=False
    )
    judged = commands.add_parser("evaluate", help="figures of mattes, boxes, categories and defects against the truth")
    evaluation_options(judged)
    judged.set_defaults(work=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from ..evaluation.cli import evaluate

    def rows(output: Path) -> list[dict[str, Any]]:
        from ..pipeline.outcome import rows_of_run  # takes seconds, and most evaluations read no run

        return rows_of_run(output)

    def cut(pictures: Path, mattes: Path) -> None:
        import numpy as np

        from ..cutter import Cutter  # brings torch
        from ..evaluation.pairs import by_name
        from ..stages.imaging.png import encode_png

        found = by_name(pictures)
        cutouts = Cutter(options.job, keep_rejects=True).cut_many(found.values())
        for name, cutout in zip(found, cutouts, strict=True):
            if cutout.status == "failed":
                raise HairlineError(f"{found[name]}: {cutout.detail or cutout.reason}")
            alpha = cutout.alpha if cutout.ok else np.zeros((cutout.height, cutout.width), np.uint8)
            path = mattes / f"{name}.png"
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encode_png(alpha))
            except OSError as error:
                raise HairlineError(f"{path}: cannot be written: {error.strerror}") from error

    return evaluate(options, rows, cut)
