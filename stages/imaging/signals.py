"""Cheap measures of a picture's exposure, clipping, sharpness and information, on the frame and on the subject.

The subject is not segmented yet when these are taken, so it is estimated: on a plain background it is what
differs from the background, elsewhere it is the detailed area near the centre. That is enough to keep a pure
white backdrop from reading as over-exposure and a soft background from reading as blur. It is no mask.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..decode.picture import ANALYSIS_SIDE

F32 = NDArray[Any]  # float32
Image = NDArray[Any]  # uint8

TILE = 32  # side of a sharpness tile, pixels
GRID = 128  # long side at which the subject is estimated

WINDOWS = (9, 21)  # sides of the windows in which edges are measured, pixels
STEPS = (10, 30, 50, 70, 90, 97)  # percentiles of the edges' steepness
BANDS = 5  # octaves whose energy is measured

_code = np.arange(256, dtype=np.float64) / 255
LINEAR = np.where(_code <= 0.04045, _code / 12.92, ((_code + 0.055) / 1.055) ** 2.4).astype(np.float32)  # sRGB to light
CLIPPED_LOW, CLIPPED_HIGH = (np.arange(256) <= 2).astype(np.uint8), (np.arange(256) >= 253).astype(np.uint8)
LUMINANCE = np.array([[0.2126, 0.7152, 0.0722]], np.float32)
CHANNEL_SUM = np.ones((1, 3), np.float32)

NAMES = (
    "frame_mean", "frame_p05", "frame_p50", "frame_p95", "frame_clip_low", "frame_clip_high", "frame_entropy",
    "subject_mean", "subject_p05", "subject_p50", "subject_p95", "subject_clip_low", "subject_clip_high",
    "subject_entropy", "frame_sharpness", "subject_sharpness", "subject_sharpness_axis", "subject_sharpness_half",
    "detail", "noise", "plain_background", "subject_area", "side",
    *(f"edge_{window}_{step}" for window in WINDOWS for step in STEPS),
    *(f"band_{octave}_{of}" for octave in range(BANDS) for of in ("mean", "peak")),
)  # fmt: skip


def measure(rgb: Image, matte: Image | None = None) -> dict[str, float]:
    """All measures of one picture.

    Args:
        rgb: uint8 [h, w, 3], sRGB, long side at most `ANALYSIS_SIDE`.
        matte: uint8, of any size, the subject where it is known; else it is estimated.

    Returns:
        The measures by the names in `NAMES`, each given for the `frame` and for the estimated `subject`:

        - mean, p05, p50, p95: luminance in linear light, 0..1.
        - clip_low, clip_high: share of pixels with any channel at the end of its range (the mean over the three
          channels), 0..1.
        - entropy: of the luma's histogram in 64 steps, bits, 0..6.
        - sharpness: 0 (blurred) .. about 0.8 (crisp); what the sharpest part loses when blurred once more.
          `_axis` is the worse of the two axes (motion blur), `_half` the same at half size (strong blur).
        - detail: share of tiles with structure above the noise. noise: standard deviation, 0..1 of full scale.
        - side: the long side as a share of `ANALYSIS_SIDE`; sharpness is to be read with it.
        - edge_W_P: percentile P of how steep the subject's edges are, 0..1, in windows of W pixels.
        - band_K_mean, _peak: the subject's energy in octave K, from the finest, on average and in its liveliest tenth,
          logarithmic: 0 is 1e-8, 1 full scale.
        - plain_background: share of the border that one smooth colour explains. subject_area: 0..1.
    """
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    noise = noise_level(luma)
    grid = (max(1, round(luma.shape[1] / TILE)), max(1, round(luma.shape[0] / TILE)))
    energy, sharp, axis = tile_sharpness(luma, noise, grid)
    half = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) if min(luma.shape) >= 4 else luma
    _, sharp_half, _ = tile_sharpness(half, noise / 2, grid)
    weight, plain = subject_weight(rgb, energy)
    if matte is not None:
        weight = cv2.resize(matte, weight.shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    full = cv2.resize(weight, luma.shape[::-1], interpolation=cv2.INTER_LINEAR)

    # Every second pixel is exact enough for shares and percentiles, where averaging would hide clipping.
    pixels, grey = rgb[::2, ::2], luma[::2, ::2]
    light = cv2.transform(cv2.LUT(pixels, LINEAR), LUMINANCE)
    clipped = [cv2.transform(cv2.LUT(pixels, table), CHANNEL_SUM) for table in (CLIPPED_LOW, CLIPPED_HIGH)]
    weight = cv2.resize(weight, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    tiles = cv2.resize(weight, energy.shape[::-1], interpolation=cv2.INTER_AREA)
    structured = energy > 0
    found = {
        "noise": noise,
        "side": max(luma.shape) / ANALYSIS_SIDE,
        "detail": float(structured.mean()),
        "plain_background": plain,
        "subject_area": float(weight.mean()),
    }
    for part, shares in (("frame", np.ones_like(weight)), ("subject", weight)):
        found |= {f"{part}_{name}": value for name, value in _exposure(light, grey, clipped, shares).items()}
    found["frame_sharpness"] = _sharpest(sharp, structured.astype(np.float32))
    found["subject_sharpness"] = _sharpest(sharp, structured * tiles)
    found["subject_sharpness_axis"] = _sharpest(axis, structured * tiles)
    found["subject_sharpness_half"] = _sharpest(sharp_half, structured * tiles)
    found |= edge_steepness(luma, full) | octaves(luma, full, grid)
    return {name: found[name] for name in NAMES}


def edge_steepness(luma: Image, weight: F32) -> dict[str, float]:
    """How much of the contrast in a window lies between two neighbouring pixels: 1 a hard edge, 0.1 a soft one.

    Unlike sharpness it does not depend on how much structure there is, only on how the strongest edges look.

    Args:
        luma: uint8 [h, w]. weight: float32 [h, w], the subject.
    """
    image = luma.astype(np.float32) / 255
    x, y = (cv2.Sobel(image, cv2.CV_32F, dx, dy, ksize=1) for dx, dy in ((1, 0), (0, 1)))
    slope = np.sqrt(x * x + y * y) / 2  # cv2.magnitude's last bit depends on where its input lies in memory
    found: dict[str, float] = {}
    for window in WINDOWS:
        kernel = np.ones((window, window), np.uint8)
        contrast = (cv2.dilate(image, kernel) - cv2.erode(image, kernel))[::4, ::4]
        clear = contrast > 0.15
        steep = np.where(clear, cv2.dilate(slope, kernel)[::4, ::4] / np.maximum(contrast, 1e-3), 0)
        shares = _percentiles(np.minimum(steep, 1), clear * weight[::4, ::4], STEPS)
        found |= {f"edge_{window}_{step}": share for step, share in zip(STEPS, shares, strict=True)}
    return found


def octaves(luma: Image, weight: F32, grid: tuple[int, int]) -> dict[str, float]:
    """The subject's energy octave by octave: blur takes the fine ones, a flat subject has none in any.

    Args:
        luma: uint8 [h, w]. weight: float32 [h, w], the subject. grid: tiles (columns, rows).
    """
    image: F32 = luma.astype(np.float32) / 255
    found: dict[str, float] = {}
    tiles = _pool(weight, grid)
    for octave in range(BANDS):
        smooth = cv2.GaussianBlur(image, (5, 5), 1.0)
        band = (image - smooth) ** 2
        shares = cv2.resize(weight, band.shape[::-1], interpolation=cv2.INTER_AREA)
        mean = float((band * shares).sum() / max(float(shares.sum()), 1e-6))
        (peak,) = _percentiles(_pool(band, grid), tiles, (90,))
        for of, value in (("mean", mean), ("peak", peak)):
            found[f"band_{octave}_{of}"] = float(np.log10(1e-8 + min(value, 1.0)) / 8 + 1)
        image = smooth[::2, ::2]
    return found


def noise_level(luma: Image) -> float:
    """Standard deviation of the noise, 0..1 of full scale, from the flattest quarter of the picture.

    Immerkær, "Fast Noise Variance Estimation" (1996): a mask that no plane and no straight edge answers to.
    """
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    answer = np.abs(cv2.filter2D(luma, cv2.CV_32F, mask))
    usable = cv2.inRange(luma, 5, 250).astype(np.float32) / 255  # clipped areas carry no noise
    grid = (max(1, luma.shape[1] // TILE), max(1, luma.shape[0] // TILE))
    share = _pool(usable, grid)
    trusted = (_pool(answer * usable, grid) / np.maximum(share, 1e-3))[share > 0.5]
    return float(np.quantile(trusted, 0.1) * np.sqrt(np.pi / 2) / 6 / 255) if trusted.size else 0.0


def tile_sharpness(luma: Image, noise: float, grid: tuple[int, int]) -> tuple[F32, F32, F32]:
    """Gradient energy and sharpness of each tile of a grid (columns, rows).

    Sharpness compares the gradients with those after one more blur (Crete et al., "The Blur Effect", 2007), here
    as energies, so that the noise's known share can be taken out of both.

    Returns:
        (energy, sharpness, axis sharpness), float32 [rows, columns]; energy is 0 where nothing rises above
        the noise; axis sharpness is that of the worse of x and y.
    """
    image = luma.astype(np.float32) / 255
    blurred = cv2.GaussianBlur(image, (5, 5), 1.0)
    sigma2 = noise * noise
    sharp, energy = [], []
    for dx, dy in ((1, 0), (0, 1)):
        fine = _pool(cv2.Sobel(image, cv2.CV_32F, dx, dy, ksize=1) ** 2, grid) - 2.0 * sigma2
        coarse = _pool(cv2.Sobel(blurred, cv2.CV_32F, dx, dy, ksize=1) ** 2, grid) - 0.11 * sigma2
        fine, coarse = np.maximum(fine, 1e-9), np.maximum(coarse, 1e-9)
        energy.append(fine)
        sharp.append(fine - coarse)
    total = energy[0] + energy[1]
    floor = 6e-5 + 4 * sigma2  # a tile of a step of 2% across its whole width
    ratio = np.clip((sharp[0] + sharp[1]) / total, 0, 1)
    each = [np.where(e > 0.03 * total, np.clip(s / e, 0, 1), 1) for e, s in zip(energy, sharp, strict=True)]
    return np.where(total > floor, total, 0).astype(np.float32), ratio, np.minimum(each[0], each[1])


def subject_weight(rgb: Image, energy: F32) -> tuple[F32, float]:
    """Where the subject probably is, without a network.

    Args:
        rgb: uint8 [h, w, 3].
        energy: float32, the tiles' gradient energy, 0 where there is no structure.

    Returns:
        Weight float32 [h', w'], 0..1, long side at most `GRID`, and the share of the border that one smooth colour
        explains, 0..1. On a plain background the weight is the area that differs from it and is cut off from the
        border; elsewhere detail times nearness to the centre.
    """
    scale = min(1.0, GRID / max(rgb.shape[:2]))
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    lab = cv2.cvtColor(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    ys, xs = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j].astype(np.float32)
    plain = 0.0
    if min(size) >= 8:
        difference, plain, tolerance = _from_border(lab, xs, ys)
        if plain > 0.6:
            background = _touching_border(difference < tolerance)
            subject = cv2.morphologyEx((~background).astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
            if 0.002 < subject.mean() < 0.98:
                return subject.astype(np.float32), plain
    centre = np.exp(-(xs**2 + ys**2) / (2 * 0.55**2))
    strength = np.sqrt(energy)
    detail = np.clip(strength / max(float(np.quantile(strength, 0.9)), 1e-6), 0, 1)
    return centre * (0.1 + 0.9 * cv2.resize(detail, size, interpolation=cv2.INTER_LINEAR)), plain


def _from_border(lab: F32, xs: F32, ys: F32) -> tuple[F32, float, float]:
    """Distance of every pixel from a quadratic colour surface through the border, its inlier share, a tolerance."""
    terms = np.stack([np.ones_like(xs), xs, ys, xs * ys, xs * xs, ys * ys], -1)
    edge = np.zeros(xs.shape, bool)
    edge[:2], edge[-2:], edge[:, :2], edge[:, -2:] = True, True, True, True
    basis, colours = terms[edge], lab[edge]
    kept = np.linalg.norm(colours - np.median(colours, axis=0), axis=1) < 25
    surface = np.zeros((6, 3), np.float32)
    for _ in range(3):
        if kept.sum() < 20:
            return np.zeros_like(xs), 0.0, 0.0
        damping = 1e-3 * len(basis) * np.diag([0, 1, 1, 1, 1, 1])
        b = basis[kept]
        surface = np.linalg.solve(b.T @ b + damping, b.T @ colours[kept]).astype(np.float32)
        residual = np.linalg.norm(colours - basis @ surface, axis=1)
        kept = residual < 5
    spread = float(np.sqrt(np.mean(residual[kept] ** 2))) if kept.any() else 5.0
    return np.linalg.norm(lab - terms @ surface, axis=2), float(kept.mean()), float(np.clip(4 * spread, 3, 9))


def _touching_border(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The connected parts of a mask that touch the picture's border."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return np.isin(labels, border[border > 0])


def _exposure(light: F32, luma: Image, clipped: list[Image], weight: F32) -> dict[str, float]:
    """Luminance, clipping and entropy of the weighted pixels."""
    weights = weight.ravel()
    total = max(float(weights.sum()), 1e-6)
    # 256 steps in the square root of light: fine in the shadows, where exposure is judged.
    counts = np.bincount((np.sqrt(light) * 255.49).astype(np.uint8).ravel(), weights, 256)
    below = np.cumsum(counts) / total
    p05, p50, p95 = ((np.searchsorted(below, share) / 255) ** 2 for share in (0.05, 0.5, 0.95))
    shares = np.bincount((luma >> 2).ravel(), weights, 64) / total
    shares = shares[shares > 0]
    low, high = (float(np.dot(c.ravel(), weights)) / (3 * total) for c in clipped)
    return {
        "mean": float(np.dot(light.ravel(), weights)) / total,
        "p05": float(p05),
        "p50": float(p50),
        "p95": float(p95),
        "clip_low": low,
        "clip_high": high,
        "entropy": max(0.0, float(-(shares * np.log2(shares)).sum())),
    }


def _sharpest(sharpness: F32, weight: F32) -> float:
    """The weighted 80th percentile: a picture is as sharp as its sharpest fifth. 0 where nothing has structure."""
    return _percentiles(sharpness, weight, (80,))[0]


def _percentiles(values: F32, weight: F32, percents: tuple[int, ...]) -> list[float]:
    """Weighted percentiles; 0 where nothing has weight."""
    if not (weight > 0.02).any():
        return [0.0] * len(percents)
    order = np.argsort(values, axis=None)
    cumulative = np.cumsum(weight.ravel()[order])
    indices = np.searchsorted(cumulative, [percent / 100 * cumulative[-1] for percent in percents])
    return [float(v) for v in values.ravel()[order][np.minimum(indices, values.size - 1)]]


def _pool(image: Image, grid: tuple[int, int]) -> F32:
    """Means over the tiles of a grid (columns, rows)."""
    return cv2.resize(image, grid, interpolation=cv2.INTER_AREA)
