"""Metrics against values that can be worked out by hand."""

import numpy as np
import pytest

from hairline.training import metrics


def test_auc_counts_ties_half() -> None:
    assert metrics.auc(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 0, 1, 1])) == 1
    assert metrics.auc(np.array([0.4, 0.3, 0.2, 0.1]), np.array([0, 0, 1, 1])) == 0
    assert metrics.auc(np.array([0.5, 0.5, 0.5]), np.array([0, 1, 1])) == 0.5
    assert metrics.auc(np.array([0.1, 0.6, 0.6, 0.9]), np.array([0, 0, 1, 1])) == pytest.approx(3.5 / 4)


def test_f1_and_kappa() -> None:
    true, predicted = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 2, 2, 2])
    assert metrics.macro_f1(predicted, true, 3) == pytest.approx((1 + 2 / 3 + 0.8) / 3)
    assert metrics.kappa(true, true, 3) == 1
    assert metrics.kappa(np.array([2, 2, 0, 0]), np.array([0, 0, 2, 2]), 3) == pytest.approx(-1)
    near, far = np.array([1, 0, 1, 2, 2, 2]), np.array([2, 0, 1, 2, 2, 2])
    assert metrics.kappa(near, true, 3) > metrics.kappa(far, true, 3)


def test_calibration_error() -> None:
    sure = np.full(100, 0.95)
    assert metrics.calibration_error(sure, np.arange(100) < 95) == pytest.approx(0)
    assert metrics.calibration_error(sure, np.arange(100) < 50) == pytest.approx(0.45)
