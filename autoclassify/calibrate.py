"""From scores to probabilities: temperature, a threshold for each class, and the limit of what is strange."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..stages.networks.exported import ExportedNet, most_probable, probabilities

PRECISION = 0.95  # that the answers of each class are to have, where thresholds can bring it
KEPT = 0.5  # share of a class's answers that no threshold takes away
INSIDE = 0.99  # share of held-out pictures that are not strange
EXPLAINED = 0.9  # share of the features' variance that the axes hold


def log_loss(found: Tensor, targets: Tensor) -> float:
    return float(-found.gather(1, targets[:, None]).clamp(min=1e-9).log().mean())


def fit_temperature(logits: Tensor, targets: Tensor, ordered: bool) -> float:
    """The temperature of least log loss (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017)."""
    tried = torch.exp(torch.linspace(-1.8, 1.8, 145))
    return float(min(tried, key=lambda t: log_loss(probabilities(logits / t, ordered), targets)))


def fit_thresholds(found: NDArray, predicted: NDArray, targets: NDArray, classes: int) -> NDArray[np.float32]:
    """For each class the lowest probability from which on its answers are right `PRECISION` of the time.

    No threshold takes more than 1 - `KEPT` of a class's answers. 0 where all answers together are as precise.

    Args:
        found: probabilities, [N, C].
        predicted, targets: numbers of classes, [N].
    """
    limits = np.zeros(classes, np.float32)
    for label in range(classes):
        mine = predicted == label
        scores, right = found[mine, label], targets[mine] == label
        order = np.argsort(-scores)
        precision = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
        enough = np.nonzero(precision >= PRECISION)[0]
        if not len(order) or precision[-1] >= PRECISION:
            continue
        kept = max(enough[-1] + 1 if len(enough) else 0, int(np.ceil(KEPT * len(order))))
        limits[label] = scores[order[kept - 1]]
    return limits


def calibrate(network: ExportedNet, inside: Tensor, outside: Tensor, targets: NDArray[np.int64]) -> None:
    """Fits all of it, in place.

    Args:
        inside: features of pictures that it learned on, float [M, P], as `pool` gives them.
        outside: of pictures held out, float [N, P].
        targets: the labels of these, [N].
    """
    truth, ordered = torch.from_numpy(targets), network.form.ordered
    with torch.no_grad():
        network.temperature.fill_(1.0)
        network.temperature.fill_(fit_temperature(network.logits(outside), truth, ordered))
        found = probabilities(network.logits(outside), ordered)
        predicted = most_probable(found, ordered).numpy()
        limits = fit_thresholds(found.numpy(), predicted, targets, len(network.form.labels))
        network.thresholds.copy_(torch.from_numpy(limits))
        normal = (inside - network.head.mean) / network.head.deviation
        _, size, axes = torch.linalg.svd(normal, full_matrices=False)
        share = (size**2).cumsum(0) / (size**2).sum()
        network.axes = axes[: int((share < EXPLAINED).sum()) + 1].T.contiguous()
        network.reach.fill_(1.0)
        network.reach.fill_(float(torch.quantile(network.strangeness(outside), INSIDE).clamp(min=1e-6)))
