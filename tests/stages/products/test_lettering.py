"""Text in a box: never outside it, as large as fits, from the side where its script begins."""

import numpy as np
import pytest
from PIL import features

from hairline.stages.errors import PictureError
from hairline.stages.products import lettering
from hairline.stages.products.fonts import PILLOWS, default_faces, face_for
from hairline.stages.products.lettering import Style, break_units, set_text

FACES = default_faces()
TEXTS = {
    "latin": "Handmade leather sandals, 30% off this week only",
    "accents": "Ǻg Ấỹ ŷ jÅ",
    "arabic": "صنادل جلدية مصنوعة يدويًا — خصم 30% هذا الأسبوع",
    "hebrew": "כיסא עץ אלון, 890 ₪",
    "hindi": "हस्तनिर्मित चमड़े के सैंडल",
    "thai": "ขวดน้ำ\u200bเก็บ\u200bความเย็น",
    "chinese": "手工皮涼鞋，本週七折。只在這個星期！",
    "one long word": "Donaudampfschifffahrtsgesellschaft",
}


@pytest.mark.parametrize("box", [(400, 120), (150, 300)])
@pytest.mark.parametrize("script", TEXTS)
def test_it_fits_and_could_not_be_larger(script: str, box: tuple[int, int]) -> None:
    text = TEXTS[script]
    made = set_text(text, box, Style(FACES, size=90, smallest=6, spacing=1.3))
    assert not made.missing and not made.cut and made.outside == 0 and made.ink.shape == box[::-1]
    assert "".join(made.lines).replace(" ", "").replace("\u200b", "") == text.replace(" ", "").replace("\u200b", "")
    assert made.ink.max() > 200 and 6 <= made.size < 90
    assert set_text(text, box, Style(FACES, size=made.size + 1, smallest=made.size + 1, spacing=1.3)).cut


def test_what_does_not_fit_is_cut_short_and_still_inside() -> None:
    made = set_text(TEXTS["latin"], (120, 40), Style(FACES, size=40, smallest=18))
    assert made.cut and made.lines[-1].endswith("…") and made.size == 18 and made.outside == 0 and made.ink.any()
    assert set_text("W", (3, 3), Style(FACES, size=40, smallest=30)).lines == ()


def test_it_begins_where_its_script_does() -> None:
    def sides(text: str, **style: object) -> tuple[int, int]:
        columns = np.flatnonzero(set_text(text, (400, 60), Style(FACES, size=30, **style)).ink.any(0))  # type: ignore[arg-type]
        return int(columns[0]), 399 - int(columns[-1])

    assert sides("left")[0] < 5 < 200 < sides("left")[1]
    for text in ("يمين", "ימין"):
        assert sides(text)[1] < 5 < 200 < sides(text)[0]
        assert sides(text, align="end")[0] < 5 and sides(text, align="left")[0] < 5
        assert abs(sides(text, align="center")[0] - sides(text, align="center")[1]) <= 4
    assert sides("12 شهر", direction="ltr")[0] < 5


def test_letters_join_and_run_in_their_direction() -> None:
    joined, apart = (set_text(text, (400, 80), Style(FACES, size=40)).ink for text in ("ببب", "ب\u200cب\u200cب"))
    assert np.flatnonzero(joined.any(0)).size < np.flatnonzero(apart.any(0)).size
    mixed = set_text("abc אבג", (400, 80), Style(FACES, size=40)).ink
    assert mixed.any() and not np.array_equal(mixed, set_text("abc גבא", (400, 80), Style(FACES, size=40)).ink)


def test_where_lines_break() -> None:
    assert break_units("two words-here") == ["two ", "words-", "here"]
    assert break_units("涼鞋，「七折」。") == ["涼", "鞋，", "「七", "折」。"]
    assert break_units("ก\u200bข") == ["ก\u200b", "ข"] and break_units("") == []


def test_lines_and_places() -> None:
    rows = {}
    for valign in ("top", "middle", "bottom"):
        made = set_text("one\ntwo", (300, 200), Style(FACES, size=30, valign=valign))  # type: ignore[arg-type]
        rows[valign] = np.flatnonzero(made.ink.any(1))
        assert made.lines == ("one", "two")
    assert rows["top"][0] == 0 and rows["bottom"][-1] == 199
    assert abs(rows["middle"][0] - (199 - rows["middle"][-1])) <= 1
    assert set_text("one two three", (80, 200), Style(FACES, size=30, lines=1)).size < 20
    assert set_text("one\ntwo", (300, 200), Style(FACES, size=30, wrap=False)).lines == ("one two",)


def test_letters_that_no_font_has_are_told() -> None:
    made = set_text("a\U00013000b", (300, 60), Style((PILLOWS,), size=30))
    assert made.missing == "\U00013000" and face_for("плюш", FACES)[1] == ""
    assert face_for("plush", FACES)[0] == FACES[0] and face_for("مرحبا", FACES)[0] == FACES[1]


def test_without_raqm_only_simple_scripts_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert features.check("raqm"), "these tests need Pillow's Raqm, and FriBiDi beside it"
    monkeypatch.setattr(lettering.features, "check", lambda name: False)
    assert set_text("Plain", (300, 60), Style(FACES, size=30)).ink.any()
    with pytest.raises(PictureError, match=r"Arabic letters need Raqm.*libfribidi0"):
        set_text("سلام", (300, 60), Style(FACES, size=30))
