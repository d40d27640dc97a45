"""(g) Classical signals alone, the network alone, both. `rules` and `shipped` train nothing.

`rules` are the filter stage's hand-made curves over the signals, `shipped` is the quality network in the tree, and
`shipped_blind` that network with every signal at its mean, which it was not trained for.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...evaluation import labels
from ...stages import checkpoints
from ...stages.filter import defects_by_signals
from ...stages.imaging import signals
from ...stages.networks.quality import DEFECTS, QualityNet
from .ordered import learn, validation
from .run import Figures, Run, Variant


class SignalsAlone(QualityNet):
    """The quality network without its picture."""

    def pool(self, image: Tensor) -> Tensor:
        features = self.join[0].in_features - self.signals[-2].out_features
        return image.new_zeros(len(image), features)


class NetworkAlone(QualityNet):
    """The quality network without the signals: each stays at its mean."""

    def head(self, pooled: Tensor, signals: Tensor) -> tuple[Tensor, Tensor]:
        return super().head(pooled, self.mean.expand_as(signals))


def rules(_: Run) -> Figures:
    samples = validation().sets["spoiled"]
    found = [defects_by_signals(dict(zip(signals.NAMES, s["signals"].tolist(), strict=True))) for s in samples]
    severity = np.stack([s["severity"] for s in samples])
    figures = {}
    for index, name in enumerate(DEFECTS):
        known = severity[:, index] >= 0
        if name in found[0]:  # nothing in the signals tells an occlusion
            score = np.array([f[name] for f in found])
            figures[f"auc_{name}"] = round(labels.auc(score[known], severity[known, index] >= 2), 4)
    for name in ("photos", "white"):
        judged = [
            defects_by_signals(dict(zip(signals.NAMES, s["signals"].tolist(), strict=True)))
            for s in validation().sets[name]
        ]
        figures[f"false_alarms_{name}"] = round(float(np.mean([max(f.values()) > 0.5 for f in judged])), 4)
    return figures


def shipped(network: type[QualityNet]) -> Variant:
    def run(run: Run) -> Figures:
        run.folder.mkdir(parents=True, exist_ok=True)
        model = checkpoints.load(network(), checkpoints.find("builtin", "quality.safetensors"))
        with torch.no_grad():
            return validation()(model, run.folder)

    return run


def _trained(network: type[QualityNet]) -> Variant:
    return lambda run: learn(run, network)[1]


VARIANTS = {
    "rules": rules,
    "shipped": shipped(QualityNet),
    "shipped_blind": shipped(NetworkAlone),
    "signals": _trained(SignalsAlone),
    "network": _trained(NetworkAlone),
    "both": _trained(QualityNet),
}
