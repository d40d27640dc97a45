"""A user's model as the segmentation stage: ONNX of U2-Net's shape, TorchScript and exported programs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from hairline.stages.coarse import CoarseSettings, CoarseStage
from hairline.stages.errors import HairlineError
from hairline.stages.item import Item
from hairline.stages.networks.user_model import UserModel, UserModelSettings
from redness import save_onnx

CPU = torch.device("cpu")
PLAIN = {"mean": (0, 0, 0), "std": (1, 1, 1)}


class Redness(nn.Module):
    """Calls red pixels the subject; answers in U2-Net's way, [1, 1, H, W] after a sigmoid."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(20 * (x[:, :1] - x[:, 1:2]) - 6)


def _onnx(path: Path) -> str:
    """The same network as an ONNX file: 320x320 in, 1x1x320x320 sigmoid out, beside a second output."""
    save_onnx(path, 320, outputs=("d0", "logits"))
    return str(path)


def _picture(height: int = 240, width: int = 400) -> tuple[np.ndarray, np.ndarray]:
    picture = np.full((height, width, 3), 120, np.uint8)
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (width // 2, height // 2), (width // 4, height // 3), 0, 0, 360, 255, -1)
    picture[mask > 0] = (220, 30, 30)
    return picture, mask


def _overlap(alpha: np.ndarray, mask: np.ndarray) -> float:
    found = cv2.resize(alpha, mask.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    return float((found & (mask > 0)).sum() / (found | (mask > 0)).sum())


def _saved(kind: str, folder: Path) -> str:
    if kind == "onnx":
        return _onnx(folder / "model.onnx")
    example = torch.rand(1, 3, 320, 320)
    if kind == "torchscript":
        path = folder / "model.pt"
        torch.jit.trace(Redness(), example).save(str(path))
    else:
        path = folder / "model.pt2"
        torch.export.save(torch.export.export(Redness(), (example,)), str(path))
    return str(path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("keep_aspect", [False, True])
@pytest.mark.parametrize("kind", ["onnx", "torchscript", "exported"])
def test_every_kind_of_model_finds_the_subject(kind: str, keep_aspect: bool, tmp_path: Path) -> None:
    model = UserModel(UserModelSettings(path=_saved(kind, tmp_path), keep_aspect=keep_aspect, **PLAIN))
    model.setup(CPU)
    picture, mask = _picture()
    assert _overlap(model.predict(picture), mask) > 0.97


def test_it_runs_as_the_segmentation_stage_from_configuration_alone(tmp_path: Path) -> None:
    settings = CoarseSettings.model_validate({"model": {"path": _onnx(tmp_path / "u2net.onnx"), "size": 320, **PLAIN}})
    stage = CoarseStage(settings)
    stage.setup(CPU)
    picture, mask = _picture()
    png = cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
    item = Item("a", "a", data=png, width=400, height=240)
    stage.process([item])
    assert item.status == "pending"
    assert _overlap(item.crops[0].alpha / 255, mask) > 0.97


def test_other_outputs_and_activations(tmp_path: Path) -> None:
    path = _onnx(tmp_path / "model.onnx")
    picture, mask = _picture()
    for output in ("logits", 1):
        model = UserModel(UserModelSettings(path=path, output=output, activation="sigmoid", **PLAIN))
        model.setup(CPU)
        assert _overlap(model.predict(picture), mask) > 0.97


def test_an_empty_picture_stays_empty_unless_minmax_is_asked_for(tmp_path: Path) -> None:
    path = _onnx(tmp_path / "model.onnx")
    grey = np.full((100, 100, 3), 120, np.uint8)
    grey[40:60, 40:60, 0] += 3
    answers = []
    for normalise in ("none", "minmax"):
        model = UserModel(UserModelSettings.model_validate({"path": path, "normalise": normalise, **PLAIN}))
        model.setup(CPU)
        answers.append(float(model.predict(grey).max()))
    assert answers[0] < 0.05 and answers[1] == 1


class Several(nn.Module):
    """Two classes in the last but two axes, or in the last one, as some frameworks have it."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        self.last = last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        red = 20 * (x[:, :1] - x[:, 1:2]) - 6
        both = torch.cat([-red, red], 1)
        return both.permute(0, 2, 3, 1) if self.last else both


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_several_channels_must_be_told_apart(tmp_path: Path) -> None:
    for last in (False, True):
        torch.jit.trace(Several(last), torch.rand(1, 3, 320, 320)).save(str(tmp_path / f"{last}.pt"))
    path = str(tmp_path / "False.pt")
    model = UserModel(UserModelSettings(path=path, activation="softmax", channel=1, **PLAIN))
    model.setup(CPU)
    picture, mask = _picture()
    assert _overlap(model.predict(picture), mask) > 0.97
    with pytest.raises(HairlineError, match="no channel was named"):
        UserModel(UserModelSettings(path=path, activation="softmax", **PLAIN)).setup(CPU)
    with pytest.raises(HairlineError, match="proportions"):
        UserModel(UserModelSettings(path=str(tmp_path / "True.pt"), channel=1, **PLAIN)).setup(CPU)


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (700, 3), (320, 320), (321, 640)])
@pytest.mark.parametrize("keep_aspect", [False, True])
def test_any_shape_of_picture(shape: tuple[int, int], keep_aspect: bool, tmp_path: Path) -> None:
    model = UserModel(UserModelSettings(path=_onnx(tmp_path / "model.onnx"), keep_aspect=keep_aspect, **PLAIN))
    model.setup(CPU)
    red = np.zeros((*shape, 3), np.uint8)
    red[..., 0] = 255
    alpha = model.predict(red)
    assert alpha.dtype == np.float32 and alpha.min() > 0.99 and max(alpha.shape) == 320


def test_mistakes_are_told_in_one_line(tmp_path: Path) -> None:
    path = _onnx(tmp_path / "model.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    cases = {
        "weights not found": {"path": str(tmp_path / "none.onnx")},
        "sha256": {"path": path, "sha256": "0" * 64},
        "unknown kind": {"path": str(tmp_path / "x.pth")},
        "does not run": {"path": str(broken)},
        "no output": {"path": path, "output": "mask"},
        "no channel 4": {"path": path, "channel": 4},
        "set activation to sigmoid": {"path": path, "output": "logits"},
        "does not run: .*": {"path": path, "size": 200},
    }
    for message, settings in cases.items():
        with pytest.raises(HairlineError, match=message) as caught:
            UserModel(UserModelSettings.model_validate(settings)).setup(CPU)
        assert "\n" not in str(caught.value)
