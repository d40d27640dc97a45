"""Signals on constructed pictures, where the right answer is known."""

import cv2
import numpy as np
import pytest
from skimage import data

from hairline.stages.imaging import signals


def photo(name: str = "astronaut") -> np.ndarray:
    return np.ascontiguousarray(getattr(data, name)()[..., :3])


def on(background: np.ndarray, subject: np.ndarray) -> np.ndarray:
    """The subject as a disk in the middle of the background."""
    height, width = background.shape[:2]
    ys, xs = np.mgrid[:height, :width]
    disk = np.clip(0.3 * min(height, width) - np.hypot(ys - height / 2, xs - width / 2), 0, 1)[..., None]
    return (background * (1 - disk) + cv2.resize(subject, (width, height)) * disk).astype(np.uint8)


@pytest.mark.parametrize("shape", [(1, 1), (1, 512), (512, 2), (3, 3), (7, 300), (33, 31), (511, 512)])
@pytest.mark.parametrize("level", [0, 128, 255, None])
def test_any_picture_has_finite_signals_in_their_ranges(shape: tuple[int, int], level: int | None) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    found = signals.measure(noise if level is None else np.full((*shape, 3), level, np.uint8))
    assert tuple(found) == signals.NAMES
    for name, value in found.items():
        assert 0 <= value <= (6 if "entropy" in name else 1 + 1e-6), name


def test_pure_white_background_is_no_overexposure() -> None:
    found = signals.measure(on(np.full((400, 512, 3), 255, np.uint8), photo()))
    assert found["frame_clip_high"] > 0.5
    assert found["subject_clip_high"] < 0.12
    assert found["plain_background"] > 0.95


def test_lit_subject_on_black_is_no_underexposure() -> None:
    found = signals.measure(on(np.zeros((400, 512, 3), np.uint8), photo()))
    assert found["frame_p50"] < 0.01
    assert found["subject_p95"] > 0.4
    assert found["subject_clip_low"] < 0.3 < found["frame_clip_low"]


def test_studio_gradient_counts_as_plain() -> None:
    ramp = np.linspace(120, 235, 512)[None, :, None] * np.linspace(0.8, 1, 400)[:, None, None]
    found = signals.measure(on(np.repeat(ramp, 3, 2).astype(np.uint8), photo("coffee")))
    assert found["plain_background"] > 0.9
    assert 0.15 < found["subject_area"] < 0.4  # the disk covers 0.22


def test_soft_background_is_no_blur_but_a_soft_subject_is() -> None:
    sharp = cv2.resize(photo("coffee"), (512, 341), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(sharp, (0, 0), 8)
    reference = signals.measure(sharp)["subject_sharpness"]
    assert signals.measure(on(soft, sharp))["subject_sharpness"] > 0.8 * reference
    assert signals.measure(soft)["subject_sharpness"] < 0.25 * reference


def test_sharpness_falls_with_every_step_of_blur_and_noise_does_not_restore_it() -> None:
    picture, rng = photo(), np.random.default_rng(1)
    steps = [picture] + [cv2.GaussianBlur(picture, (0, 0), sigma) for sigma in (1, 2, 4)]
    clean = [signals.measure(p)["subject_sharpness"] for p in steps]
    assert clean == sorted(clean, reverse=True) and clean[-1] < 0.2 * clean[0]
    grainy = [np.clip(p + rng.normal(0, 6, p.shape), 0, 255).astype(np.uint8) for p in steps]
    found = [signals.measure(p)["subject_sharpness"] for p in grainy]
    assert found[3] < 0.5 * found[0] and found[2] < 0.6 * found[0]


def test_motion_shows_on_its_axis() -> None:
    moved = cv2.blur(photo(), (21, 1))
    found = signals.measure(moved)
    assert found["subject_sharpness_axis"] < 0.7 * found["subject_sharpness"]


@pytest.mark.parametrize("sigma", [3, 8, 16])
def test_noise_level(sigma: float) -> None:
    flat = cv2.GaussianBlur(photo("coffee"), (0, 0), 3) // 2 + 60
    grainy = np.clip(flat + np.random.default_rng(2).normal(0, sigma, flat.shape[:2])[..., None], 0, 255)
    assert signals.noise_level(cv2.cvtColor(grainy.astype(np.uint8), cv2.COLOR_RGB2GRAY)) * 255 == pytest.approx(
        sigma, rel=0.25
    )


def test_exposure_is_measured_in_linear_light() -> None:
    found = signals.measure(np.full((64, 64, 3), 188, np.uint8))  # sRGB 188 is half the light of 255
    assert found["frame_mean"] == pytest.approx(0.5, abs=0.01)
    assert found["frame_p50"] == pytest.approx(0.5, abs=0.01)


def test_edges_and_fine_octaves_tell_blur_and_a_flat_subject_is_not_taken_for_blurred() -> None:
    sharp, soft = photo(), cv2.GaussianBlur(photo(), (0, 0), 3)
    crisp, dull = signals.measure(sharp), signals.measure(soft)
    for step in signals.STEPS:
        assert crisp[f"edge_9_{step}"] > 1.5 * dull[f"edge_9_{step}"]
    lost = [crisp[f"band_{octave}_mean"] - dull[f"band_{octave}_mean"] for octave in range(signals.BANDS)]
    assert lost[0] > 0.1 and lost == sorted(lost, reverse=True) and lost[-1] < 0.02
    flat = np.full((400, 512, 3), 240, np.uint8)
    cv2.rectangle(flat, (150, 100), (350, 300), (60, 90, 30), -1)
    assert signals.measure(flat)["edge_21_90"] > 0.4  # a plain box: little structure, but hard edges
