"""Our mattes beside those of another model, on validation pictures whose masks people made or whose alpha is exact.

    python benchmarks/rival.py isnet.yaml [--each 4] [--cache DIR] [--sheets DIR] [--weights coarse=other.safetensors]

The model is one that the coarse stage takes, described as for `hairline train label`; its answers are kept in the
cache, for such a model may take seconds a picture. Ours are those of detect, coarse and fine. Ends with a line of JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from accuracy import SEEN, WEIGHTS, Figures, grouped, matted, mean, sheet, square, truth_of

from hairline.evaluation import matte
from hairline.training import data, label
from hairline.training import validation as v
from hairline.training.parallel import parallel_map, pool

FIGURES = (*SEEN, "mae")
CLEAR = 0.02  # difference in IoU from which one of the two is better on a picture


def pictures(each: int) -> list[v.Picture]:
    """The photographs with masks by people, composites, goods, and subjects with fine edges."""
    human = [p for group in data.photos("val").values() for p in group if not p.pseudo and not p.taught]
    found = [v.Picture(p.rgb, "photographs", p.alpha) for p in human]
    found += [v.Picture(p.rgb, "composites", p.alpha) for p in v.composites(each)]
    return found + v.goods(2 * each) + v.hairy(each)


def theirs(picture: v.Picture, model: str, cache: Path) -> np.ndarray:
    """The other model's matte at the picture's size, float32 [H, W], 0..1."""
    described = Path(model).read_bytes() if Path(model).is_file() else model.encode()
    name = hashlib.sha256(described + picture.rgb.tobytes()).hexdigest()[:24]
    path = cache / f"{name}.png"
    if not path.is_file():
        alpha = label.fitted(_teacher(model)(picture.rgb), picture.rgb)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), label.to8(alpha))
    return cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255


_LOADED: dict[str, label.Teacher] = {}


def _teacher(model: str) -> label.Teacher:
    if model not in _LOADED:
        _LOADED[model] = label.teacher(model, torch.device("cpu"))
    return _LOADED[model]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="the other model: a .yaml that describes it, or its file")
    parser.add_argument("--each", type=int, default=4, help="composites of each category; the rest likewise")
    parser.add_argument("--cache", type=Path, default=Path("runs/rival"), help="where its answers are kept")
    parser.add_argument(
        "--sheets", type=Path, metavar="DIR", help="picture, truth, ours and theirs side by side, as PNG"
    )
    parser.add_argument(
        "--weights", nargs="+", default=[], metavar="STAGE=PATH", help="of coarse, fine: others of ours"
    )
    args = parser.parse_args()
    os.environ[WEIGHTS] = json.dumps(dict(given.split("=", 1) for given in args.weights))
    shown = pictures(args.each)
    truths = [truth_of(p).astype(np.float32) / 255 for p in shown]
    mattes = {"ours": parallel_map(matted, shown), "theirs": [theirs(p, args.model, args.cache) for p in shown]}
    pool().shutdown()
    judged = {who: [matte.evaluate(a, t) for a, t in zip(m, truths, strict=True)] for who, m in mattes.items()}
    result: Figures = {}
    for who, each in judged.items():
        for name, group in grouped(shown, each).items():
            result.setdefault(name, {"pictures": len(group)})[who] = {k: mean([g[k] for g in group]) for k in FIGURES}
    differences = [a["iou"] - b["iou"] for a, b in zip(judged["ours"], judged["theirs"], strict=True)]
    for name, group in grouped(shown, differences).items():
        result[name]["better"] = {"ours": sum(d > CLEAR for d in group), "theirs": sum(d < -CLEAR for d in group)}
    _print(result)
    if args.sheets:
        rows = [(p.rgb, t, a, b) for p, t, a, b in zip(shown, truths, mattes["ours"], mattes["theirs"], strict=True)]
        for name, group in grouped(shown, rows).items():
            lines = [tuple(square(x) for x in row) for row in group[:24]]
            sheet(args.sheets / f"rival-{name}.png", lines)
    print(json.dumps(result))
    return 0


def _print(result: Figures) -> None:
    """A table in Markdown: each figure ours, then theirs."""
    print(f"| ours / theirs | pictures | {' | '.join(FIGURES)} | clearly better |")
    print("| --- " * (len(FIGURES) + 3) + "|")
    for name, found in result.items():
        cells = [f"{found['ours'][k]:.3f} / {found['theirs'][k]:.3f}" for k in FIGURES]
        better = f"{found['better']['ours']} / {found['better']['theirs']}"
        print(f"| {name} | {found['pictures']} | {' | '.join(cells)} | {better} |")


if __name__ == "__main__":
    sys.exit(main())
