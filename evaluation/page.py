"""The page of `hairline evaluate --html`: the worst mattes first, beside the picture and the truth. Loads nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from ..stages.errors import HairlineError
from . import read
from .pairs import Pair

SIDE = 320  # longest side of a picture on the page, pixels
SHOWN = 60  # pictures on it
GROUND = (64, 190, 90)  # B, G, R: what cut-outs stand on; few subjects have this green
COLUMNS = ("sad", "sad_band", "iou", "boundary_iou", "interior_soft", "holes", "specks")


def write_page(path: Path, title: str, figures: dict[str, Any], pairs: list[Pair], pictures: dict[str, Path]) -> None:
    """Writes the page: means, means by category (the first folder of a name), and the pictures with the largest SAD
    against the subject's own size.

    Args:
        path: a new file; one that is there is only replaced if it is such a page.
        figures: of `metrics.mattes`, of the same pairs.
        pictures: the originals by name; without one, its mattes stand alone.

    Raises:
        HairlineError: something else stands at the path, or it cannot be written.
    """
    mark = '<meta name="generator" content="hairline evaluate">'
    if path.exists() and (path.is_dir() or mark not in path.read_text(encoding="utf-8", errors="replace")[:2000]):
        raise HairlineError(f"{path} is there and no page of hairline evaluate: give another name to --html")
    worst = sorted(pairs, key=lambda pair: -_share_wrong(figures["each"][pair.name], pair))[:SHOWN]
    environment = Environment(loader=PackageLoader("hairline.evaluation"), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template("mattes.html").render(
        mark=mark,
        title=title,
        count=len(pairs),
        columns=COLUMNS,
        mean=figures["mean"],
        categories=list(_by_category(figures["each"])),
        shown=[_shown(pair, figures["each"][pair.name], _original(pictures, pair.name)) for pair in worst],
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise HairlineError(f"--html {path}: cannot be written: {error.strerror}") from error


def _original(pictures: dict[str, Path], name: str) -> Path | None:
    """The picture of a truth, which may be called as a product is: `a.jpg.png` of `a.jpg`."""
    return pictures.get(name) or pictures.get(PurePosixPath(name).with_suffix("").as_posix())


def _share_wrong(figures: dict[str, float], pair: Pair) -> float:
    """SAD against the area of the true subject, so that large pictures are not worst for being large."""
    return 1000 * figures["sad"] / max(float(read.matte(pair.truth).sum(dtype=np.float64)), 1.0)


def _by_category(each: dict[str, dict[str, float]]) -> Iterator[tuple[str, int, dict[str, float]]]:
    def category(name: str) -> str:
        return name.split("/")[0] if "/" in name else ""

    names = sorted(each, key=category)
    for word, group in groupby(names, category):
        rows = [each[name] for name in group]
        if len(rows) < len(names):  # one category is no division
            yield word or "(none)", len(rows), {c: float(np.mean([row[c] for row in rows])) for c in COLUMNS}


def _shown(pair: Pair, figures: dict[str, float], picture: Path | None) -> dict[str, Any]:
    truth = read.matte(pair.truth)
    predicted = read.matte(pair.predicted) if pair.predicted else np.zeros_like(truth)
    tiles = []
    colours = None if picture is None else cv2.imread(str(picture), cv2.IMREAD_COLOR)
    if colours is not None:
        tiles.append(("picture", np.asarray(colours, np.uint8)))
        if colours.shape[:2] == truth.shape:
            alpha = predicted[..., None]
            tiles.append(("cut out", np.rint(colours * alpha + np.array(GROUND) * (1 - alpha)).astype(np.uint8)))
    tiles.append(("matte", np.rint(predicted * 255).astype(np.uint8)))
    tiles.append(("truth", np.rint(truth * 255).astype(np.uint8)))
    tiles.append(("too much red, too little blue", _difference(predicted - truth)))
    return {
        "name": pair.name,
        "missing": pair.predicted is None,
        "figures": figures,
        "tiles": [(word, _data_uri(pixels)) for word, pixels in tiles],
    }


def _difference(wrong: NDArray[np.float32]) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] B, G, R: white where right."""
    white = np.ones((*wrong.shape, 3), np.float32)
    white[..., :2] -= np.clip(wrong, 0, 1)[..., None]
    white[..., 1:] -= np.clip(-wrong, 0, 1)[..., None]
    return np.rint(np.clip(white, 0, 1) * 255).astype(np.uint8)


def _data_uri(pixels: NDArray[np.uint8]) -> str:
    factor = SIDE / max(pixels.shape[:2])
    if factor < 1:
        size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    done, file = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, 80])
    assert done, "a small array in memory can be encoded"
    return "data:image/webp;base64," + base64.b64encode(file.tobytes()).decode()
