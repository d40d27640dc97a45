"""Heads on cached features: seconds to learn, so they are the first rung of the search and the means of cleaning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor

from ..stages.networks.exported import Head, probabilities
from ..stages.networks.lite import LiteEncoder

BATCH, STEPS = 128, 16  # pictures of a step at most, and steps of an epoch at least


@dataclass(frozen=True)
class Recipe:
    """How a head learns.

    Attributes:
        lr: peak learning rate of AdamW; falls as a cosine to 0.
        weight_decay: of AdamW.
        hidden: units of the hidden layer; 0: none.
        dropout: share of the features that is left out in training.
        smoothing: of the labels, 0..1.
        balance: 0: pictures count alike; 1: classes do.
        levels: of the encoder whose features it sees, 1 to 5.
        epochs: rounds over the pictures.
    """

    lr: float = 3e-3
    weight_decay: float = 0.05
    hidden: int = 0
    dropout: float = 0.3
    smoothing: float = 0.05
    balance: float = 0.0
    levels: int = 5
    epochs: int = 30


@contextmanager
def one_thread() -> Iterator[None]:
    """Heads are small: several threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def width(levels: int) -> int:
    """Features of the first levels of an encoder: they stand first among those of all."""
    return sum(LiteEncoder(levels).widths)


def class_weights(targets: NDArray[np.int64], classes: int, balance: float) -> Tensor:
    """How much a picture of each class counts, float [C], 1 on average over the pictures."""
    counts = np.maximum(np.bincount(targets, minlength=classes), 1)
    weights = counts.astype(np.float64) ** -balance
    return torch.tensor(weights / (weights * counts).sum() * counts.sum(), dtype=torch.float32)


def loss(logits: Tensor, targets: Tensor, smoothing: float, ordered: bool, weights: Tensor) -> Tensor:
    """Cross-entropy with smoothed labels; of ordered classes over P(class > k), as CORAL has it."""
    if not ordered:
        each = F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
    else:
        above = (targets[:, None] > torch.arange(logits.shape[1], device=targets.device)).float()
        goal = above * (1 - smoothing) + smoothing / 2
        each = F.binary_cross_entropy_with_logits(logits, goal, reduction="none").sum(1)
    return (each * weights[targets]).mean()


def margins(logits: Tensor, targets: Tensor, ordered: bool) -> Tensor:
    """By how much the given class is ahead of the best other one, float [N]; of ordered classes in log-probability."""
    scores = probabilities(logits, True).clamp(min=1e-6).log() if ordered else logits
    given = scores.gather(1, targets[:, None])[:, 0]
    others = scores.scatter(1, targets[:, None], -torch.inf)
    return given - others.amax(1)


@one_thread()
def fit(
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    classes: int,
    recipe: Recipe,
    ordered: bool = False,
    seed: int = 0,
    after: Callable[[int, Head], None] = lambda epoch, head: None,
    head: Head | None = None,
    first: int = 0,
) -> tuple[Head, NDArray[np.float32]]:
    """Trains a head.

    Args:
        features: [N, P] of all levels; the recipe says how many are seen.
        targets: [N], numbers of the classes.
        classes: how many there are.
        ordered: whether they are.
        seed: of its first weights and of the order of the pictures.
        after: called after each epoch.
        head, first: one that has learned so many epochs already.

    Returns:
        The head, in evaluation mode, and for each picture the margin by which the given class led, averaged over the
        epochs: low where the label may be wrong (Pleiss et al., "Identifying Mislabeled Data using the Area Under
        the Margin Ranking", NeurIPS 2020).
    """
    torch.manual_seed(seed)
    x = torch.from_numpy(np.ascontiguousarray(features[:, : width(recipe.levels)], np.float32))
    y = torch.from_numpy(targets)
    weights = class_weights(targets, classes, recipe.balance)
    if head is None:
        head = Head(x.shape[1], classes, recipe.hidden, recipe.dropout, ordered)
        head.mean.copy_(x.mean(0))
        head.deviation.copy_(x.std(0) + 1e-3)
    batch = min(BATCH, max(8, len(x) // STEPS))
    steps = -(-len(x) // batch)
    optimizer = torch.optim.AdamW(head.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
    total = torch.zeros(len(x))
    for epoch in range(first, recipe.epochs):
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed * 1000 + epoch))
        head.train()
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = recipe.lr * 0.5 * (1 + np.cos(np.pi * (epoch + step / steps) / recipe.epochs))
            chosen = order[step * batch : (step + 1) * batch]
            optimizer.zero_grad()
            loss(head(x[chosen]), y[chosen], recipe.smoothing, ordered, weights).backward()
            optimizer.step()
        head.eval()
        with torch.no_grad():
            total += margins(head(x), y, ordered)
        after(epoch + 1, head)
    return head, (total / max(recipe.epochs - first, 1)).numpy()


@torch.no_grad()
def predict(head: Head, features: NDArray, ordered: bool, chunk: int = 65536) -> NDArray[np.float32]:
    """Probabilities, [N, C], of features of all levels."""
    inputs = len(head.mean)
    parts = [
        probabilities(head(torch.from_numpy(features[at : at + chunk, :inputs].astype(np.float32))), ordered)
        for at in range(0, len(features), chunk)
    ]
    found: NDArray[np.float32] = torch.cat(parts).numpy()
    return found


def out_of_fold(
    features: NDArray,
    targets: NDArray[np.int64],
    groups: NDArray[np.int64],
    classes: int,
    recipe: Recipe,
    ordered: bool = False,
    folds: int = 5,
    repeats: int = 2,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Probabilities of each picture by heads that have not seen it, nor a near duplicate of it.

    Returns:
        Probabilities [N, C], averaged over the repeats, and the in-sample margins [N], averaged over folds and epochs.
    """
    found = np.zeros((len(targets), classes), np.float32)
    ahead, seen = np.zeros(len(targets), np.float32), np.zeros(len(targets), np.float32)
    x = features.astype(np.float32)
    few = int(min(folds, max(2, np.bincount(targets, minlength=classes).min())))
    for repeat in range(repeats):
        cutter = StratifiedGroupKFold(few, shuffle=True, random_state=repeat)
        for inside, outside in cutter.split(x, targets, groups):
            head, margin = fit(x[inside], targets[inside], classes, recipe, ordered, seed=repeat)
            found[outside] += predict(head, x[outside], ordered) / repeats
            ahead[inside] += margin
            seen[inside] += 1
    return found, ahead / np.maximum(seen, 1)
