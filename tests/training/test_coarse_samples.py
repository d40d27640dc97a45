"""What the coarse network learns from, drawn from a small folder of pictures: every kind, with labels that hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from hairline.stages.errors import HairlineError
from hairline.training import coarse_samples, data, validation

COLUMNS = "path,source_path,category,mask_path,mask_kind,split,licence,doubt\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A few foregrounds, backgrounds and photographs of both splits, and a teacher's photograph of a product."""
    root, rng, lines = tmp_path_factory.mktemp("data"), np.random.default_rng(0), []

    def write(path: str, image: np.ndarray) -> str:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / path), image)
        return path

    def noise(color: tuple[int, int, int], channels: int = 3) -> np.ndarray:
        image = np.clip(rng.normal(0, 25, (90, 100, channels)) + [*color, 0][:channels], 0, 255).astype(np.uint8)
        return cv2.resize(image, (200, 180))

    ball = np.zeros((180, 200), np.uint8)
    cv2.circle(ball, (100, 90), 60, 255, -1, cv2.LINE_AA)
    for split in ("train", "val"):
        for category in ("clothing", "product_simple", "product_hollow", "portrait", "animal", "food"):
            rgba = np.dstack([noise((40, 60, 220)), ball])
            path = write(f"foregrounds/{category}_{split}.png", rgba)
            lines.append(f"{path},,{category},,render,{split},CC0,\n")
        for category in ("bg_scene", "bg_texture", "bg_shelf"):
            path = write(f"backgrounds/{category}_{split}.png", noise((90, 160, 60)))
            lines.append(f"{path},,{category},,,{split},CC0,\n")
        picture = np.where(ball[..., None] > 127, noise((40, 60, 220)), noise((90, 160, 60)))
        path, mask = write(f"photos_masks/{split}.png", picture), write(f"photos_masks/masks/{split}.png", ball)
        lines.append(f"{path},,animal,{mask},pseudo_grabcut,{split},CC0,\n")
    (root / "labels.csv").write_text(COLUMNS + "".join(lines))
    taught = []
    for split in ("train", "val"):
        path = write(f"teacher/photos/{split}.png", picture)
        write(f"teacher/masks/{split}.png", np.clip(ball.astype(int) * 0.9, 0, 255).astype(np.uint8))
        taught.append(f"photos/{split}.png,,product,masks/{split}.png,teacher_x,{split},CC0,0.05\n")
    (root / "teacher" / "labels.csv").write_text(COLUMNS + "".join(taught))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HAIRLINE_DATA", str(root))
        patch.delenv("HAIRLINE_LABELS", raising=False)
        data.rows.cache_clear()
        yield root
    data.rows.cache_clear()


@pytest.fixture(scope="module")
def sampler(folder: Path) -> coarse_samples.Sampler:
    return coarse_samples.Sampler("train")


def test_shares_of_the_kinds_add_up() -> None:
    assert sum(coarse_samples.KINDS.values()) == pytest.approx(1)


def test_what_the_teacher_cut_out_is_a_foreground_and_a_photograph(sampler: coarse_samples.Sampler) -> None:
    assert [f.category for f in sampler.foregrounds["product_photo"]] == ["product_photo"]
    assert [p.doubt for p in sampler.photos["product_simple"]] == [0.05]
    plain = coarse_samples.Sampler("val")
    assert "product_photo" not in plain.foregrounds and "product_simple" not in plain.photos


@pytest.mark.parametrize("kind", coarse_samples.KINDS)
def test_every_kind_of_sample_is_labelled(
    kind: str, sampler: coarse_samples.Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coarse_samples, "KINDS", {kind: 1.0})
    shares = []
    for seed in range(6):
        made = sampler.sample(np.random.default_rng(seed), 96)
        assert made["image"].shape == (3, 96, 96) and made["alpha"].shape == made["trust"].shape == (96, 96)
        assert all(value.dtype == np.uint8 for value in made.values())
        shares.append((made["alpha"] > 127).mean())
        assert made["trust"].mean() > 150
    assert max(shares) == 0 if kind == "empty" else np.median(shares) > 0.01


def test_photographs_keep_picture_and_mask_together(sampler: coarse_samples.Sampler) -> None:
    agreed = []
    for seed in range(10):
        picture, alpha, trust = sampler.photo(np.random.default_rng(seed), 96)
        assert trust.min() >= 0 and trust.max() <= 1
        inside, outside = alpha > 0.8, alpha < 0.05
        if inside.sum() > 200 and outside.sum() > 200:  # red before green
            redder = picture[..., 0] - picture[..., 1]
            agreed.append(float(redder[inside].mean() - redder[outside].mean()))
    assert np.median(agreed) > 0.2


def test_drawn_things_are_kept_for_a_while(
    folder: Path, sampler: coarse_samples.Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coarse_samples, "DEVICE_POOL", 3)
    monkeypatch.setattr(sampler, "things", [])
    rng = np.random.default_rng(2)
    found = [sampler.subject(rng, coarse_samples.GOODS, things=1.0) for _ in range(40)]
    assert {f.category for f in found} == {"device"} and len(sampler.things) == 3
    assert 3 < len({id(f.rgba) for f in found}) < 20  # new ones come now and then


def test_validation_goods_are_fixed_and_true(folder: Path) -> None:
    validation._sampler.cache_clear()
    try:
        first, again = validation.goods(2, 128), validation.goods(2, 128)
        assert [p.group for p in first] == [kind for kind in validation.GOODS for _ in range(2)]
        for a, b in zip(first, again, strict=True):
            assert np.array_equal(a.rgb, b.rgb) and np.array_equal(a.alpha, b.alpha) and a.alpha.max() == 255
        taught = validation.by_teacher()
        assert [p.group for p in taught] == ["product"] and taught[0].alpha.max() == pytest.approx(229, abs=2)
        pale = validation.pale_devices(2, 128)
        assert [p.group for p in pale] == ["pale device"] * 2
        assert all(p.alpha.max() == 255 and np.median(p.rgb) > 220 for p in pale)
    finally:
        validation._sampler.cache_clear()


def test_only_photographs_of_the_validation_split_are_listed(folder: Path) -> None:
    found = validation.listed(["teacher/photos/val.png", "photos_masks/val.png"], "mine")
    assert [p.group for p in found] == ["mine", "mine"]
    assert [int(p.alpha.max()) for p in found] == [pytest.approx(229, abs=2), 255]
    with pytest.raises(HairlineError, match=r"validation split: photos_masks/train\.png"):
        validation.listed(["photos_masks/val.png", "photos_masks/train.png"], "mine")
