"""Specks go, and nothing else does."""

import cv2
import numpy as np
import pytest

from hairline.stages.imaging.specks import remove_specks


@pytest.fixture
def subject() -> np.ndarray:
    alpha = np.zeros((400, 400), np.float32)
    cv2.circle(alpha, (150, 200), 100, 1.0, -1)
    return cv2.GaussianBlur(alpha, (0, 0), 2)


def test_a_tiny_piece_far_away_goes_with_all_of_its_rim(subject: np.ndarray) -> None:
    spoilt = subject.copy()
    spoilt[20:24, 370:374] = 0.9
    spoilt[19, 370:374] = 0.1
    assert np.array_equal(remove_specks(spoilt), subject)


@pytest.mark.parametrize(("at", "size"), [((200, 258), 3), ((40, 350), 20)], ids=["near", "not tiny"])
def test_pieces_near_the_subject_and_larger_ones_stay(subject: np.ndarray, at: tuple[int, int], size: int) -> None:
    whole = subject.copy()
    whole[at[0] : at[0] + size, at[1] : at[1] + size] = 1
    assert np.array_equal(remove_specks(whole), whole)


@pytest.mark.parametrize("level", [0.0, 0.01, 1.0])
def test_without_pieces_there_is_nothing_to_drop(level: float) -> None:
    flat = np.full((30, 40), level, np.float32)
    assert np.array_equal(remove_specks(flat), flat)


def test_the_tiny_parts_of_a_subject_that_has_no_other_stay() -> None:
    dots = np.zeros((400, 400), np.float32)
    dots[10::40, 10::40] = 1
    assert np.array_equal(remove_specks(dots), dots)


def test_a_veil_goes_and_the_tails_of_soft_edges_stay(subject: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    veil = (rng.integers(0, 6, subject.shape) / 255).astype(np.float32)
    near = cv2.dilate((subject > 0).astype(np.uint8), np.ones((35, 35), np.uint8)) > 0
    kept = remove_specks(np.where(near, subject, veil))
    assert (kept[~near] == 0).all()
    assert np.array_equal(kept[near], subject[near])
    ramp = np.clip(np.linspace(1, -4, 400, dtype=np.float32), 0, 1) ** 2 * np.ones((400, 1), np.float32)  # smoke
    faint = (ramp > 0.5 / 255) & (ramp < 5.5 / 255)
    assert faint.any() and np.array_equal(remove_specks(ramp), ramp)
