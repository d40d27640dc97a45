"""Generated design pictures: seeded, boxes inside, alpha and boxes of the same subjects."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hairline.training.synth import fonts, lettering
from hairline.training.synth.canvas import Canvas, Rect
from hairline.training.synth.design import render


def product(seed: int) -> np.ndarray:
    """An ellipse with a coloured stripe; some are long."""
    rng = np.random.default_rng(seed)
    height, width = (int(v) for v in rng.integers(40, 200, 2))
    sprite = np.zeros((height, width, 4), np.uint8)
    color = tuple(int(v) for v in rng.integers(0, 255, 3))
    cv2.ellipse(sprite, (width // 2, height // 2), (width // 2 - 2, height // 2 - 2), 0, 0, 360, (*color, 255), -1)
    return sprite


def example(seed: int, size: tuple[int, int] = (320, 240)) -> tuple[np.ndarray, list, np.ndarray]:
    rng = np.random.default_rng(seed)
    photo = rng.integers(0, 255, (200, 300, 3), dtype=np.uint8) if seed % 3 == 0 else None
    return render([product(seed + k) for k in range(seed % 7)], photo, rng, size)


@pytest.mark.parametrize("seed", range(40))
def test_boxes_and_alpha_agree(seed: int) -> None:
    rgb, boxes, alpha = example(seed)
    assert rgb.shape == (240, 320, 3) and alpha.shape == (240, 320)
    assert rgb.dtype == alpha.dtype == np.uint8
    covered = np.zeros(alpha.shape, bool)
    for box in boxes:
        assert 0 <= box.x0 < box.x1 <= 320 and 0 <= box.y0 < box.y1 <= 240
        assert box.label in ("subject", "text", "logo")
        if box.label == "subject":
            part = alpha[box.y0 : box.y1, box.x0 : box.x1] > 64
            covered[box.y0 : box.y1, box.x0 : box.x1] = True
            # tight: every edge touches the subject
            assert part[0].any() and part[-1].any() and part[:, 0].any() and part[:, -1].any()
    assert not (alpha > 128)[~covered].any()
    subjects = sum(box.label == "subject" for box in boxes)
    assert subjects <= seed % 7
    assert (subjects > 0) == (seed % 7 > 0)


def test_same_seed_same_picture() -> None:
    a, b, other = example(5), example(5), example(12)
    assert np.array_equal(a[0], b[0]) and a[1] == b[1] and np.array_equal(a[2], b[2])
    assert not np.array_equal(a[0], other[0])


def test_all_labels_and_long_subjects_occur() -> None:
    boxes = [box for seed in range(80) for box in example(seed)[1]]
    assert {box.label for box in boxes} == {"subject", "text", "logo"}
    ratios = [(b.x1 - b.x0) / (b.y1 - b.y0) for b in boxes if b.label == "subject"]
    assert min(ratios) < 0.34 and max(ratios) > 3


@pytest.mark.parametrize("size", [(64, 64), (640, 90), (80, 500), (1000, 700)])
def test_any_size(size: tuple[int, int]) -> None:
    for seed in (1, 2, 6, 7):
        assert example(seed, size)[0].shape == (size[1], size[0], 3)


def test_draws_without_font_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_site_folders", list)
    fonts.faces.cache_clear()
    try:
        assert [face.path for face in fonts.faces()] == [""]
        assert "text" in {box.label for seed in range(8) for box in example(seed)[1]}
    finally:
        fonts.faces.cache_clear()


def test_what_is_printed_over_a_subject_is_not_subject() -> None:
    canvas = Canvas(np.full((50, 100, 3), 200, np.uint8))
    canvas.paste(np.full((40, 80, 4), 255, np.uint8), 10, 5, "subject")
    canvas.paste(lettering.ink(np.full((40, 40), 255, np.uint8), (255, 0, 0)), 50, 5, "text")
    assert [(b.label, b.x0, b.x1) for b in canvas.boxes()] == [("subject", 10, 50), ("text", 50, 90)]
    assert (canvas.alpha[5:45, 10:50] == 255).all() and not canvas.alpha[:, 50:].any()
    canvas.paste(lettering.ink(np.full((50, 100), 255, np.uint8), (0, 0, 0)), 45, 0)
    assert [b.label for b in canvas.boxes()] == ["subject"]  # nobody can read the text any more


def test_text_fits_its_room() -> None:
    face = fonts.faces_of("latin")[0]
    for width in (30, 90, 300):
        mask = lettering.fit(["SALE", "up to 70%"], face, 700, Rect(0, 0, width, 60), 0.5, 200)
        assert mask is None or (mask.shape[1] <= width * 1.15 and mask.shape[0] <= 60 * 1.15)
    assert lettering.fit(["a very long line that cannot be read"], face, 400, Rect(0, 0, 20, 20), 0.5, 99) is None


def test_words_are_spelled_in_letters_that_the_font_has() -> None:
    own = fonts.Face("", ("latin",))
    assert fonts.spelled("Nowość 5 %", own) == "Nowosc 5 %" and fonts.spelled("夏 Sale", own) == " Sale"
    for face in fonts.faces():
        if face.path and "latin" in face.scripts:
            assert fonts.spelled("Prix d’été", face) == "Prix d’été"
