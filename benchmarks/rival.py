"""Our mattes beside those of another model, on validation pictures whose masks people made or whose alpha is exact.

    python benchmarks/rival.py isnet.yaml [--each 4] [--cache DIR] [--sheets DIR] [--weights coarse=other.safetensors]
    python benchmarks/rival.py isnet.yaml --fine           # and the other model as our coarse stage, ours refining it

The model is one that the coarse stage takes, described as for `hairline train label`; its answers, and the core-seconds
they took, are kept in the cache: such a model may take seconds a picture. Ours are those of detect, coarse and fine.
Core-seconds are of one thread, warm, from the picture in memory to its matte. Ends with a line of JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from accuracy import SEEN, WEIGHTS, Figures, fine, grouped, matted, mean, square, truth_of
from contact import sheet

from hairline.evaluation import matte
from hairline.stages.base import Settings, Stage, run_stages
from hairline.stages.coarse import CoarseSettings, CoarseStage
from hairline.training import data, label
from hairline.training import validation as v
from hairline.training.parallel import parallel_map, pool, stage

FIGURES = (*SEEN, "mae", "core_seconds")
Matter = Callable[[v.Picture], np.ndarray]  # a picture to its matte, float32 [H, W], 0..1
CLEAR = 0.02  # difference in IoU from which one of the two is better on a picture


def pictures(each: int) -> list[v.Picture]:
    """The photographs with masks by people, composites, goods, and subjects with fine edges."""
    human = [p for group in data.photos("val").values() for p in group if not p.pseudo and not p.taught]
    found = [v.Picture(p.rgb, "photographs", p.alpha) for p in human]
    found += [v.Picture(p.rgb, "composites", p.alpha) for p in v.composites(each)]
    return found + v.goods(2 * each) + v.hairy(each)


def timed(matte_of: Matter, picture: v.Picture) -> tuple[np.ndarray, float]:
    """A matte, float32 [H, W], 0..1, and the core-seconds that it took."""
    started = time.process_time()
    return matte_of(picture), time.process_time() - started


def ours(picture: v.Picture) -> tuple[np.ndarray, float]:
    """Our own matte, and its core-seconds."""
    return timed(matted, picture)


def kept(picture: v.Picture, matte_of: Matter, name: str, folder: Path) -> tuple[np.ndarray, float]:
    """A matte at the picture's size, as it is in the cache, or made and put there, and the core-seconds it took."""
    digest = hashlib.sha256(name.encode() + picture.rgb.tobytes()).hexdigest()[:24]
    path = folder / f"{digest}.png"
    if not path.with_suffix(".json").is_file():
        alpha, seconds = timed(matte_of, picture)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), label.to8(alpha))
        path.with_suffix(".json").write_text(json.dumps(seconds))
    alpha = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
    return alpha, float(json.loads(path.with_suffix(".json").read_text()))


def alone(model: str) -> Matter:
    """The other model by itself; loaded when it is first asked."""
    teacher = cache(lambda: label.teacher(model, torch.device("cpu"), threads=1))
    return lambda picture: label.fitted(teacher()(picture.rgb), picture.rgb)


def refined(model: str) -> Matter:
    """The other model as our coarse stage, refined by our fine one; loaded when it is first asked."""

    @cache
    def stages() -> list[Stage[Settings]]:
        settings = CoarseSettings(min_area=0, no_subject=1, model=label.settings_of(model))
        first = CoarseStage(settings)
        first.setup(torch.device("cpu"))
        return [stage("detect"), first, fine()]

    def matte_of(picture: v.Picture) -> np.ndarray:
        item = picture.item()
        run_stages(stages(), [item])
        alpha = np.zeros(picture.rgb.shape[:2], np.uint8) if item.alpha is None else item.alpha
        return alpha.astype(np.float32) / 255

    return matte_of


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="the other model: a .yaml that describes it, or its file")
    parser.add_argument("--each", type=int, default=4, help="composites of each category; the rest likewise")
    parser.add_argument("--cache", type=Path, default=Path("runs/rival"), help="where its answers are kept")
    parser.add_argument(
        "--sheets", type=Path, metavar="DIR", help="picture, truth, ours and theirs side by side, as PNG"
    )
    parser.add_argument("--fine", action="store_true", help="and the other model with our fine stage behind it")
    parser.add_argument(
        "--weights", nargs="+", default=[], metavar="STAGE=PATH", help="of coarse, fine: others of ours"
    )
    args = parser.parse_args()
    os.environ[WEIGHTS] = json.dumps(dict(given.split("=", 1) for given in args.weights))
    shown = pictures(args.each)
    truths = [truth_of(p).astype(np.float32) / 255 for p in shown]
    found = {"ours": parallel_map(ours, shown)}
    pool().shutdown()
    torch.set_num_threads(1)
    described = Path(args.model).read_text() if Path(args.model).is_file() else args.model
    others = {"theirs": alone(args.model)} | ({"theirs + fine": refined(args.model)} if args.fine else {})
    for who, matte_of in others.items():
        matte_of(shown[0])  # loading is not counted
        found[who] = [kept(p, matte_of, f"{who} {described}", args.cache) for p in shown]
    judged = {
        who: [matte.evaluate(a, t) | {"core_seconds": s} for (a, s), t in zip(made, truths, strict=True)]
        for who, made in found.items()
    }
    result: Figures = {}
    for name, group in {**grouped(shown, range(len(shown))), "all": range(len(shown))}.items():
        result[name] = {"pictures": len(group)}
        for who, each in judged.items():
            result[name][who] = {k: mean([each[i][k] for i in group]) for k in FIGURES}
        differences = [judged["ours"][i]["iou"] - judged["theirs"][i]["iou"] for i in group]
        result[name]["better"] = {
            "ours": sum(d > CLEAR for d in differences),
            "theirs": sum(d < -CLEAR for d in differences),
        }
    _print(result, list(judged))
    if args.sheets:
        rows = [
            (p.rgb, t, *(made[i][0] for made in found.values()))
            for i, (p, t) in enumerate(zip(shown, truths, strict=True))
        ]
        for name, group in grouped(shown, rows).items():
            lines = [tuple(square(x) for x in row) for row in group[:24]]
            sheet(args.sheets / f"rival-{name}.png", lines)
    print(json.dumps(result))
    return 0


def _print(result: Figures, who: list[str]) -> None:
    """A table in Markdown: each figure of ours, then of the others; whose IoU is clearly better, of the first two."""
    print(f"| {' / '.join(who)} | pictures | {' | '.join(FIGURES)} | clearly better |")
    print("| --- " * (len(FIGURES) + 3) + "|")
    for name, found in result.items():
        cells = [" / ".join(f"{found[each][k]:.3f}" for each in who) for k in FIGURES]
        better = f"{found['better']['ours']} / {found['better']['theirs']}"
        print(f"| {name} | {found['pictures']} | {' | '.join(cells)} | {better} |")


if __name__ == "__main__":
    sys.exit(main())
