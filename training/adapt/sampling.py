"""Which pictures of a catalog are labelled, and which of them are kept apart.

Some of the catalog are looked at by the classifier and by the shipped coarse network; chosen are pictures of every
category and of every confidence, few of what looks nearly alike. Near duplicates never stand in two parts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor, nn

from ...stages import checkpoints
from ...stages.classify import network_input
from ...stages.coarse import predict_alpha
from ...stages.decode.picture import Picture
from ...stages.errors import PictureError
from ...stages.networks.batch import forward_images
from ...stages.networks.blocks import fold_bn
from ...stages.networks.classifier import CATEGORIES, SIZE, ClassifierNet
from ...stages.networks.coarse import CoarseNet
from ..data import U8, shrink
from .work import Candidate, Tell, Work

SIDE = 640  # longest side at which pictures are labelled, learned from and judged, pixels
CANDIDATES = 4  # for each picture that is labelled, so many are looked at
LOOK_SHARE = 0.12  # of the budget
SURE = 0.5  # probability from which a category counts as known
SAME_HASH, LIKE_HASH, LIKE, SAME = 2, 12, 0.8, 0.92  # see `autoclassify/duplicates.py`: bits, and cosine of features
PER_GROUP = 2  # pictures of one group of near duplicates
PARTS = {"train": 0.6, "val": 0.1, "test": 0.3}  # learned from; weights are picked by; kept apart, to judge by
MINIMUM = 8  # bytes of a file that can hold a picture


@dataclass(frozen=True)
class Looks:
    """What was seen of the candidates; one row each.

    Attributes:
        ids: of the pictures; those that cannot be used are not among them.
        category: the classifier's; `unsure` where it is not sure.
        confidence: float32 [N], 0..1, of the shipped coarse network.
        phash: uint64 [N], perceptual hashes.
        features: float16 [N, P], of the classifier.
    """

    ids: NDArray[np.str_]
    category: NDArray[np.str_]
    confidence: NDArray[np.float32]
    phash: NDArray[np.uint64]
    features: NDArray[np.float16]


def shipped(network: nn.Module, file: str, device: torch.device) -> nn.Module:
    """A network with the weights in the tree, ready for inference."""
    return checkpoints.inference(fold_bn(checkpoints.load(network, checkpoints.find("builtin", file))), device)


def shipped_coarse(device: torch.device) -> nn.Module:
    """The coarse network with the weights in the tree."""
    return shipped(CoarseNet(), "coarse-general.safetensors", device)


def confidence(alpha: U8, error: U8) -> float:
    """How sure the coarse network is, 0..1: one less the expected error, summed, against the subject's area.

    Args:
        alpha, error: uint8 [h, w], 0..255, as `predict_alpha` gives them.
    """
    return float(np.clip(1 - error.sum(dtype=float) / max(alpha.sum(dtype=float), 255.0), 0, 1))


class Looker:
    """Looks at pictures with the networks in the tree."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.coarse = shipped_coarse(device)
        self.classifier = shipped(ClassifierNet(), "classify.safetensors", device)

    def __call__(self, picture: Picture) -> tuple[str, float, int, NDArray[np.float16]]:
        """Category, confidence, perceptual hash and features of a picture."""

        def describe(x: Tensor) -> Tensor:
            pooled = self.classifier.encoder(x)[-1].mean((2, 3))
            logits = self.classifier.head(pooled).float() / self.classifier.temperature
            return torch.cat([logits.softmax(1), pooled.float()], 1)

        found = forward_images(describe, network_input(picture, SIZE)[None], self.device)[0].numpy()
        odds, features = found[: len(CATEGORIES)], found[len(CATEGORIES) :]
        category = CATEGORIES[int(odds.argmax())] if odds.max() >= SURE else "unsure"
        small = picture.small(SIDE)
        sure = confidence(*predict_alpha(self.coarse, [small], self.device)[0])
        return category, sure, phash(small), features.astype(np.float16)


def look(
    candidates: Sequence[Candidate], read: Callable[[Candidate], bytes], work: Work, most: int, tell: Tell
) -> Looks:
    """Looks at candidates, in their order, until so many are seen or the share of the time is over.

    What earlier calls saw is kept. Pictures that cannot be read, and those that bring a matte of their own, are passed
    over.
    """
    path = work.inside / "looks.npz"
    seen, done = _load(path)
    if done:
        return looks_of(seen)
    looker, known, passed = Looker(torch.device("cuda" if torch.cuda.is_available() else "cpu")), set(seen), 0
    for candidate in candidates:
        if len(seen) >= most or (work.tick("look") > LOOK_SHARE * work.minutes * 60 and len(seen) >= most / CANDIDATES):
            break
        if candidate.id in known:
            continue
        try:
            picture = Picture(read(candidate))
            if picture.own_matte is not None:
                raise PictureError("unsupported", "it brings its own matte")
            seen[candidate.id] = looker(picture)
        except (PictureError, OSError) as error:
            passed += 1
            tell(f"passed over: {candidate.id}: {error}")
            continue
        if not len(seen) % 100:
            _store(path, seen, False)
            tell(f"{len(seen)} pictures looked at")
    _store(path, seen, bool(seen))  # where nothing could be read, a later call tries again
    work.tick("look")
    work.save()
    tell(f"{len(seen)} pictures looked at" + (f", {passed} passed over" if passed else ""))
    return looks_of(seen)


def choose(looks: Looks, groups: NDArray[np.int64], count: int, wanted: Sequence[str] = ()) -> list[int]:
    """Rows of at most so many pictures: those wanted, then by turns one of each category and third of confidence."""
    thirds = np.searchsorted(np.quantile(looks.confidence, (1 / 3, 2 / 3)), looks.confidence)
    cells: dict[tuple[str, int], list[int]] = defaultdict(list)
    for row, cell in enumerate(zip(looks.category.tolist(), thirds.tolist(), strict=True)):
        cells[cell].append(row)
    first = set(wanted)
    chosen = [row for row, id in enumerate(looks.ids.tolist()) if id in first][:count]
    taken, used = set(chosen), Counter(groups[chosen].tolist())
    queues = [iter(cells[cell]) for cell in sorted(cells)]
    while queues and len(chosen) < count:
        for queue in list(queues):
            row = next((r for r in queue if r not in taken and used[int(groups[r])] < PER_GROUP), None)
            if row is None:
                queues.remove(queue)
            elif len(chosen) < count:
                chosen.append(row)
                taken.add(row)
                used[int(groups[row])] += 1
    return chosen


def split(groups: Sequence[int]) -> list[str]:
    """A part of `PARTS` for each picture, in order; a group is never torn apart.

    Each group goes where most is missing, so that all parts fill evenly however few of the pictures are labelled.
    """
    part_of: dict[int, str] = {}
    counts = dict.fromkeys(PARTS, 0)
    sizes = Counter(groups)
    for group in groups:
        if group not in part_of:
            total = sum(counts.values()) + sizes[group]
            part = max(PARTS, key=lambda name: PARTS[name] * total - counts[name])
            part_of[group], counts[part] = part, counts[part] + sizes[group]
    return [part_of[group] for group in groups]


def near_duplicates(looks: Looks) -> NDArray[np.int64]:
    """Numbers of groups, int64 [N]: near duplicates, and what is linked by them, have the same one."""
    features = looks.features.astype(np.float32)
    features = (features - features.mean(0)) / (features.std(0) + 1e-3)
    features /= np.linalg.norm(features, axis=1, keepdims=True) + 1e-9
    edges = []
    for row in range(len(features) - 1):
        bits = np.bitwise_count(looks.phash[row + 1 :] ^ looks.phash[row])
        cosine = features[row + 1 :] @ features[row]
        near = (bits <= SAME_HASH) | ((bits <= LIKE_HASH) & (cosine >= LIKE)) | (cosine >= SAME)
        edges += [(row, row + 1 + int(other)) for other in np.flatnonzero(near)]
    count = len(features)
    pairs = np.array(edges, np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def phash(rgb: U8) -> int:
    """The perceptual hash of a picture, 64 bits: signs of its lowest frequencies around their median (Zauner 2010)."""
    grey = cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
    low = cv2.dct(grey.astype(np.float32))[:8, :8]
    return int(np.packbits((low > np.median(low)).ravel()).view(">u8")[0])


def pixels(data: bytes) -> U8:
    """A picture as it is labelled, uint8 [H, W, 3]. Raises PictureError."""
    return shrink(Picture(data).small(SIDE), SIDE)


Seen = dict[str, tuple[str, float, int, NDArray[np.float16]]]


def looks_of(seen: Seen) -> Looks:
    """What a `Looker` said of pictures, by their ids, as one table."""
    category, confidence, hashes, features = zip(*seen.values(), strict=True) if seen else ((), (), (), ())
    return Looks(
        np.array(list(seen), str),
        np.array(category, str),
        np.array(confidence, np.float32),
        np.array(hashes, np.uint64),
        np.array(features, np.float16).reshape(len(seen), -1),
    )


def _store(path: Path, seen: Seen, done: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(part, done=done, **vars(looks_of(seen)))
    part.replace(path)


def _load(path: Path) -> tuple[Seen, bool]:
    if not path.is_file():
        return {}, False
    with np.load(path) as kept:
        columns = [kept[name].tolist() for name in ("ids", "category", "confidence", "phash")]
        rows = zip(*columns, kept["features"], strict=True)
        return {id: (category, confidence, hash, row) for id, category, confidence, hash, row in rows}, bool(
            kept["done"]
        )
