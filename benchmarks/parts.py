"""How well the parts of heads are told apart: portraits against outlines that were drawn on them by hand.

    python benchmarks/parts.py [--sheets DIR]

The portraits with their masks are those of $HAIRLINE_DATA; `parts_outlines.json` beside this file holds, for each, the
outlines of face, hair and body, in percent of its longer side, drawn by eye on a grid: an edge may lie 1 % beside the
true one. Each part is made with the picture's own mask and compared where its alpha is at least one half: intersection
over union. Those masks are themselves made, not drawn; `CUT_SHORT` are the pictures whose mask lacks hair or a cap. The
thresholds were set while looking at these pictures: none is held back. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from id_photo import matte_of, read

from hairline.stages.errors import Refused
from hairline.stages.products.part import Part, PartSettings

U8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]
PARTS = ("head", "face", "hair")
CUT_SHORT = (
    "sfhq_variability_age_071",
    "sfhq_variability_age_X_ethnicity_2_039",
    "sfhq_variability_ethnicity_047",
    "sfhq_variability_ethnicity_066",
    "sfhq_variability_expression_049",
    "sfhq_variability_hair_color_011",
)
SIDE = 300  # of a picture on a sheet, pixels
GROUND = (90, 140, 120)


def drawn(outlines: list[list[list[float]]], shape: tuple[int, int]) -> Mask:
    """What the outlines go around."""
    inside: U8 = np.zeros(shape, np.uint8)
    for outline in outlines:
        cv2.fillPoly(inside, [np.rint(np.array(outline) * max(shape) / 100).astype(np.int32)], 1)
    return inside > 0


def truths(outlines: dict[str, list[list[list[float]]]], alpha: U8) -> dict[str, Mask]:
    """Each part as it was drawn, within the mask."""
    shape = (alpha.shape[0], alpha.shape[1])
    solid = alpha >= 128
    head = solid & ~drawn(outlines["body"], shape)
    face = solid & drawn(outlines["face"], shape)
    return {"head": head, "face": face, "hair": head & drawn(outlines["hair"], shape) & ~face}


def overlap(found: Mask, true: Mask) -> float:
    """Intersection over union."""
    return float((found & true).sum() / max(1, (found | true).sum()))


def tile(made: U8, true: Mask, words: str) -> U8:
    """A part over a plain ground, the outline that was drawn around it."""
    share = made[..., 3:].astype(np.float32) / 255
    shown = np.rint(made[..., :3] * share + np.float32(GROUND) * (1 - share)).astype(np.uint8)
    edges, _ = cv2.findContours(true.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(shown, edges, -1, (255, 255, 0), max(1, made.shape[1] // 250))
    canvas = np.full((SIDE, SIDE, 3), 40, np.uint8)
    scale = SIDE / max(made.shape[:2])
    size = round(made.shape[1] * scale), round(made.shape[0] * scale)
    canvas[: size[1], : size[0]] = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
    cv2.putText(canvas, words, (4, SIDE - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
    return canvas


def sheet(tiles: list[U8], file: Path) -> None:
    """A contact sheet, seven in a row."""
    tiles = tiles + [np.zeros_like(tiles[0])] * (-len(tiles) % 7)
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [np.concatenate(tiles[at : at + 7], 1) for at in range(0, len(tiles), 7)]
    Image.fromarray(np.concatenate(rows)).save(file, quality=90)


def figures(found: list[float]) -> dict[str, float]:
    return {"pictures": len(found), "mean": round(float(np.mean(found)), 3), "least": round(min(found), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sheets", type=Path, help="contact sheets of each part go there")
    options = parser.parse_args()
    folder = Path(os.environ["HAIRLINE_DATA"]) / "photos_masks" / "portrait"
    outlines = json.loads(Path(__file__).with_name("parts_outlines.json").read_text())
    kinds = ("all", "whole masks", "pass", "unknown")
    scores: dict[str, dict[str, list[float]]] = {part: {kind: [] for kind in kinds} for part in PARTS}
    tiles: dict[str, list[U8]] = {part: [] for part in PARTS}
    refused: list[str] = []
    seconds: list[float] = []
    for name, lines in sorted(outlines.items()):
        picture, alpha = read(folder / f"{name}.jpg"), read(folder / f"{name}.png", "L")
        matte = matte_of(picture, alpha)
        told = []
        for part, true in truths(lines, alpha).items():
            product = Part(PartSettings.model_validate({"name": part, "crop": False, "zero_hidden": False}))
            try:
                _ = matte.faces  # found once for all products of a picture
                started = time.process_time()
                made = product.make(matte)
            except Refused as error:
                refused.append(f"{name} {part}: {error.reason}")
                continue
            seconds.append(time.process_time() - started)
            pixels = np.asarray(Image.open(io.BytesIO(made.data)))
            score = overlap(pixels[..., 3] >= 128, true)
            verdict = product.verify(made, part)
            assert verdict is not None
            for kind in ("all", verdict.verdict, *(() if name in CUT_SHORT else ("whole masks",))):
                scores[part][kind].append(score)
            told.append(f"{part} {score:.3f}{'?' if verdict.verdict == 'unknown' else ''}")
            tiles[part].append(tile(pixels, true, told[-1]))
        print(f"{name}: {'  '.join(told)}", flush=True)
    for part, shown in tiles.items():
        if options.sheets and shown:
            sheet(shown, options.sheets / f"{part}.jpg")
    result = {part: {kind: figures(found) for kind, found in each.items() if found} for part, each in scores.items()}
    print("refused:", refused)
    print(json.dumps({**result, "seconds": round(float(np.median(seconds)), 3)}))


if __name__ == "__main__":
    main()
