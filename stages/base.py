"""What a stage is, and the one place that runs it: skipping, errors, halving and timing.

A new stage subclasses `Stage`, gives its settings as a pydantic model and implements `process`.
It fills in facts on the items in place; it neither drops nor adds items, so none can vanish.
`process` may be called again on the same item after an error in its batch, so it must overwrite
its own facts and not accumulate them.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Generic, TypeVar

import torch
from pydantic import BaseModel, ConfigDict

from .errors import PictureError
from .item import Item


class Settings(BaseModel):
    """Base of every stage's settings: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Settings)
T = TypeVar("T")


class Stage(ABC, Generic[S]):
    """One step over a batch of pictures.

    Attributes:
        name: the stage's name in job files, rows and reports.
        Settings: the pydantic model of its settings.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[Settings]]

    def __init__(self, settings: S) -> None:
        self.settings = settings

    def setup(self, device: torch.device) -> None:
        """Loads weights and warms up, once in each process.

        Args:
            device: where networks are to run.

        Raises:
            HairlineError: a user's mistake, such as weights that are missing or of another network.
        """

    @classmethod
    def weight_hashes(cls, settings: S) -> dict[str, str]:
        """The weight files that the settings name, as {role: SHA-256 in hex}; part of the job's fingerprint.

        Raises:
            HairlineError: a file is missing, or its hash is not the one that the settings name.
        """
        return {}

    @abstractmethod
    def process(self, items: Sequence[Item]) -> None:
        """Fills in this stage's facts on every item, in place.

        Call `item.filter(self.name, reason)` for a judgement about the picture. Raise PictureError
        (or anything) when an item breaks: `run_stage` finds out which one by halving the batch.
        """

    def one_by_one(self, items: Sequence[Item], prepare: Callable[[Item], T]) -> Iterator[tuple[Item, T]]:
        """Each item with what `prepare` returns for it; an item for which it raises ends as `failed` and is left out.

        Out of memory is raised again: `run_stage` makes room and tries the batch again in halves.
        """
        for item in items:
            try:
                made = prepare(item)
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                item.fail(self.name, error)
            else:
                yield item, made


class EachStage(Stage[S]):
    """A stage that works on one picture at a time."""

    @abstractmethod
    def process_one(self, item: Item) -> None:
        """Fills in this stage's facts on one item, in place."""

    def process(self, items: Sequence[Item]) -> None:
        for _ in self.one_by_one(items, self.process_one):
            pass


def run_stage(stage: Stage[S], items: Sequence[Item]) -> None:
    """Runs one stage over the items that have not ended, and for which it is not done.

    A batch that raises is halved until the broken item is alone; only that one fails. Running out
    of memory halves the same way after the GPU's cache is emptied; a single picture that does not
    fit fails as `out_of_memory`. The wall time is shared equally among the items of a batch.
    """
    _run_batch(stage, [item for item in items if is_due(stage, item)])


def is_due(stage: Stage[S], item: Item) -> bool:
    """Whether a picture is to go through a stage: it has not ended, and the stage's answers are not there yet."""
    return not item.ended and stage.name not in item.done


def run_stages(stages: Sequence[Stage[Settings]], items: Sequence[Item]) -> None:
    """Runs the stages one after the other; what is still pending at the end is left pending."""
    for stage in stages:
        run_stage(stage, items)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of torch, OpenCV or Python means that the GPU's or the machine's memory is full."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return any(words in str(error) for words in ("can't allocate memory", "Insufficient memory"))  # torch, OpenCV


def _run_batch(stage: Stage[S], batch: Sequence[Item]) -> None:
    if not batch:
        return
    started = time.perf_counter()
    error = _try_batch(stage, batch)
    _add_seconds(stage.name, batch, started)
    if error is None:
        return
    if isinstance(error, PictureError) and error.reason == "out_of_memory" and torch.cuda.is_available():
        torch.cuda.empty_cache()
    if len(batch) == 1:
        if not batch[0].ended:
            batch[0].fail(stage.name, error)
        return
    del error  # its traceback holds whatever the batch had computed
    middle = len(batch) // 2
    for half in (batch[:middle], batch[middle:]):
        _run_batch(stage, [item for item in half if not item.ended])


def _try_batch(stage: Stage[S], batch: Sequence[Item]) -> Exception | None:
    try:
        stage.process(batch)
    except Exception as error:
        if is_out_of_memory(error):  # without the traceback, whose frames hold the tensors that fill the memory
            return PictureError("out_of_memory", str(error)[:200])
        return error
    return None


def _add_seconds(name: str, batch: Sequence[Item], started: float) -> None:
    seconds = (time.perf_counter() - started) / max(len(batch), 1)
    for item in batch:
        item.seconds[name] = item.seconds.get(name, 0.0) + seconds
