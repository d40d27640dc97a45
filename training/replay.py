"""Showing samples more than once: making one costs as much as learning from it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Sample = dict[str, np.ndarray]


class Replay:
    """A sampler that makes a new sample for a share of its calls and shows an old one, mirrored, for the others.

    Args:
        make: (rng, progress) to a sample; its `image` is uint8 [3, S, S].
        fresh: share of new samples.
        kept: how many old ones are remembered; the oldest go first.
    """

    def __init__(
        self, make: Callable[[np.random.Generator, float], Sample], fresh: float = 0.5, kept: int = 5000
    ) -> None:
        self.make, self.fresh, self.kept = make, fresh, kept
        self.old: list[Sample] = []
        self.next = 0

    def __call__(self, rng: np.random.Generator, progress: float) -> Sample:
        if len(self.old) > 500 and rng.random() > self.fresh:
            sample = dict(self.old[rng.integers(len(self.old))])
            if rng.random() < 0.5:
                sample["image"] = np.ascontiguousarray(sample["image"][:, :, ::-1])
            return sample
        sample = self.make(rng, progress)
        if len(self.old) < self.kept:
            self.old.append(sample)
        else:
            self.old[self.next] = sample
            self.next = (self.next + 1) % self.kept
        return sample
