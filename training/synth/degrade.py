"""Defects with ordered severities, for the quality classes: what goes wrong between the subject and the file.

Severity 0 leaves a picture as it is; 1 is noticed when compared, 2 is plain to see, 3 spoils the picture for a
catalog, 4 leaves little to use. Pictures are float32 [H, W, 3], 0..1, sRGB; lengths scale with the long side.
Covers exposure, blur, resolution, noise, contrast; things in front of the subject are in `occlude.py`.
"""

from __future__ import annotations

import cv2
import numpy as np

from .composite import F32, Rng

SEVERITIES = 5
REFERENCE = 512  # long side that the lengths below are stated for, pixels

# ranges by severity 1..4
DARK_STOPS = ((0.7, 1.2), (1.8, 2.5), (3.0, 3.8), (4.4, 6.5))
OVER_STOPS = ((0.5, 0.8), (1.1, 1.6), (2.0, 2.7), (3.2, 4.5))
DEFOCUS_RADIUS = ((0.8, 1.2), (1.9, 2.7), (4.0, 6.0), (8.0, 14.0))
MOTION_LENGTH = ((3.0, 4.0), (6.0, 9.0), (13.0, 20.0), (26.0, 44.0))
SHRINK = ((1.4, 1.7), (2.3, 3.0), (4.5, 6.0), (8.0, 14.0))
NOISE_SIGMA = ((0.012, 0.02), (0.035, 0.055), (0.08, 0.12), (0.16, 0.26))
CONTRAST = ((0.55, 0.7), (0.3, 0.4), (0.12, 0.18), (0.0, 0.05))


def to_linear(picture: F32) -> F32:
    """sRGB to linear light, both 0..1 (IEC 61966-2-1)."""
    low = picture / 12.92
    return np.where(picture <= 0.04045, low, ((picture + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_srgb(light: F32) -> F32:
    """Linear light to sRGB, clipped to 0..1."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


def underexpose(picture: F32, severity: int, rng: Rng) -> F32:
    """Less light, and with it the sensor's noise in the shadows and black that nothing comes back from."""
    if not severity:
        return picture
    light = to_linear(picture) * 2.0 ** -_draw(DARK_STOPS, severity, rng)
    read = rng.uniform(0, 0.0025)
    light = light + rng.normal(0, 1, light.shape) * np.sqrt(read**2 + light * rng.uniform(0, 2e-4))
    return to_srgb(light - rng.uniform(0, 0.002))


def overexpose(picture: F32, severity: int, rng: Rng) -> F32:
    """More light than the file holds: every channel clips by itself, as in a sensor."""
    if not severity:
        return picture
    return to_srgb(to_linear(picture) * 2.0 ** _draw(OVER_STOPS, severity, rng))


def blur(picture: F32, severity: int, rng: Rng) -> F32:
    """Out of focus, moved, or enlarged from too few pixels."""
    if not severity:
        return picture
    return (defocus, motion, low_resolution)[rng.choice(3, p=(0.45, 0.3, 0.25))](picture, severity, rng)


def defocus(picture: F32, severity: int, rng: Rng) -> F32:
    """A disk of confusion, in linear light, so that highlights spread as they do in a lens."""
    if not severity:
        return picture
    return _spread(picture, _disk(picture, severity, rng))


def motion(picture: F32, severity: int, rng: Rng) -> F32:
    """The camera or the subject moved along a slightly bent line during the exposure."""
    if not severity:
        return picture
    length = _draw(MOTION_LENGTH, severity, rng) * _scale(picture)
    angle, bend = rng.uniform(0, np.pi), rng.normal(0, 0.15)
    along = np.linspace(-0.5, 0.5, 65)
    xs = length * (along * np.cos(angle) - bend * (along**2) * np.sin(angle))
    ys = length * (along * np.sin(angle) + bend * (along**2) * np.cos(angle))
    reach = int(np.ceil(max(abs(xs).max(), abs(ys).max()))) + 1
    path = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    points = np.round(np.stack([xs + reach, ys + reach], -1) * 16).astype(np.int32)
    cv2.polylines(path, [points], False, 1.0, 1, cv2.LINE_AA, 4)
    return _spread(picture, path)


def low_resolution(picture: F32, severity: int, rng: Rng) -> F32:
    """Shrunk and enlarged again, by any of the usual interpolations."""
    if not severity:
        return picture
    height, width = picture.shape[:2]
    factor = _draw(SHRINK, severity, rng) * _scale(picture)
    size = (max(4, round(width / factor)), max(4, round(height / factor)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    how = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)[rng.choice(3, p=(0.48, 0.48, 0.04))]
    return np.clip(cv2.resize(small, (width, height), interpolation=how), 0, 1)


def noise(picture: F32, severity: int, rng: Rng) -> F32:
    """Sensor noise: grain in luminance and, coarser, in colour."""
    if not severity:
        return picture
    sigma = _draw(NOISE_SIGMA, severity, rng)
    height, width = picture.shape[:2]
    grain = rng.normal(0, 1, (height, width, 1))
    half = rng.normal(0, 1, ((height + 1) // 2, (width + 1) // 2, 3)).astype(np.float32)
    colour = cv2.resize(half, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(picture + sigma * (0.9 * grain + rng.uniform(0.2, 0.9) * colour), 0, 1).astype(np.float32)


def low_information(picture: F32, severity: int, rng: Rng) -> F32:
    """Haze, glare or a lens cap: the picture fades into one colour or a gradient until nothing is left."""
    if not severity:
        return picture
    keep = _draw(CONTRAST, severity, rng)
    height, width = picture.shape[:2]
    towards = picture.mean((0, 1)) if rng.random() < 0.5 else np.repeat(rng.uniform(0.02, 1), 3)
    veil = np.broadcast_to(towards, picture.shape).astype(np.float32)
    if rng.random() < 0.4:
        corners = np.clip(towards + rng.normal(0, 0.06, (2, 2, 3)), 0, 1).astype(np.float32)
        veil = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(picture * keep + veil * (1 - keep), 0, 1).astype(np.float32)


def on_subject(before: F32, after: F32, alpha: F32, spread: float = 0.0) -> F32:
    """The changed picture where the subject is, the unchanged one around it.

    Args:
        alpha: float32 [H, W], 0..1.
        spread: standard deviation, pixels, by which the change reaches over the edge (a blurred subject's does).
    """
    soft = cv2.GaussianBlur(alpha, (0, 0), spread) if spread > 0 else alpha
    return (before + (after - before) * soft[..., None]).astype(np.float32)


def bokeh(picture: F32, alpha: F32, rng: Rng) -> F32:
    """A correct picture with its background out of focus; the subject (alpha float32 [H, W]) stays sharp."""
    severity = int(rng.integers(2, 5))
    clear = (1 - alpha)[..., None]
    # The background is blurred alone, or the subject's colours would glow around it.
    kernel = _disk(picture, severity, rng)
    behind = cv2.filter2D(to_linear(picture) * clear, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT_101)
    share = cv2.filter2D(clear, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT_101)[..., None]
    return (picture * (1 - clear) + to_srgb(behind / np.maximum(share, 0.02)) * clear).astype(np.float32)


def _disk(picture: F32, severity: int, rng: Rng) -> F32:
    radius = _draw(DEFOCUS_RADIUS, severity, rng) * _scale(picture)
    reach = int(np.ceil(radius)) + 1
    ys, xs = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = np.clip(radius + 0.5 - np.hypot(xs, ys), 0, 1).astype(np.float32)
    return disk / disk.sum()  # type: ignore[no-any-return]


def _spread(picture: F32, kernel: F32) -> F32:
    light = to_linear(picture)
    return to_srgb(cv2.filter2D(light, cv2.CV_32F, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101))


def _draw(ranges: tuple[tuple[float, float], ...], severity: int, rng: Rng) -> float:
    return float(rng.uniform(*ranges[severity - 1]))


def _scale(picture: F32) -> float:
    return max(picture.shape[:2]) / REFERENCE
