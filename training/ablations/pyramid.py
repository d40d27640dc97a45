"""(d) Pyramid levels fused with their two neighbours, against a feature pyramid network, against none; and anchors
of 1:6 to 6:1 against the usual three ratios. Recall by aspect ratio on designs with one product."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...evaluation.boxes import Answer, recall_by_ratio
from ...stages.networks.anchors import RATIOS, SCALES, anchors
from ...stages.networks.blocks import ConvBN
from ...stages.networks.detector import LABELS, SIDE, Detector, letterbox, select_boxes
from .. import detect, pretrained, validation
from .run import Figures, Run, Variant, gmacs

THREE = (0.5, 1.0, 2.0)  # width over height, of Faster R-CNN and RetinaNet
MIN_SCORE = 0.35  # of a box that the detect stage keeps


class Pyramid(Detector):
    """The detector with another way to join its levels, or other anchors.

    Args:
        fusion: `adjacent`, as shipped; `fpn`, top-down over all levels (Lin et al., "Feature Pyramid Networks for
            Object Detection", CVPR 2017); `none`, each level by itself.
    """

    def __init__(self, fusion: str = "adjacent", ratios: tuple[float, ...] = RATIOS) -> None:
        super().__init__()
        self.fusion, self.ratios = fusion, ratios
        widths = [fuse.merge[0].out_channels for fuse in self.fuse]
        if fusion != "adjacent":
            own = [fuse.own[0].in_channels for fuse in self.fuse]
            self.laterals = nn.ModuleList(ConvBN(i, o, kernel=1, relu=False) for i, o in zip(own, widths, strict=True))
            self.merges = nn.ModuleList(ConvBN(width, width) for width in widths)
            del self.fuse
        if fusion == "fpn":
            pairs = zip(widths[1:], widths[:-1], strict=True)
            self.downs = nn.ModuleList(ConvBN(above, width, kernel=1, relu=False) for above, width in pairs)
        outputs = len(ratios) * len(SCALES) * (len(LABELS) + 4)
        for head in self.heads:
            old = head.out
            head.out = nn.Conv2d(old.in_channels, outputs, 1)
            nn.init.normal_(head.out.weight, std=0.01)
            cells = old.bias.detach().reshape(-1, len(LABELS) + 4)[:1]
            head.out.bias = nn.Parameter(cells.repeat(len(ratios) * len(SCALES), 1).flatten())

    def forward(self, x: Tensor) -> Tensor:
        if self.fusion == "adjacent":
            return super().forward(x)
        maps = list(self.encoder(x)[2:])
        for top in self.tops:
            maps.append(top(maps[-1]))
        levels = [lateral(y) for lateral, y in zip(self.laterals, maps, strict=True)]
        for i in reversed(range(len(levels) - 1) if self.fusion == "fpn" else ()):
            size = levels[i].shape[-2:]
            levels[i] = levels[i] + F.interpolate(self.downs[i](levels[i + 1]), size=size, mode="nearest")
        merged = [merge(F.relu(y)) for merge, y in zip(self.merges, levels, strict=True)]
        return torch.cat([head(y) for head, y in zip(self.heads, merged, strict=True)], 1)


@lru_cache(maxsize=1)
def _fixed() -> tuple[detect.Validation, list[validation.Picture]]:
    return detect.Validation(), validation.long_designs(24)


def _variant(fusion: str, ratios: tuple[float, ...]) -> Variant:
    def run(run: Run) -> Figures:
        fixed, long = _fixed()
        model, figures = run.learn(
            lambda: pretrained.load_imagenet(Pyramid(fusion, ratios)),
            detect.Sampler("train"),
            detect.loss,
            fixed,
            "score",
        )
        run.cost["gmacs"] = gmacs(model, (1, 3, SIDE, SIDE))
        return figures | {f"long {name}": round(r, 4) for name, r in recall_by_ratio(_answers(model, long)).items()}

    return run


@torch.no_grad()
def _answers(model: nn.Module, pictures: list[validation.Picture]) -> list[Answer]:
    device = next(model.parameters()).device
    placed = anchors(SIDE, SIDE, model.ratios).to(device)
    found = []
    for picture in pictures:
        square, scale = letterbox(picture.rgb)
        image = torch.from_numpy(square).permute(2, 0, 1)[None].to(device).float() / 255
        with torch.autocast(device.type, dtype=torch.bfloat16):
            answer = model(image)[0].float()
        kept = select_boxes(answer, placed, MIN_SCORE, 0.5)
        mine = (kept.labels == 0).cpu().numpy()
        truth = np.array([box[:4] for box in picture.boxes if box[4] == "subject"], float).reshape(-1, 4)
        boxes, scores = kept.boxes.cpu().numpy()[mine] / scale, kept.scores.cpu().numpy()[mine]
        found.append(Answer(boxes, scores, truth))
    return found


VARIANTS = {
    "adjacent": _variant("adjacent", RATIOS),
    "fpn": _variant("fpn", RATIOS),
    "none": _variant("none", RATIOS),
    "three_ratios": _variant("adjacent", THREE),
}
