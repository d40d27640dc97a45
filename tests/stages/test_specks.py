"""Specks go, and nothing else does."""

import cv2
import numpy as np
import pytest

from hairline.stages.specks import without_specks


@pytest.fixture
def subject() -> np.ndarray:
    alpha = np.zeros((400, 400), np.float32)
    cv2.circle(alpha, (150, 200), 100, 1.0, -1)
    return cv2.GaussianBlur(alpha, (0, 0), 2)


def test_a_tiny_piece_far_away_goes_with_all_of_its_rim(subject: np.ndarray) -> None:
    spoilt = subject.copy()
    spoilt[20:24, 370:374] = 0.9
    spoilt[19, 370:374] = 0.1
    assert np.array_equal(without_specks(spoilt), subject)


@pytest.mark.parametrize(("at", "size"), [((200, 258), 3), ((40, 350), 20)], ids=["near", "not tiny"])
def test_pieces_near_the_subject_and_larger_ones_stay(subject: np.ndarray, at: tuple[int, int], size: int) -> None:
    whole = subject.copy()
    whole[at[0] : at[0] + size, at[1] : at[1] + size] = 1
    assert np.array_equal(without_specks(whole), whole)


@pytest.mark.parametrize("level", [0.0, 0.01, 1.0])
def test_without_pieces_there_is_nothing_to_drop(level: float) -> None:
    flat = np.full((30, 40), level, np.float32)
    assert np.array_equal(without_specks(flat), flat)


def test_the_tiny_parts_of_a_subject_that_has_no_other_stay() -> None:
    dots = np.zeros((400, 400), np.float32)
    dots[10::40, 10::40] = 1
    assert np.array_equal(without_specks(dots), dots)
