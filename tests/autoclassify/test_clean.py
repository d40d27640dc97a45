"""Wrong labels in features that a head can learn: both detectors together find most of them and little else."""

import numpy as np
import pytest

from hairline.autoclassify.clean import detect, score
from hairline.autoclassify.heads import Recipe, fit, out_of_fold, predict


@pytest.fixture(scope="module")
def noisy() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features [600, 32] of four classes, true and given labels; a tenth of these is wrong."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 4, 600)
    features = (rng.standard_normal((4, 512)) * 0.45)[true] + rng.standard_normal((600, 512))
    given = true.copy()
    wrong = rng.permutation(600)[:60]
    given[wrong] = (true[wrong] + rng.integers(1, 4, 60)) % 4
    return features.astype(np.float16), true, given


def test_flipped_labels_are_found(noisy: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    features, true, given = noisy
    found, margin = out_of_fold(features, given, np.arange(600), 4, Recipe(epochs=15), repeats=1)
    assert (found.argmax(1) == true).mean() > 0.9
    shown, decided = detect(given, found, margin)
    wrong = given != true
    assert (wrong & shown).sum() / wrong.sum() > 0.9
    assert (wrong & decided).sum() / wrong.sum() > 0.6 and (wrong & decided).sum() / decided.sum() > 0.9
    assert not (decided & ~shown).any()


def test_a_group_never_answers_for_itself() -> None:
    """Each group has its own features and a label of its own: who had seen it would know the label."""
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(60), 4)
    features = (rng.standard_normal((60, 512)) * 4)[groups] + rng.standard_normal((240, 512)) * 0.1
    labels = rng.integers(0, 2, 60)[groups]
    found, _ = out_of_fold(features.astype(np.float16), labels, groups, 2, Recipe(epochs=10), repeats=1)
    assert (found.argmax(1) == labels).mean() < 0.75


def test_ordered_heads_know_that_neighbours_are_near() -> None:
    rng = np.random.default_rng(2)
    grade = rng.integers(0, 4, 500)
    features = np.zeros((500, 512), np.float32)
    features[:, :8] = grade[:, None] + rng.standard_normal((500, 8)) * 1.5
    head, _ = fit(features[:400], grade[:400], 4, Recipe(epochs=20), ordered=True)
    found = predict(head, features[400:], True)
    assert np.allclose(found.sum(1), 1, atol=1e-4) and (found >= -1e-6).all()
    assert score((found.cumsum(1) < 0.5).sum(1).clip(max=3), grade[400:], 4, True) > 0.75
