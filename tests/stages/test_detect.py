"""The detect stage: boxes in source pixels, nothing that depends on the batch, trained weights that find things."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from skimage.data import chelsea

from hairline.stages.base import run_stage
from hairline.stages.detect import DetectSettings, DetectStage
from hairline.stages.errors import HairlineError
from hairline.stages.item import Item
from hairline.stages.networks.detector import Detector

torch.set_num_threads(1)  # two threads on a busy core wait for each other


def photo(seed: int, size: tuple[int, int] = (200, 120), fmt: str = "PNG", **options: object) -> bytes:
    """Noise with a large bright rectangle."""
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 90, (size[1], size[0], 3), dtype=np.uint8)
    x, y = (int(v) for v in rng.uniform(0.1, 0.4, 2) * size)
    rgb[y : y + size[1] // 2, x : x + size[0] // 2] = rng.integers(120, 255, 3)
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, fmt, **options)  # type: ignore[arg-type]
    return file.getvalue()


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> DetectStage:
    """Weights that find something everywhere, so that there is an answer to compare."""
    torch.manual_seed(4)
    network = Detector()
    for head in network.heads:
        torch.nn.init.normal_(head.out.weight, std=0.3)
        torch.nn.init.zeros_(head.out.bias)
    path = tmp_path_factory.mktemp("weights") / "detect.safetensors"
    save_file({k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}, path)
    stage = DetectStage(DetectSettings(weights=str(path), min_score=0.3))
    stage.setup(torch.device("cpu"))
    return stage


def test_boxes_are_in_pixels_of_the_upright_picture(untrained: DetectStage) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying, seen upright
    for data, size in (
        (photo(1), (200, 120)),
        (photo(1, fmt="JPEG", exif=exif), (120, 200)),
        (photo(2, (900, 33)), (900, 33)),
    ):
        item = Item("a", "a", data)
        run_stage(untrained, [item])
        assert (item.width, item.height) == size
        assert 0 < len(item.boxes) <= untrained.settings.max_boxes
        for box in item.boxes:
            assert 0 <= box.x0 < box.x1 <= size[0] and 0 <= box.y0 < box.y1 <= size[1]
            assert box.label in ("subject", "text", "logo") and 0.3 <= box.score <= 1
        assert max(box.x1 for box in item.boxes) > 0.6 * size[0]
        assert [b.score for b in item.boxes] == sorted((b.score for b in item.boxes), reverse=True)


def test_an_answer_does_not_depend_on_its_batch(untrained: DetectStage) -> None:
    pictures = [photo(seed, (150 + 40 * seed, 200)) for seed in range(4)]
    alone = [Item(str(i), "", data) for i, data in enumerate(pictures)]
    for item in alone:
        run_stage(untrained, [item])
    together = [Item(str(i), "", data) for i, data in enumerate(pictures)]
    run_stage(untrained, together[::-1])
    assert [a.boxes for a in alone] == [t.boxes for t in together]


def test_a_broken_picture_fails_alone(untrained: DetectStage) -> None:
    items = [Item("good", "", photo(1)), Item("bad", "", photo(1)[:300]), Item("other", "", photo(3))]
    run_stage(untrained, items)
    assert [item.status for item in items] == ["pending", "failed", "pending"]
    assert items[1].reason == "truncated" and items[1].stage == "detect"
    assert items[0].boxes and items[2].boxes


def test_nothing_found_is_not_the_end(untrained: DetectStage) -> None:
    strict = DetectStage(DetectSettings(weights=untrained.settings.weights, min_score=1.0))
    strict.setup(torch.device("cpu"))
    item = Item("a", "", photo(1))
    run_stage(strict, [item])
    assert item.status == "pending" and item.boxes == []


def test_weights_that_are_missing_or_of_another_hash_are_a_clear_mistake(
    untrained: DetectStage, tmp_path: Path
) -> None:
    with pytest.raises(HairlineError, match="not found"):
        DetectStage.weight_hashes(DetectSettings(weights=str(tmp_path / "none.safetensors")))
    with pytest.raises(HairlineError, match="sha256"):
        DetectStage.weight_hashes(DetectSettings(weights=untrained.settings.weights, sha256="0" * 64))
    (tmp_path / "text.safetensors").write_text("no weights")
    with pytest.raises(HairlineError, match="do not fit Detector"):
        DetectStage(DetectSettings(weights=str(tmp_path / "text.safetensors"))).setup(torch.device("cpu"))


def test_trained_weights_find_a_product_and_its_slogan() -> None:
    cat = chelsea()  # a real photograph that fills the frame
    stage = DetectStage(DetectSettings())
    stage.setup(torch.device("cpu"))
    file = io.BytesIO()
    Image.fromarray(cat).save(file, "PNG")
    item = Item("cat", "", file.getvalue())
    run_stage(stage, [item])
    best = next(box for box in item.boxes if box.label == "subject")
    assert (best.x1 - best.x0) * (best.y1 - best.y0) > 0.4 * cat.shape[0] * cat.shape[1]
