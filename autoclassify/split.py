"""The split into train, val and test: stratified by class, near duplicates together, and kept once it is made."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

FOLDS = 6  # of the whole: one is for test, one for val, the others for train


def split(
    labels: Sequence[str], groups: NDArray[np.int64], fixed: Sequence[str] | Mapping[int, str], seed: int = 0
) -> list[str]:
    """`train`, `val` or `test` for each picture.

    Args:
        labels: of the pictures.
        groups: [N], pictures of one number stay together.
        fixed: what is settled already, for each picture, empty where nothing is: by the user or by an earlier call.
            A group that is settled in several ways is not torn out of them: see `leaks`.
        seed: of the shuffle.
    """
    settled = [fixed[i] for i in range(len(labels))]
    of_group = {group: part for group, part in zip(groups.tolist(), settled, strict=True) if part}
    found = [part or of_group.get(group, "") for part, group in zip(settled, groups.tolist(), strict=True)]
    rest = np.array([i for i, part in enumerate(found) if not part])
    if not len(rest):
        return found
    names = np.asarray(labels, object)[rest].astype(str)
    folds = np.full(len(rest), FOLDS - 1)
    if len(np.unique(groups[rest])) >= FOLDS and np.unique(names, return_counts=True)[1].max() >= FOLDS:
        cutter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a class with fewer pictures than folds is seen to below
            for fold, (_, inside) in enumerate(cutter.split(rest, names, groups[rest])):
                folds[inside] = fold
    part_of = np.array(["test", "val", *["train"] * (FOLDS - 2)])
    for place, part in zip(rest.tolist(), part_of[folds].tolist(), strict=True):
        found[place] = part
    return _every_class_everywhere(labels, groups, found, settled)


def _every_class_everywhere(
    labels: Sequence[str], groups: NDArray[np.int64], parts: list[str], settled: Sequence[str]
) -> list[str]:
    """Gives a part in which a class is missing its smallest group from the part that has most groups of that class."""
    of_label: dict[str, list[int]] = {}
    for i, label in enumerate(labels):
        of_label.setdefault(label, []).append(i)
    for _, mine in sorted(of_label.items()):
        for missing in ("train", "val", "test"):
            by_part: dict[str, dict[int, int]] = {"train": {}, "val": {}, "test": {}}
            for i in mine:
                counts = by_part[parts[i]]
                counts[int(groups[i])] = counts.get(int(groups[i]), 0) + 1
            if by_part[missing]:
                continue
            giver = max(by_part, key=lambda part: len(by_part[part]))
            free = {g: n for g, n in by_part[giver].items() if not any(settled[i] for i in mine if groups[i] == g)}
            if len(by_part[giver]) < 2 or not free:
                continue
            moved = min(free, key=lambda g: (free[g], g))
            parts = [missing if group == moved else part for part, group in zip(parts, groups.tolist(), strict=True)]
    return parts


def leaks(groups: NDArray[np.int64], parts: Sequence[str]) -> list[int]:
    """Numbers of pictures that have a near duplicate in a part that is held out from theirs: val from train, test from
    both."""
    rank = {"train": 0, "val": 1, "test": 2}
    highest: dict[int, int] = {}
    for group, part in zip(groups.tolist(), parts, strict=True):
        highest[group] = max(highest.get(group, 0), rank[part])
    return [i for i, (g, part) in enumerate(zip(groups.tolist(), parts, strict=True)) if rank[part] < highest[g]]
