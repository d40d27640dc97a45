"""Pictures of the kinds that once went wrong, cut with two sets of weights, side by side, to be looked at one by one.

    python benchmarks/look.py sheets/ --before coarse=old.safetensors fine=old.safetensors [--after ...]
    python benchmarks/look.py sheets/ --pictures my-photographs/ --before ...     # any pictures, without figures

Writes contact sheets, six pictures each: the picture, then its cut-out on magenta before and after, with its IoU where
the truth is known. Ends with one line of JSON: figures before and after, and the faults that were counted by eye on
such sheets and written into benchmarks/groups/. `--after` without weights takes those in the tree.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import torch
from accuracy import SEEN, WEIGHTS, Figures, matted, mean, square, truth_of
from group_lists import GROUPS, Shown

from hairline.evaluation import matte
from hairline.training import validation as v
from hairline.training.sheets import over, write_image

SIDE = 400  # of a picture on a sheet, pixels
EACH = 6  # pictures on a sheet
MAGENTA = (255, 0, 255)
FOLDER_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


def in_folder(folder: Path) -> list[Shown]:
    """The pictures of a folder, whose truth nobody knows."""
    found = []
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in FOLDER_ENDINGS):
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if bgr is None:
            sys.exit(f"{path}: cannot be read as a picture")
        found.append(Shown(path.stem, v.Picture(np.ascontiguousarray(bgr[..., ::-1]), "folder"), False))
    return found


def cut(shown: Shown, weights: dict[str, str]) -> np.ndarray:
    """The matte by these weights, or by those in the tree: float32 [H, W], 0..1."""
    os.environ[WEIGHTS] = json.dumps(weights)
    return matted(shown.picture)


def judged(group: list[Shown], mattes: list[np.ndarray]) -> Figures:
    """What `benchmarks/accuracy.py` tells of what people see, over the pictures whose truth can be believed."""
    known = [(each.picture, alpha) for each, alpha in zip(group, mattes, strict=True) if each.believed]
    if not known:
        return {"pictures": 0}
    figures = [matte.evaluate(alpha, truth_of(p).astype(np.float32) / 255) for p, alpha in known]
    ious = [each["iou"] for each in figures]
    spread = {"least_iou": round(min(ious), 4), "iou_096": sum(x >= 0.96 for x in ious)}
    return {"pictures": len(known)} | {key: mean([each[key] for each in figures]) for key in SEEN} | spread


def counted(group: list[Shown]) -> Figures:
    """The faults by kind, before and after, and how many pictures have any."""
    found = {}
    for when in ("before", "after"):
        faults = [each.faults[when] for each in group if when in each.faults]
        kinds = Counter(kind for each in faults for kind in each)
        found[when] = {"faults": sum(kinds.values()), "pictures": sum(map(bool, faults)), **dict(sorted(kinds.items()))}
    return found


def sheets(folder: Path, name: str, group: list[Shown], mattes: list[list[np.ndarray]]) -> None:
    """Contact sheets `name-00.png` and so on, two pictures in a row, three rows."""
    tiles = []
    for index, (shown, alphas) in enumerate(zip(group, zip(*mattes, strict=True), strict=True)):
        over = [over(shown.picture.rgb, alpha, MAGENTA) for alpha in alphas]
        row = [square(image, SIDE) for image in (shown.picture.rgb, *over)]
        for image, alpha in zip(row[1:], alphas, strict=True):
            if shown.believed:
                _write(image, f"{matte.iou(alpha > 0.5, truth_of(shown.picture) > 127):.3f}")
        _write(row[0], f"{index} {Path(shown.name).name}")
        tiles.append(np.hstack(row))
    for number, start in enumerate(range(0, len(tiles), EACH)):
        page = tiles[start : start + EACH]
        page += [np.zeros_like(page[0])] * (len(page) % 2)
        rows = [np.hstack(page[at : at + 2]) for at in range(0, len(page), 2)]
        write_image(folder / f"{name}-{number:02d}.png", np.vstack(rows)[..., ::-1])


def _write(image: np.ndarray, text: str) -> None:
    place = (4, image.shape[0] - 6)
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 0), 1, cv2.LINE_AA)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sheets", type=Path, help="the folder that the contact sheets go to")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS), help="some of the groups")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="the pictures of a folder instead of the groups")
    parser.add_argument("--before", nargs="+", default=[], metavar="STAGE=PATH", help="weights of coarse, fine")
    parser.add_argument("--after", nargs="+", default=[], metavar="STAGE=PATH", help="others than those in the tree")
    args = parser.parse_args()
    torch.set_num_threads(1)
    given = [dict(one.split("=", 1) for one in weights) for weights in (args.before, args.after)]
    result: Figures = {}
    groups = {"folder": in_folder(args.pictures)} if args.pictures else {name: GROUPS[name]() for name in args.only}
    for name, group in groups.items():
        mattes = [[cut(shown, weights) for shown in group] for weights in given]
        sheets(args.sheets, name, group, mattes)
        result[name] = {when: judged(group, one) for when, one in zip(("before", "after"), mattes, strict=True)}
        result[name]["faults"] = counted(group)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
