"""The classifier that `hairline autoclassify` makes: one file that says by itself what its classes are.

The weights file is a safetensors whose metadata holds the form: labels, whether they are ordered, input size, depth.
So a path or a URL with a hash is all that a job file needs to name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import safe_open
from torch import Tensor, nn

from .. import checkpoints
from ..errors import HairlineError
from . import compiled
from .blocks import fold_bn
from .lite import LiteEncoder
from .quality import CoralHead

KEY = "hairline.classifier"  # of the metadata


class Form(BaseModel):
    """What a classifier is, besides its weights.

    Attributes:
        labels: names of the classes; where they are ordered, from the worst to the best.
        ordered: whether neighbours are nearer to each other than others.
        size: side of the square input, pixels; the picture is stretched to it.
        levels: of the encoder, 1 to 5, see `LiteEncoder`.
        hidden: units of the hidden layer; 0: there is none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: tuple[str, ...] = Field(min_length=2)
    ordered: bool = False
    size: int = Field(224, ge=32, le=1024)
    levels: int = Field(5, ge=1, le=5)
    hidden: int = Field(0, ge=0)


class Judgement(NamedTuple):
    """What a classifier says of one picture.

    Attributes:
        label: the most probable class; of ordered ones the median.
        probabilities: of each class, calibrated, in the order of the labels; their sum is 1.
        unsure: whether the label's probability is below its threshold, or the picture is like none it learned on.
        strangeness: distance from the pictures that it learned on, 0 and up; 1 is the limit.
    """

    label: str
    probabilities: list[float]
    unsure: bool
    strangeness: float


class Head(nn.Module):
    """From pooled features to logits, the features brought to mean 0 and deviation 1.

    Input: float [N, inputs]. Output: float [N, outputs].
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, inputs: int, outputs: int, hidden: int = 0, dropout: float = 0.0, ordered: bool = False) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("deviation", torch.ones(inputs))
        last = hidden or inputs
        layers: list[nn.Module] = [nn.Linear(inputs, hidden), nn.ReLU()] if hidden else []
        self.layers = nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(last, 1 if ordered else outputs))
        self.steps = CoralHead(1, outputs - 1) if ordered else None

    def forward(self, pooled: Tensor) -> Tensor:
        """Logits of the classes, [N, C]; of ordered ones P(class > k) as cumulative logits, [N, C - 1]."""
        found: Tensor = self.layers((pooled - self.mean) / self.deviation)
        return found if self.steps is None else self.steps(found)[:, 0]


class ExportedNet(nn.Module):
    """Encoder, averages of all its levels, and a head.

    Input: float [N, 3, size, size], RGB 0..1. Output: float32 [N, C] or [N, C - 1], as `Head` gives them, divided by
    the temperature.
    """

    temperature: Tensor
    thresholds: Tensor
    axes: Tensor
    reach: Tensor

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form
        self.encoder = LiteEncoder(form.levels)
        width, classes = sum(self.encoder.widths), len(form.labels)
        self.head = Head(width, classes, form.hidden, ordered=form.ordered)
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("thresholds", torch.zeros(classes))  # below it the label is not sure
        self.register_buffer("axes", torch.zeros(width, 0))  # the main ones of the features that it learned on
        self.register_buffer("reach", torch.ones(()))  # the strangeness that is 1

    def forward(self, x: Tensor) -> Tensor:
        return self.logits(self.pool(x))

    def pool(self, x: Tensor) -> Tensor:
        """The costly half, for the accelerator: float [N, 3, size, size] to float [N, P]."""
        return pooled(self.encoder, x)

    def logits(self, features: Tensor) -> Tensor:
        """The cheap half, in float32."""
        found: Tensor = self.head(features.float())
        return found / self.temperature

    def judge(self, features: Tensor) -> list[Judgement]:
        """What it says of pictures. features: float [N, P], from `pool`."""
        found = probabilities(self.logits(features), self.form.ordered)
        best = most_probable(found, self.form.ordered)
        strange = self.strangeness(features)
        unsure = (found.gather(1, best[:, None])[:, 0] < self.thresholds[best]) | (strange > 1)
        return [
            Judgement(self.form.labels[b], p, u, s)
            for b, p, u, s in zip(best.tolist(), found.tolist(), unsure.tolist(), strange.tolist(), strict=True)
        ]

    def strangeness(self, features: Tensor) -> Tensor:
        """How unlike the pictures that it learned on, float [N]: what the main axes of their features leave over.

        Wang, Li, Feng and Zhang, "ViM: Out-of-Distribution with Virtual-logit Matching", CVPR 2022, the residual alone.
        """
        normal = (features.float() - self.head.mean) / self.head.deviation
        left = normal - normal @ self.axes @ self.axes.T
        return left.norm(dim=1) / self.reach


def pooled(encoder: LiteEncoder, x: Tensor) -> Tensor:
    """The averages of all levels of an encoder, float [N, sum of its widths]."""
    return torch.cat([level.mean((2, 3)) for level in encoder(x)], 1)


def probabilities(logits: Tensor, ordered: bool) -> Tensor:
    """Of each class, float [N, C]. logits: as `Head` gives them."""
    if not ordered:
        return logits.softmax(1)
    above = logits.sigmoid()
    ends = above.new_ones(len(above), 1)
    bounds = torch.cat([ends, above, 0 * ends], 1)
    return bounds[:, :-1] - bounds[:, 1:]


def most_probable(found: Tensor, ordered: bool) -> Tensor:
    """Number of the class that is answered, int64 [N]: the most probable one, of ordered ones the median."""
    return (found.cumsum(1) < 0.5).sum(1).clamp(max=found.shape[1] - 1) if ordered else found.argmax(1)


def read_form(path: Path) -> Form | None:
    """The form of the classifier in a weights file; None where the file is no export.

    Raises:
        HairlineError: it is an export of a kind that this version does not know.
    """
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(KEY)
    except Exception:  # no safetensors at all: whoever loads it will say so
        return None
    if text is None:
        return None
    try:
        return Form.model_validate(json.loads(text))
    except (ValueError, ValidationError) as error:
        line = " ".join(str(error).split())[:200]
        raise HairlineError(f"weights {path}: a classifier of another version of Hairline: {line}") from error


def load(path: Path, form: Form, device: torch.device) -> ExportedNet:
    """The classifier ready for inference: its encoder on the device, what comes after it in float32 on the CPU.

    Raises:
        HairlineError: the weights are damaged.
    """
    network = ExportedNet(form)
    network.axes = torch.zeros(_shape(path, "axes"))
    network = checkpoints.load(network, path)
    return compiled.ready(network, device, fold_bn(network.encoder))


def _shape(path: Path, name: str) -> Any:
    try:
        with safe_open(path, "pt") as file:
            return file.get_slice(name).get_shape()
    except Exception as error:
        raise HairlineError(f"weights {path} are damaged: {' '.join(str(error).split())[:200]}") from error
