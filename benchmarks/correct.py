"""One stroke over a lost handle, one click on a wrong blob: how long until the matte is mended, and how well.

    python benchmarks/correct.py [--rounds N] [--url http://127.0.0.1:8000] [--sheet FILE]

Pictures of one megapixel: the demo's mug, handbag, chair and headphones, whose alpha is known, before the demo's wall.
A part of each alpha is taken away, or a blob is added; a correction mends it. Without --url the stages run in this
process; with it a running service is asked over HTTP, as the page asks it, upload, answer and all. Tells wall and CPU
seconds (of this process), the matte's error before and after in pixels, and whether what is not near the correction
stayed as it was, byte by byte. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import requests
from numpy.typing import NDArray

import hairline
from hairline.stages.correction import Point
from hairline.stages.imaging.png import encode_png

U8 = NDArray[np.uint8]
PICTURES = Path(hairline.__file__).resolve().parent.parent / "pipeline" / "demo_pictures"
SIDE = 1000
FAR = 0.1  # of the side: further from every mark and every change asked for nothing may change

HANDLE = [(705, 300), (760, 310), (800, 370), (818, 440), (800, 530), (760, 590), (705, 620)]
STRAP = [(370, 390), (385, 270), (440, 180), (510, 150), (580, 200), (620, 290), (640, 370)]
BAND = [(280, 480), (300, 270), (400, 150), (500, 140), (620, 230), (690, 360), (715, 520)]
LEG = [(275, 540), (258, 815)]
# name, enlargement, (part of the alpha that is lost) or (blob that is added), what is painted or clicked, brush
CASES: tuple[tuple[str, str, float, tuple[slice, slice] | None, tuple[int, int] | None, list[Point], int], ...] = (
    ("stroke over a lost handle", "mug", 2.6, np.s_[:, 722:], None, HANDLE, 24),
    ("click on a lost handle", "mug", 2.6, np.s_[:, 722:], None, [(818, 440)], 0),
    ("click on a wrong blob", "mug", 2.6, None, (900, 800), [(900, 800)], 0),
    ("click on a blob grown on", "mug", 2.6, None, (170, 800), [(120, 800)], 0),
    ("stroke over a lost strap", "handbag", 2.4, np.s_[:340], None, STRAP, 20),
    ("stroke over a lost leg", "chair", 2.0, np.s_[540:, :300], None, LEG, 14),
    ("stroke over a lost band", "headphones", 2.4, np.s_[:500], None, BAND, 30),
)
Mend = Callable[[U8, U8, list[Point], list[Point], U8 | None], U8]


def scene(name: str, scale: float) -> tuple[U8, U8]:
    """The subject before the wall, uint8 [SIDE, SIDE, 3], RGB, and its alpha."""
    subject = cv2.imread(str(PICTURES / f"{name}.webp"), cv2.IMREAD_UNCHANGED)
    subject = cv2.resize(subject, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    wall = cv2.imread(str(PICTURES / "empty_wall.jpg"))
    wall = cv2.resize(wall[:, : wall.shape[0]], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    height, width = subject.shape[:2]
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    place = np.s_[top : top + height, left : left + width]
    alpha = np.zeros((SIDE, SIDE), np.uint8)
    alpha[place] = subject[..., 3]
    share = subject[..., 3:].astype(np.float32) / 255
    wall[place] = wall[place] * (1 - share) + subject[..., :3] * share
    return np.ascontiguousarray(wall.clip(0, 255).astype(np.uint8)[..., ::-1]), alpha


def painted(line: Sequence[Point], width: int) -> U8:
    """White strokes, uint8 [SIDE, SIDE, 4]."""
    mask = cv2.polylines(np.zeros((SIDE, SIDE), np.uint8), [np.array(line, np.int32)], False, 255, width, cv2.LINE_AA)
    return np.dstack([np.full((SIDE, SIDE, 3), 255, np.uint8), mask])


def here() -> Mend:
    """The stages in this process, on one core."""
    cutter = hairline.Cutter(keep_rejects=True, threads=1)

    def mend(rgb: U8, alpha: U8, keep: list[Point], drop: list[Point], strokes: U8 | None) -> U8:
        return cutter.correct(rgb, alpha, keep=keep, drop=drop, strokes=strokes).alpha

    return mend


def over_http(url: str) -> Mend:
    """A service; the picture as a JPEG, as the page sends it."""
    session = requests.Session()

    def mend(rgb: U8, alpha: U8, keep: list[Point], drop: list[Point], strokes: U8 | None) -> U8:
        jpeg = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
        files = {"image_file": jpeg, "matte_file": encode_png(alpha)}
        if strokes is not None:
            files["strokes_file"] = encode_png(strokes)
        form = {"product": "alpha", "reject": "false", "keep": json.dumps(keep) if keep else ""}
        form["drop"] = json.dumps(drop) if drop else ""
        answer = session.post(f"{url}/v1/correct", files=files, data=form, timeout=120)
        answer.raise_for_status()
        return np.asarray(cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)

    return mend


def error(a: U8, b: U8) -> float:
    return float(np.abs(a.astype(int) - b).sum()) / 255


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--url", default="")
    parser.add_argument("--sheet", default="", help="a picture of each case before and after")
    options = parser.parse_args()
    mend = over_http(options.url.rstrip("/")) if options.url else here()
    rows, shown = [], []
    for told, name, scale, lost, blob, places, brush in CASES:
        rgb, truth = scene(name, scale)
        before = truth.copy()
        if lost is not None:
            before[lost] = 0
        if blob:
            cv2.circle(before, blob, 80, 255, -1)
        strokes = painted(places, brush) if brush else None
        keep, drop = ([], places) if blob else (places if not brush else [], [])
        wall, cpu, after = [], [], before
        for round_ in range(options.rounds + 1):  # the first one warms up
            start, spent = time.perf_counter(), time.process_time()
            after = mend(rgb, before, keep, drop, strokes)
            if round_:
                wall.append(time.perf_counter() - start)
                cpu.append(time.process_time() - spent)
        asked = (before != truth) | (strokes[..., 3] > 0 if strokes is not None else False)
        far = cv2.distanceTransform((~asked).astype(np.uint8), cv2.DIST_L2, 5) > FAR * SIDE
        row = {
            "case": told,
            "wall_s": round(float(np.median(wall)), 3),
            "cpu_s": round(float(np.median(cpu)), 3),
            "error_before": round(error(before, truth)),
            "error_after": round(error(after, truth)),
            "rest_identical": bool(np.array_equal(after[far], before[far])),
            "share_identical": round(float((after == before).mean()), 4),
        }
        rows.append(row)
        print(
            f"{told:28} wall {row['wall_s']:6.3f} s  cpu {row['cpu_s']:6.3f} s  error {row['error_before']:6} -> "
            f"{row['error_after']:6} px  rest {'as it was' if row['rest_identical'] else 'CHANGED'}",
            flush=True,
        )
        shown.append(np.hstack([(rgb * (0.25 + each[..., None] / 340)).astype(np.uint8) for each in (before, after)]))
    if options.sheet:
        cv2.imwrite(options.sheet, np.vstack([each[::3, ::3, ::-1] for each in shown]))
    print(json.dumps({"service": bool(options.url), "megapixels": SIDE * SIDE / 1e6, "cases": rows}))
    sys.exit(0 if all(row["rest_identical"] for row in rows) else 1)


if __name__ == "__main__":
    main()
