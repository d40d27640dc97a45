"""Print sheets are exact to the pixel, and no mark lies over a copy."""

import numpy as np
import pytest

from hairline.stages.products.print_sheets import GREY, plan_sheet, print_sheet


@pytest.mark.parametrize(
    ("sheet", "size", "copies"),
    [
        ("10x15", (1772, 1181), 8),
        ("5inch", (1500, 1050), 4),
        ("6inch", (1800, 1200), 8),
        ("a4", (3508, 2480), 32),
    ],
)
def test_sheets_of_35_by_45_mm_at_300_dpi(sheet: str, size: tuple[int, int], copies: int) -> None:
    plan = plan_sheet(sheet, (413, 531), 300)
    assert sorted((plan.width, plan.height)) == sorted(size) and len(plan.corners) == copies
    photo = np.random.default_rng(0).integers(0, 120, (531, 413, 3), dtype=np.uint8)
    made = print_sheet(photo, plan, 300)
    assert made.shape == (plan.height, plan.width, 3)
    covered = np.zeros(made.shape[:2], bool)
    for x, y in plan.corners:
        assert x >= 35 and y >= 35 and (made[y : y + 531, x : x + 413] == photo).all()
        covered[y : y + 531, x : x + 413] = True
    assert covered.sum() == copies * 531 * 413
    assert set(np.unique(made[~covered])) == {GREY, 255} and (made[~covered] == GREY).any()


def test_marks_stand_at_the_edges_of_a_copy() -> None:
    plan = plan_sheet("10x15", (413, 531), 300)
    made = print_sheet(np.zeros((531, 413, 3), np.uint8), plan, 300)
    x, y = plan.corners[0]
    assert (made[y - 1, [x, x + 412]] == GREY).all() and (made[y - 1, x + 1 : x + 412] == 255).all()
    assert (made[[y, y + 530], x - 1] == GREY).all()


def test_a_photo_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="does not fit on 5inch"):
        plan_sheet("5inch", (1600, 1600), 300)
