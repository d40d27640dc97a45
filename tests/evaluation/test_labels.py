"""Labels and scores: by hand, and against scikit-learn and scipy."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score, roc_auc_score

from hairline.evaluation import labels

RNG = np.random.default_rng(4)
TRUE = RNG.integers(0, 5, 400)
GIVEN = np.where(RNG.random(400) < 0.6, TRUE, RNG.integers(0, 5, 400))


def test_auc_counts_ties_half() -> None:
    assert labels.auc(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 0, 1, 1])) == 1
    assert labels.auc(np.array([0.4, 0.3, 0.2, 0.1]), np.array([0, 0, 1, 1])) == 0
    assert labels.auc(np.array([0.5, 0.5, 0.5]), np.array([0, 1, 1])) == 0.5
    assert labels.auc(np.array([0.1, 0.6, 0.6, 0.9]), np.array([0, 0, 1, 1])) == pytest.approx(3.5 / 4)
    assert np.isnan(labels.auc(np.array([0.1, 0.6]), np.array([1, 1])))


def test_f1_and_kappa() -> None:
    true, predicted = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 2, 2, 2])
    assert labels.macro_f1(predicted, true, 3) == pytest.approx((1 + 2 / 3 + 0.8) / 3)
    assert labels.kappa(true, true, 3) == 1
    assert labels.kappa(np.array([2, 2, 0, 0]), np.array([0, 0, 2, 2]), 3) == pytest.approx(-1)
    near, far = np.array([1, 0, 1, 2, 2, 2]), np.array([2, 0, 1, 2, 2, 2])
    assert labels.kappa(near, true, 3) > labels.kappa(far, true, 3)
    assert labels.kappa(near, true, 3, quadratic=False) == labels.kappa(far, true, 3, quadratic=False)


def test_calibration_error() -> None:
    sure = np.full(100, 0.95)
    assert labels.calibration_error(sure, np.arange(100) < 95) == pytest.approx(0)
    assert labels.calibration_error(sure, np.arange(100) < 50) == pytest.approx(0.45)
    assert labels.calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0


def test_as_scikit_learn_has_it() -> None:
    score = np.round(RNG.random(400) + 0.3 * (TRUE > 2), 1)  # with ties
    assert labels.auc(score, TRUE > 2) == pytest.approx(roc_auc_score(TRUE > 2, score))
    assert (labels.confusion(GIVEN, TRUE, 5) == confusion_matrix(TRUE, GIVEN)).all()
    assert labels.macro_f1(GIVEN, TRUE, 5) == pytest.approx(f1_score(TRUE, GIVEN, average="macro"))
    assert labels.kappa(GIVEN, TRUE, 5, quadratic=False) == pytest.approx(cohen_kappa_score(TRUE, GIVEN))
    assert labels.kappa(GIVEN, TRUE, 5) == pytest.approx(cohen_kappa_score(TRUE, GIVEN, weights="quadratic"))


def test_spearman_as_scipy_has_it() -> None:
    a = np.round(RNG.normal(size=200), 1)
    b = np.round(a + RNG.normal(size=200), 1)
    assert labels.spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert labels.spearman(a, np.exp(a)) == pytest.approx(1)
    assert np.isnan(labels.spearman(a, np.ones(200)))
