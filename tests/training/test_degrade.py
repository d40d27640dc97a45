"""Degradations: ordered by severity, seeded, and nothing at severity 0."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from skimage import data

from hairline.stages.imaging import signals
from hairline.training.synth import degrade, occlude


def picture() -> np.ndarray:
    return np.ascontiguousarray(cv2.resize(data.astronaut(), (384, 384), interpolation=cv2.INTER_AREA)) / np.float32(
        255
    )


def alpha() -> np.ndarray:
    shape = np.zeros((384, 384), np.float32)
    cv2.ellipse(shape, (190, 200), (90, 150), 0, 0, 360, 1.0, -1)
    return shape


def sharpness(rgb: np.ndarray) -> float:
    return signals.measure((rgb * 255).astype(np.uint8))["subject_sharpness"]


DEFECTS: dict[str, tuple[Callable, Callable[[np.ndarray], float]]] = {
    "underexpose": (degrade.underexpose, lambda rgb: -float(rgb.mean())),
    "overexpose": (degrade.overexpose, lambda rgb: float((rgb > 0.99).mean())),
    "defocus": (degrade.defocus, lambda rgb: -sharpness(rgb)),
    "noise": (degrade.noise, lambda rgb: float(np.abs(rgb - picture()).mean())),
    "low_information": (degrade.low_information, lambda rgb: -float(rgb.std((0, 1)).mean())),
    "motion": (degrade.motion, lambda rgb: float(np.abs(rgb - picture()).mean())),
    "low_resolution": (degrade.low_resolution, lambda rgb: float(np.abs(rgb - picture()).mean())),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_each_severity_is_worse_than_the_one_before(name: str) -> None:
    spoil, badness = DEFECTS[name]
    for seed in range(2):
        found = [spoil(picture(), severity, np.random.default_rng(seed)) for severity in range(degrade.SEVERITIES)]
        assert np.array_equal(found[0], picture())
        for rgb in found:
            assert rgb.shape == picture().shape and rgb.dtype == np.float32
            assert rgb.min() >= 0 and rgb.max() <= 1
        steps = [badness(rgb) for rgb in found]
        assert steps == sorted(steps) and len(set(steps)) == len(steps), steps


@pytest.mark.parametrize("severity", range(1, 5))
def test_occlusion_covers_the_share_it_states(severity: int) -> None:
    low, high = occlude.COVERED[severity - 1]
    objects = [np.dstack([data.coffee()[:200, :200], np.full((200, 200), 255, np.uint8)])]
    shares = []
    for seed in range(6):
        spoilt = occlude.occlude(picture(), alpha(), severity, np.random.default_rng(seed), objects)
        changed = np.abs(spoilt - picture()).max(2) > 0.03
        shares.append(float((changed * alpha()).sum() / alpha().sum()))
    # Shadows change more than is covered, watermarks cover in places: the median tells.
    assert 0.5 * low < np.median(shares) < min(1, 2.2 * high)


def test_decoys_leave_the_subject_alone() -> None:
    touched = 0
    for seed in range(6):
        spoilt = occlude.decoy(picture(), alpha(), np.random.default_rng(seed), [])
        changed = np.abs(spoilt - picture()).max(2) > 0.25
        touched += bool(changed.any())
        assert (changed * alpha()).sum() < 0.03 * alpha().sum()
    assert touched >= 3


def test_bokeh_blurs_the_background_only() -> None:
    soft = degrade.bokeh(picture(), alpha(), np.random.default_rng(0))
    inside = cv2.erode(alpha(), np.ones((9, 9))) > 0.99
    outside = cv2.dilate(alpha(), np.ones((9, 9))) < 0.01
    assert np.allclose(soft[inside], picture()[inside], atol=1e-3)
    assert np.abs(soft[outside] - picture()[outside]).mean() > 0.01
    assert cv2.Laplacian(soft, cv2.CV_32F)[outside].std() < 0.5 * cv2.Laplacian(picture(), cv2.CV_32F)[outside].std()


def test_same_seed_same_picture() -> None:
    for spoil, _ in DEFECTS.values():
        first, second = (spoil(picture(), 3, np.random.default_rng(5)) for _ in range(2))
        assert np.array_equal(first, second)


def test_light_goes_there_and_back() -> None:
    codes = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16, 1).repeat(3, 2)
    assert np.allclose(degrade.to_srgb(degrade.to_linear(codes)), codes, atol=1e-5)
