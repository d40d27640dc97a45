"""Exact and near duplicates: which pictures are the same file, and which show the same thing almost alike.

Near duplicates are looked for among candidates only, so that a million pictures take minutes: pairs that share some
bits of their perceptual hash, or fall on the same side of the same random planes by their features (random projections:
Charikar, "Similarity Estimation Techniques from Rounding Algorithms", 2002).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

BANDS, TOGETHER = 4, 2  # of the perceptual hash: candidates share two of its four parts of 16 bits
TABLES, PLANES = 8, 20  # of the features
NEIGHBOURS = 16  # candidates of one picture in one table: many flat pictures have the same hash
SAME_HASH = 2  # bits that may differ where the hash alone decides
LIKE_HASH, LIKE = 12, 0.8  # bits and cosine of the features that decide together
SAME = 0.92  # cosine that decides alone
CHUNK = 8192  # pairs compared at once

Pairs = NDArray[np.int64]  # [M, 2], numbers of pictures


@dataclass(frozen=True)
class Looks:
    """How pictures look.

    Attributes:
        phash: uint64 [N], perceptual hashes.
        features: float16 [N, P], of an encoder; compared around their mean and scaled to deviation 1.
    """

    phash: NDArray[np.uint64]
    features: NDArray[np.float16]

    def __post_init__(self) -> None:
        sample = self.features[:: max(1, len(self.features) // 50_000)].astype(np.float32)
        object.__setattr__(self, "_moments", (sample.mean(0), sample.std(0) + 1e-3))

    def normal(self, rows: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """Features of some pictures, normalised, float32 [n, P]."""
        mean, deviation = self._moments  # type: ignore[attr-defined]
        found: NDArray[np.float32] = (self.features[rows].astype(np.float32) - mean) / deviation
        return found


def groups(looks: Looks, seed: int = 0) -> NDArray[np.int64]:
    """Numbers of groups, int64 [N]: near duplicates, and what is linked by them, have the same one."""
    count = len(looks.phash)
    found = [_confirmed(looks, pairs) for pairs in _candidates(looks, seed)] if count > 1 else []
    edges = np.concatenate([np.empty((0, 2), np.int64), *found])
    graph = coo_array((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), shape=(count, count))
    numbers: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return numbers


def _candidates(looks: Looks, seed: int) -> Iterator[Pairs]:
    parts = [(looks.phash >> np.uint64(16 * band)) & np.uint64(0xFFFF) for band in range(BANDS)]
    for a, b in combinations(parts, TOGETHER):
        yield _pairs((a << np.uint64(16)) | b, looks.phash)
    planes = np.random.default_rng(seed).standard_normal((looks.features.shape[1], TABLES * PLANES)).astype(np.float32)
    sides = np.empty((len(looks.phash), TABLES * PLANES), bool)
    for start in range(0, len(sides), CHUNK):
        part = slice(start, start + CHUNK)
        sides[part] = looks.normal(part) @ planes > 0
    weights = np.uint64(1) << np.arange(PLANES, dtype=np.uint64)
    for table in np.split(sides, TABLES, axis=1):
        yield _pairs(table @ weights, looks.phash)


def _pairs(key: NDArray[np.uint64], phash: NDArray[np.uint64]) -> Pairs:
    """Pairs with the same key; of many, each with the next ones by its hash."""
    order = np.lexsort((phash, key))
    ranked = key[order]
    found = [np.empty((0, 2), np.int64)]
    for step in range(1, min(NEIGHBOURS, len(key) - 1) + 1):
        at = np.nonzero(ranked[step:] == ranked[:-step])[0]
        if not len(at):
            break
        found.append(np.stack([order[at], order[at + step]], 1))
    return np.concatenate(found)


def _confirmed(looks: Looks, pairs: Pairs) -> Pairs:
    kept = [np.empty((0, 2), np.int64)]
    for start in range(0, len(pairs), CHUNK):
        part = pairs[start : start + CHUNK]
        bits = np.bitwise_count(looks.phash[part[:, 0]] ^ looks.phash[part[:, 1]])
        a, b = looks.normal(part[:, 0]), looks.normal(part[:, 1])
        cosine = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) + 1e-9)
        near = (bits <= SAME_HASH) | ((bits <= LIKE_HASH) & (cosine >= LIKE)) | (cosine >= SAME)
        kept.append(part[near])
    return np.concatenate(kept)


def first_of_each(digests: NDArray) -> NDArray[np.int64]:
    """For each picture the number of the first with the same digest, int64 [N]; its own where it is the first."""
    _, first, place = np.unique(digests, return_index=True, return_inverse=True)
    numbers: NDArray[np.int64] = first[place].astype(np.int64)
    return numbers
