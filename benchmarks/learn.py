"""What 30 corrections bring on a catalog unlike the training pictures: the error on 20 others, before and after.

    HAIRLINE_DATA=… python benchmarks/learn.py [--minutes 12] [--start WEIGHTS] [--keep FOLDER]

The catalog is made of held-back subjects with exact alpha before held-back backgrounds, printed and scanned: a halftone
raster in four inks, paper that has yellowed. Nothing of the kind is among the training pictures. It is run, 30 of its
pictures, drawn at random, are corrected as `hairline review` does it, by somebody who knows the true alpha,
and `hairline train fine --corrections` learns from them. The other 20 are cut out with the weights before and after.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from command import hairline_run

from hairline.evaluation.matte import transition_band
from hairline.pipeline.beside import cut_output
from hairline.review.desk import Desk
from hairline.training import data
from hairline.training.adapt import judging
from hairline.training.adapt.teaching import Known
from hairline.training.data import Photo
from hairline.training.synth import composite as c

KINDS = ("product_hollow", "product_simple", "plant_hollow", "soft_translucent", "cartoon")  # with exact alpha
CORRECTED, OTHERS, SIDE = 30, 20, 720
SCREENS = ((15, 0), (75, 1), (0, 2), (45, None))  # angle in degrees of cyan, magenta, yellow, black; its channel
CELL = 5.0  # of the raster, pixels
PAPER = np.array([0.95, 0.90, 0.78], np.float32)


def printed(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture, float32 [H, W, 3], 0..1, as a scan of its print: amplitude-modulated halftone in four inks."""
    height, width = rgb.shape[:2]
    black = (1 - rgb.max(2)) * 0.8
    inks = [1 - rgb[..., n] - black for n in range(3)] + [black]
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    page = np.broadcast_to(PAPER, rgb.shape).copy()
    for ink, (angle, channel) in zip(inks, SCREENS, strict=True):
        turn = np.deg2rad(angle + rng.uniform(-2, 2))
        u, v = (np.cos(turn) * xs + np.sin(turn) * ys), (-np.sin(turn) * xs + np.cos(turn) * ys)
        screen = (np.cos(2 * np.pi * u / CELL) + np.cos(2 * np.pi * v / CELL)) / 4 + 0.5
        dots = np.clip((ink - screen) * 6 + 0.5, 0, 1)
        if channel is None:
            page *= 1 - 0.9 * dots[..., None]
        else:
            page[..., channel] *= 1 - 0.85 * dots
    blurred = cv2.GaussianBlur(page, (0, 0), 0.8)
    return np.clip(blurred + rng.normal(0, 0.015, (height, width, 1)), 0, 1).astype(np.float32)


def catalog(folder: Path) -> dict[str, np.ndarray]:
    """Makes the pictures; returns the true alpha of each, uint8 [H, W]."""
    rng = np.random.default_rng(17)
    found = data.foregrounds("val", SIDE)
    subjects = [each for kind in KINDS for each in found.get(kind, []) if not each.pseudo]
    grounds = [each for group in data.backgrounds("val", SIDE).values() for each in group]
    order = [each for each in subjects if each.category != "cartoon"]
    cartoons = [each for each in subjects if each.category == "cartoon"]
    order += [cartoons[n] for n in rng.permutation(len(cartoons))[: max(0, CORRECTED + OTHERS - len(order))]]
    folder.mkdir(parents=True)
    truths = {}
    for number, subject in enumerate(order[: CORRECTED + OTHERS]):
        ground = grounds[rng.integers(len(grounds))]
        background = cv2.resize(ground, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        layer = c.match_light(c.place(subject.rgba, SIDE, rng, (0.35, 0.6), wander=0.05), background, rng)
        picture, alpha = c.over([layer], c.shadow(background, layer.alpha, rng))
        name = f"{number:03d}.jpg"
        jpeg = (printed(picture, rng)[..., ::-1] * 255 + 0.5).astype(np.uint8)
        cv2.imwrite(str(folder / name), jpeg, [cv2.IMWRITE_JPEG_QUALITY, 92])
        truths[name] = (alpha * 255 + 0.5).astype(np.uint8)
    return truths


def correct(output: str, truths: dict[str, np.ndarray]) -> tuple[list[str], list[str]]:
    """Corrects `CORRECTED` pictures of those that were cut out; returns their ids, and those of the others."""
    with cut_output(output) as folder:
        desk = Desk(folder)
        ids = sorted(id for id in truths if (row := desk.row_of(id)) and row["status"] == "ok")
        drawn = [ids[n] for n in np.random.default_rng(3).permutation(len(ids))]
        for id in drawn[:CORRECTED]:
            desk.correct(id, desk.decisions.standing(id).newest, "truth", id, "benchmark", truths[id])
        desk.decisions.write_table()
    return sorted(drawn[:CORRECTED]), sorted(drawn[CORRECTED:])


def errors(ids: list[str], folder: Path, truths: dict[str, np.ndarray], weights: Path | None) -> dict[str, Any]:
    """Mean absolute errors of alpha, in thousandths: over whole pictures, and in their transition bands."""
    known = []
    for id in ids:
        rgb = cv2.cvtColor(cv2.imread(str(folder / id)), cv2.COLOR_BGR2RGB).astype(np.uint8)
        known.append(Known(id, Photo(rgb, truths[id], "", False), "test", True, 0.0, 0.0))
    whole, band = [], []
    for alpha, each in zip(judging.mattes(known, {"fine": weights} if weights else {}), known, strict=True):
        wrong = np.abs(alpha.astype(np.float32) - each.photo.alpha) / 255
        whole.append(float(wrong.mean()))
        band.append(float(wrong[transition_band(each.photo.alpha.astype(np.float32) / 255)].mean()))
    return {"whole": np.array(whole), "band": np.array(band)}


def compared(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name in before:
        difference = after[name] - before[name]
        low, high = judging.bootstrap(difference, range(len(difference)))
        told[name] = {
            "before": round(1000 * float(before[name].mean()), 2),
            "after": round(1000 * float(after[name].mean()), 2),
            "change": round(1000 * float(difference.mean()), 2),
            "between": [round(1000 * low, 2), round(1000 * high, 2)],
            "better_on": int((difference < 0).sum()),
        }
    return told


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=12.0, help="of training (%(default)s)")
    options.add_argument("--start", help="weights that training starts from (default: those in the tree)")
    options.add_argument("--threads", type=int, default=0)
    options.add_argument("--keep", help="folder in which all of it stays; must be new")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(given.keep or temporary)
        folder, output, run = root / "catalog", str(root / "out"), root / "train"
        truths = catalog(folder)
        run_products = ("--set", "products=[cutout, mask]")
        subprocess.run(hairline_run(folder, output, *run_products), check=True, stdout=subprocess.DEVNULL)
        corrected, others = correct(output, truths)
        start = ["--start", given.start] if given.start else []
        command = [sys.executable, "-m", "hairline", "train", "fine", *start, "--corrections", output]
        command += ["--minutes", str(given.minutes), "--run", str(run), "--workers", "0", "--batch", "12"]
        subprocess.run([*command, "--threads", str(given.threads)], check=True, stdout=sys.stderr)
        print((run / "card.md").read_text("utf-8"), file=sys.stderr)
        first = Path(given.start) if given.start else None
        found = compared(
            errors(others, folder, truths, first), errors(others, folder, truths, run / "fine.safetensors")
        )
        lines = [json.loads(line) for line in (run / "work" / "fine" / "log.jsonl").read_text().splitlines()]
        told = {"corrected": len(corrected), "others": len(others), "samples": lines[-1]["seen"] if lines else 0}
        print(json.dumps({**told, "error_in_thousandths": found}, indent=1))


if __name__ == "__main__":
    main()
