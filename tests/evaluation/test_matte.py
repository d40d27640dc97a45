"""Figures of mattes: by hand, and against scipy's filters, scikit-image's regions and scikit-learn's masks."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.measure import label
from sklearn.metrics import jaccard_score

from hairline.evaluation import matte


def square(side: int = 40, low: int = 10, high: int = 30, value: float = 1.0) -> np.ndarray:
    alpha = np.zeros((side, side), np.float32)
    alpha[low:high, low:high] = value
    return alpha


def test_the_truth_itself_is_without_error() -> None:
    found = matte.evaluate(square(), square())
    assert {"sad", "mse", "mae", "iou", "boundary_iou", "max_f"} <= set(found)
    for name, value in found.items():
        assert value == (1 if name in ("iou", "boundary_iou", "max_f") else 0), name


def test_sums_and_means_by_hand() -> None:
    truth, predicted = square(), square(value=0.75)
    found = matte.evaluate(predicted, truth)
    assert found["sad"] == pytest.approx(400 * 0.25 / 1000)
    assert found["mse"] == pytest.approx(400 * 0.25**2 / 1600)
    assert found["mae"] == pytest.approx(400 * 0.25 / 1600)
    assert found["iou"] == 1 and found["max_f"] == 1
    band = np.zeros((40, 40), bool)
    band[10:12, 5:15] = True  # ten of its pixels are inside
    found = matte.evaluate(predicted, truth, band)
    assert found["sad_band"] == pytest.approx(10 * 0.25 / 1000)
    assert found["mse_band"] == pytest.approx(10 * 0.25**2 / 20)
    with pytest.raises(ValueError, match="sizes"):
        matte.evaluate(predicted[:30], truth)


def test_band_is_around_edges_and_partial_pixels_only() -> None:
    band = matte.transition_band(square(200, 50, 150))
    assert band[50, 100] and band[48, 100] and band[52, 100]  # radius 2 around either side of the edge
    assert not band[46, 100] and not band[54, 100] and not band[100, 100] and not band[0, 0]
    soft = np.full((200, 200), 0.5, np.float32)
    assert matte.transition_band(soft).all()
    assert not matte.transition_band(np.zeros((200, 200), np.float32)).any()


def test_iou_as_scikit_learn_has_it_and_boundary_iou_by_hand() -> None:
    a, b = square() > 0, np.roll(square() > 0, 3, 0)
    assert matte.iou(a, b) == pytest.approx(jaccard_score(a.ravel(), b.ravel())) == pytest.approx(340 / 460)
    assert matte.iou(a & False, b & False) == 1
    # diagonal 56.6, 2% of it: rims of one pixel. 20 x 20 squares have 76 such pixels; shifted by 3 rows, the rims
    # share the 17 rows of both sides that overlap, less the two that are a corner row of one and a side of the other,
    # which are rim in both as well
    assert matte.boundary_iou(a, b) == pytest.approx(34 / (76 + 76 - 34))
    assert matte.boundary_iou(a, a) == 1
    whole = np.ones((40, 40), bool)
    assert matte.boundary_iou(whole, np.pad(whole[1:-1, 1:-1], 1)) == 0  # the picture's border is an outline


def test_max_f_by_hand() -> None:
    truth = square() > 0
    predicted = square(value=0.6)
    predicted[:5, :20] = 0.4  # 100 pixels too many below 0.4: the best threshold is above
    assert matte.max_f(predicted, truth) == 1
    predicted[:5, :20] = 0.9  # now they come first: 400 of 500 right at full recall
    assert matte.max_f(predicted, truth) == pytest.approx(1.3 * 0.8 / (0.3 * 0.8 + 1))
    assert matte.max_f(np.zeros((40, 40), np.float32), truth) == 0


def test_gradient_as_scipy_filters_it() -> None:
    rng = np.random.default_rng(0)
    predicted, truth = (gaussian_filter(rng.random((60, 80)), 1.5).astype(np.float32) for _ in range(2))

    def magnitude(alpha: np.ndarray) -> np.ndarray:
        x = np.arange(-4, 5)  # scipy's filters end at 4 pixels as ours and sum to 1; ours have an L2 norm of 1
        bell = np.exp(-(x**2) / (2 * 1.4**2))
        slope = x / 1.4**2 * bell / bell.sum()
        scale = np.linalg.norm(bell / bell.sum()) * np.linalg.norm(slope)
        parts = [
            gaussian_filter(alpha.astype(float), 1.4, order, mode="nearest", radius=4) for order in ((0, 1), (1, 0))
        ]
        return np.hypot(*parts) / scale

    expected = (magnitude(predicted) - magnitude(truth)) ** 2
    assert np.allclose(matte.gradient_error(predicted, truth), expected, atol=1e-5)
    assert expected.sum() > 0.1


def test_connectivity_by_hand() -> None:
    truth = square()
    truth[2:6, 2:6] = 0.5  # connected to nothing in the truth either, so half an alpha less is no loss of connection
    predicted = truth.copy()
    predicted[2:6, 2:6] = 1.0
    error = matte.connectivity_error(predicted, truth)
    # it is never part of the largest region: level 0, phi = 1 - 1 and 1 - 0.5
    assert error[3, 3] == pytest.approx(0.5) and error.sum() == pytest.approx(16 * 0.5)
    predicted = truth.copy()
    predicted[25:30, 10:30] = 0.5  # part of the large region up to 0.5: level 0.5; phi = 1 against 0.5
    error = matte.connectivity_error(predicted, truth)
    assert error[27, 20] == pytest.approx(0.5) and error[15, 20] == 0
    assert matte.connectivity_error(truth, truth).max() == 0


def test_regions_as_scikit_image_has_them() -> None:
    rng = np.random.default_rng(5)
    noise = gaussian_filter(rng.random((100, 100)), 2) > 0.5
    regions = label(noise, connectivity=1)
    largest = regions == 1 + np.bincount(regions.ravel())[1:].argmax()
    assert (matte._largest(noise) == largest).all()
    assert not matte._largest(noise & False).any()


def test_flaws_by_hand() -> None:
    truth = square(200, 50, 150)
    band = matte.transition_band(truth)  # two pixels around either side of the edge
    inside = 100 - 2 * 3
    predicted = truth.copy()
    predicted[60:70, 60:70] = 0.9  # a veil of 100 pixels
    predicted[90:100, 90:100] = 0.2  # a hole
    predicted[120, 60:63] = 0  # three pixels are none
    predicted[10:20, 10:20] = 0.8  # a speck
    predicted[145:160, 100:110] = 1  # too much, but no speck: it hangs on the subject
    found = matte.flaws(predicted, truth, band)
    assert found["holes"] == 1 and found["specks"] == 1
    assert found["interior_soft"] == pytest.approx((100 + 100 + 3) / inside**2)
    predicted[60:70, 60:70] = 254.9 / 255  # eight bits call that opaque
    assert matte.flaws(predicted, truth, band)["interior_soft"] == pytest.approx(103 / inside**2)
    assert matte.flaws(np.zeros_like(truth), np.zeros_like(truth), band) == {
        "interior_soft": 0,
        "holes": 0,
        "specks": 0,
    }
