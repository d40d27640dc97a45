"""Public test sets of matting and segmentation as their authors hand them out: where pictures, mattes and trimaps lie.

| name | set | published figures |
| --- | --- | --- |
| p3m500-np, p3m500-p | portraits of P3M-10k (Li, Ma, Zhang, Tao, "Privacy-Preserving Portrait Matting", ACM MM 2021) | SAD, MSE, MAD (our `mae`), Grad, Conn of the whole picture, SAD-T of the trimap's band |
| aim500 | natural pictures (Li, Zhang, Tao, "Deep Automatic Natural Image Matting", IJCAI 2021) | the same |
| am2k | animals, its validation part (Li, Zhang, Maybank, Tao, "Bridging Composite and Real", IJCV 2022) | the same |
| dis-vd | DIS5K's validation part (Qin et al., "Highly Accurate Dichotomous Image Segmentation", ECCV 2022) | max-F, weighted F, MAE, S, mean E: `saliency` |
"""  # noqa: E501  (a table)

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..stages.documents import did_you_mean
from ..stages.errors import HairlineError
from . import read
from .pairs import Pair

# Its bounds on NumPy and OpenCV exclude ours, with which it runs; so no extra can bring it.
SALIENCY = "pip install 'hairline-matting[training]', then pip install --no-deps pysodmetrics"


class Layout(NamedTuple):
    """Where a set keeps what: its folder within the archive, from the outermost on, and the folders in that."""

    within: tuple[str, ...]
    pictures: str
    truth: str
    trimap: str | None = None
    saliency: bool = False


class Parts(NamedTuple):
    """The folders of a set that is there."""

    pictures: Path
    truth: Path
    trimap: Path | None
    saliency: bool


LAYOUTS = {
    "p3m500-np": Layout(("P3M-10k", "validation", "P3M-500-NP"), "original_image", "mask", "trimap"),
    "p3m500-p": Layout(("P3M-10k", "validation", "P3M-500-P"), "blurred_image", "mask", "trimap"),
    "aim500": Layout(("AIM-500",), "original", "mask", "trimap"),
    "am2k": Layout(("AM-2k", "validation"), "original", "mask", "trimap"),
    "dis-vd": Layout(("DIS5K", "DIS-VD"), "im", "gt", saliency=True),
}


def find(name: str, folder: Path) -> Parts:
    """The parts of a set in a folder: what holds its archive, the archive's own folder, or one further inside.

    Raises:
        HairlineError: an unknown name, or the set is not there; says what was looked for.
    """
    if name not in LAYOUTS:
        raise HairlineError(f"--dataset: {name!r} is no set that is known{did_you_mean(name, LAYOUTS)}")
    layout = LAYOUTS[name]
    for start in range(len(layout.within) + 1):
        inside = folder.joinpath(*layout.within[start:])
        if (inside / layout.pictures).is_dir() and (inside / layout.truth).is_dir():
            trimap = inside / layout.trimap if layout.trimap and (inside / layout.trimap).is_dir() else None
            return Parts(inside / layout.pictures, inside / layout.truth, trimap, layout.saliency)
    wanted = "/".join((*layout.within, f"{{{layout.pictures}, {layout.truth}}}"))
    raise HairlineError(f"{folder} does not hold {name}: looked for {wanted} there, and for its inner folders")


def saliency(pairs: list[Pair]) -> dict[str, float]:
    """The figures that sets of salient and dichotomous segmentation are published with, by PySODMetrics.

    Returns:
        `max_f` (of the mean curve over the pictures, beta² = 0.3), `weighted_f` (Margolin, Zelnik-Manor, Tal 2014),
        `s_measure` (Fan et al. 2017), `mean_e` (Fan et al. 2018), in 0..1.

    Raises:
        HairlineError: PySODMetrics is not installed, or a file cannot be read.
    """
    try:
        sod = import_module("py_sod_metrics")
    except ImportError as error:
        raise HairlineError(f"the figures of this set need PySODMetrics: {SALIENCY}") from error
    measures: dict[str, Any] = {
        "f": sod.Fmeasure(beta=0.3),
        "w": sod.WeightedFmeasure(),
        "s": sod.Smeasure(),
        "e": sod.Emeasure(),
    }
    for pair in pairs:
        truth = _grey(pair.truth)
        predicted = _grey(pair.predicted) if pair.predicted else truth * 0
        for measure in measures.values():
            measure.step(pred=predicted, gt=truth)
    found = {
        "max_f": measures["f"].get_results()["fm"]["curve"].max(),
        "weighted_f": measures["w"].get_results()["wfm"],
        "s_measure": measures["s"].get_results()["sm"],
        "mean_e": measures["e"].get_results()["em"]["curve"].mean(),
    }
    return {name: round(float(value), 4) for name, value in found.items()}


def _grey(path: Path) -> NDArray[np.uint8]:
    return np.rint(read.matte(path) * 255).astype(np.uint8)
