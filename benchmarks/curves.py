"""What a picture costs against its size, the number of its subjects, and the length of their edge.

    python benchmarks/curves.py [--rounds R] [--quick]

Scenes are drawn: products on studio backgrounds from a quarter to 24 megapixels; one, three and ten of them on one
megapixel; and there a disc, a bicycle's wheels and frame, and a subject with long hair. Each goes through the stages of
`laptop.yaml` to a cut-out as PNG, in one thread and in a process of its own, whose largest resident memory is told: a
small scene's is that of libraries and weights. By stage the least of all rounds counts, for a busy machine only adds;
`core_ms` has their spread. `edge_share`: of the pixels, those whose alpha is neither 0 nor 1. Ends with one line of
JSON.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing as mp
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from command import exits_when_stopped
from record import record, spread

from hairline.training.synth import composite as c
from hairline.training.synth import strands
from hairline.training.synth.render_products import PRODUCTS, render_product

SIDE = 1024  # of a scene of one megapixel
MEGAPIXELS = (0.25, 1, 4, 12, 24)
SUBJECTS = (1, 3, 10)
Drawn = Callable[[], np.ndarray]  # a scene, float32 [H, W, 3], 0..1


def product(side: int) -> np.ndarray:
    """A handbag on a canvas of this side, seven tenths of it high."""
    return on_studio([_put("handbag", side, 0.7 * side, (side / 2, side / 2))], side)


def products(count: int) -> np.ndarray:
    """So many products in rows and columns."""
    columns = math.ceil(math.sqrt(count))
    cell = SIDE / columns
    rows = math.ceil(count / columns)
    layers = []
    for number, name in zip(range(count), list(PRODUCTS) * 2, strict=False):
        row, column = divmod(number, columns)
        center = (column + 0.5) * cell, (row + 0.5) * SIDE / rows
        layers.append(_put(name, SIDE, 0.72 * cell, center))
    return on_studio(layers, SIDE)


def disc() -> np.ndarray:
    """A ball: the shortest edge that an area can have."""
    return on_studio([_solid(lambda alpha: cv2.circle(alpha, (1024, 1024), 620, 1.0, -1, cv2.LINE_AA))], SIDE)


def bicycle() -> np.ndarray:
    """Two wheels with 36 spokes each, and a frame between them."""

    def draw(alpha: np.ndarray) -> None:
        hubs = (560, 1240), (1490, 1240)
        for hub in hubs:
            cv2.circle(alpha, hub, 400, 1.0, 26, cv2.LINE_AA)
            for angle in np.linspace(0, 2 * np.pi, 36, endpoint=False):
                rim = int(hub[0] + 400 * np.cos(angle)), int(hub[1] + 400 * np.sin(angle))
                cv2.line(alpha, hub, rim, 1.0, 4, cv2.LINE_AA)
        saddle, bars, pedals = (860, 700), (1340, 660), (1010, 1240)
        for a, b in ((saddle, pedals), (saddle, bars), (bars, pedals), (hubs[0], pedals), (hubs[0], saddle)):
            cv2.line(alpha, a, b, 1.0, 30, cv2.LINE_AA)
        cv2.line(alpha, bars, hubs[1], 1.0, 30, cv2.LINE_AA)

    return on_studio([_solid(draw)], SIDE)


def hair() -> np.ndarray:
    """A head with long hair all around it."""
    head = _solid(lambda alpha: cv2.circle(alpha, (1024, 900), 420, 1.0, -1, cv2.LINE_AA))
    for seed in (1, 4, 7):  # those draw long strands
        head = strands.hair(head, np.random.default_rng(seed))
    return on_studio([head], SIDE)


def on_studio(layers: list[c.Layer], side: int) -> np.ndarray:
    """The layers on a studio's background, with their shadow and a camera's grain."""
    rng = np.random.default_rng(3)
    background = c.studio(side, rng)
    for layer in layers:
        background = c.shadow(background, layer.alpha, rng)
    picture, _ = c.over(layers, background)
    return np.clip(picture + rng.normal(0, 0.01, (side, side, 1)), 0, 1).astype(np.float32)


def _put(name: str, side: int, length: float, center: tuple[float, float]) -> c.Layer:
    rng = np.random.default_rng(5)
    return c.put(render_product(name, rng, min(960, max(256, int(length)))), side, rng, length, center, 0.0)


def _solid(draw: Callable[[np.ndarray], Any]) -> c.Layer:
    """A shape, drawn at twice the size, in a colour that changes with the light on it."""
    large = np.zeros((2 * SIDE, 2 * SIDE), np.float32)
    draw(large)
    ys, xs = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE
    light = (1.1 - 0.8 * np.hypot(xs - 0.35, ys - 0.3))[..., None]
    color = np.clip(np.array([0.55, 0.2, 0.12], np.float32) * light, 0, 1)
    return c.Layer(color.astype(np.float32), cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def scenes(quick: bool) -> dict[str, dict[str, Drawn]]:
    """Curve -> scene -> what draws it."""
    sizes, counts = (MEGAPIXELS[:2], SUBJECTS[:2]) if quick else (MEGAPIXELS, SUBJECTS)
    return {
        "size": {f"{size:g} MP": lambda size=size: product(round(SIDE * math.sqrt(size))) for size in sizes},
        "subjects": {f"{count}": lambda count=count: products(count) for count in counts},
        "boundary": {"disc": disc, "bicycle": bicycle, "long hair": hair},
    }


def measured(path: str, rounds: int, results: mp.Queue) -> None:
    """What a scene costs, in this process, which does nothing else."""
    import torch
    from limit import ready

    from hairline.stages.base import run_stage
    from hairline.stages.item import Item

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    stages, data = ready("cutout"), Path(path).read_bytes()
    found: list[dict[str, float]] = []
    for _ in range(1 + rounds):  # the first loads and compiles
        item, spent = Item("scene", "", data=data), {}
        for stage in stages:
            started = time.process_time()
            run_stage(stage, [item])
            spent[stage.name] = 1000 * (time.process_time() - started)
        found.append(spent)
    assert not item.ended, f"the scene ended as {item.reason}"
    alpha = item.alpha
    results.put(
        {
            "subjects": sum(box.label == "subject" for box in item.boxes),
            "edge_share": round(float(((alpha > 0) & (alpha < 255)).mean()), 4),
            "core_ms": spread([sum(each.values()) for each in found[1:]], 1),
            "stage_ms": {name: round(min(each[name] for each in found[1:]), 2) for name in found[0]},
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        }
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round; small and few")
    args = parser.parse_args()
    exits_when_stopped()
    context, found = mp.get_context("spawn"), {}
    with tempfile.TemporaryDirectory(prefix="hairline-curves-") as folder:
        for curve, drawn in scenes(args.quick).items():
            found[curve] = []
            for scene, draw in drawn.items():
                picture = (draw()[..., ::-1] * 255).astype(np.uint8)
                path = Path(folder, f"{curve}-{scene}.jpg")
                cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 92])
                results = context.Queue()
                given = str(path), 1 if args.quick else args.rounds, results
                process = context.Process(target=measured, args=given, daemon=True)
                process.start()
                while not results.qsize():
                    process.join(0.5)
                    if process.exitcode:
                        sys.exit(f"{curve}, {scene}: measuring it ended with {process.exitcode}")
                row = {"scene": scene, "megapixels": round(picture[..., 0].size / 2**20, 2), **results.get()}
                process.join()
                found[curve].append(row)
                print(f"{curve}, {scene}: {row['core_ms']['median']:.0f} core-ms, {row['peak_mib']} MiB", flush=True)
    return record(found)


if __name__ == "__main__":
    sys.exit(main())
