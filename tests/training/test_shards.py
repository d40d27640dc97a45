"""Training pictures that travel: nothing is lost on the way, and no shard is too large."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from hairline.stages.errors import HairlineError
from hairline.training import data, shards

COLUMNS = "path,source_path,category,mask_path,mask_kind,split\n"


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of 12 foregrounds and photographs as labels.csv lists them, larger than recipes want them."""
    root = tmp_path / "data"
    rng, lines = np.random.default_rng(0), []
    for k in range(6):
        noise = cv2.resize(rng.integers(0, 256, (40, 30, 4), dtype=np.uint8), (600, 800))
        for path in (f"foregrounds/{k}.webp", f"photos_masks/{k}.jpg", f"photos_masks/{k}_mask.png"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            image = noise if path.endswith("webp") else noise[..., 3] if path.endswith("png") else noise[..., :3]
            cv2.imwrite(str(root / path), image)
        lines.append(f"foregrounds/{k}.webp,,animal,,render,train\n")
        lines.append(f"photos_masks/{k}.jpg,,animal,photos_masks/{k}_mask.png,human_polygon,val\n")
    (root / "labels.csv").write_text(COLUMNS + "".join(lines))
    _use(root, monkeypatch)
    return root


def _use(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAIRLINE_DATA", str(root))
    data.rows.cache_clear()


def test_what_was_packed_trains_as_before(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = data.foregrounds("train", 320)["animal"], data.photos("val", 448)["animal"]
    packed = shards.pack(tmp_path / "shards", 0.25)
    assert len(packed) > 1
    assert all(shard.stat().st_size <= 0.25 * shards.MIB for shard in packed)
    shards.unpack(packed[::-1], tmp_path / "there")
    _use(tmp_path / "there", monkeypatch)
    after = data.foregrounds("train", 320)["animal"], data.photos("val", 448)["animal"]
    assert [len(group) for group in after] == [6, 6]
    for old, new in zip(before[0], after[0], strict=True):
        assert np.abs(old.rgba[..., 3].astype(int) - new.rgba[..., 3]).mean() < 1  # alpha is not to suffer
        assert np.abs(old.rgba.astype(int) - new.rgba).mean() < 8
    for old, new in zip(before[1], after[1], strict=True):
        assert np.abs(old.alpha.astype(int) - new.alpha).mean() < 1 and old.rgb.shape == new.rgb.shape
    data.rows.cache_clear()


def test_mistakes_are_told(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(HairlineError, match="does not fit into a shard"):
        shards.pack(tmp_path / "shards", 0.02)
    (tmp_path / "broken.tar").write_bytes(b"no tar")
    with pytest.raises(HairlineError, match="cannot unpack"):
        shards.unpack([tmp_path / "broken.tar"], tmp_path)
    data.rows.cache_clear()


def test_only_its_own_shards_go(pictures: Path, tmp_path: Path) -> None:
    there = tmp_path / "shards"
    first = shards.pack(there, 0.25)
    assert len(shards.pack(there, 4)) == 1 < len(first)
    assert sorted(path.name for path in there.iterdir()) == ["shard-00.tar", "shards.json"]
    (there / "shard-mine.tar").write_bytes(b"mine")
    with pytest.raises(HairlineError, match=r"shard-mine\.tar is there and was not packed here"):
        shards.pack(there, 0.25)
    assert (there / "shard-mine.tar").read_bytes() == b"mine" and (there / "shard-00.tar").exists()


@pytest.mark.parametrize("text", ["", "[]", "null"])
def test_a_list_that_is_none(pictures: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "shards.json").write_text(text)
    with pytest.raises(HairlineError, match=r"shards\.json: damaged, or no list of shards"):
        shards.pack(tmp_path, 4)
    assert (tmp_path / "shards.json").read_text() == text


def test_a_list_that_names_other_files(pictures: Path, tmp_path: Path) -> None:
    there = tmp_path / "shards"
    shards.pack(there, 4)
    (tmp_path / "mine").write_bytes(b"mine")
    (there / "shards.json").write_text('{"../mine": [1, 1], ' + (there / "shards.json").read_text()[1:])
    shards.pack(there, 4)
    assert (tmp_path / "mine").read_bytes() == b"mine"
