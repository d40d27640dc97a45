"""A function of one picture, such as a stage, over many pictures on all cores: for figures and thresholds."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import TypeVar

import torch

from ..stages.base import Settings, Stage
from ..stages.registry import stage_class
from .validation import Picture

T = TypeVar("T")


@cache
def pool() -> ProcessPoolExecutor:
    """As many processes as this one may use cores, of one thread each."""
    return ProcessPoolExecutor(len(os.sched_getaffinity(0)), get_context("spawn"), torch.set_num_threads, (1,))


def parallel_map(measure: Callable[[Picture], T], pictures: Sequence[Picture], every: int = 50) -> list[T]:
    """What `measure` returns for each picture, in order; prints a line every so many pictures."""
    found = []
    for answer in pool().map(measure, pictures):
        found.append(answer)
        if not len(found) % every:
            print(f"  {len(found)} of {len(pictures)}", flush=True)
    return found


@cache
def stage(name: str, **options: float | str) -> Stage[Settings]:
    """A stage that is ready, with its default settings but for the options."""
    kind = stage_class(name)
    made = kind(kind.Settings(**options))
    made.setup(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    return made
