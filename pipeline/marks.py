"""Marks of what is being worked on, so that a picture that kills its process is found and left out.

A batch is marked before it goes through the stages, and the mark goes when they are through. A mark that is
still there when the batch comes again says that its process died. After two deaths the pictures of
the batch go one by one, each one marked; one that dies twice alone is the culprit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from ..stages.errors import PictureError
from ..stages.item import Item
from .storage import WORK, Folder

DEATHS_TOGETHER = 2
DEATHS_ALONE = 2


class Marks:
    """The marks of one pool in one run."""

    def __init__(self, output: Folder, run_id: str, pool: str) -> None:
        self._output = output
        self._folder = f"{WORK}/{run_id}/marks-{hashlib.sha256(pool.encode()).hexdigest()[:8]}"

    def guard(self, items: Sequence[Item], work: Callable[[Sequence[Item]], None], turn: Lock, stage: str) -> None:
        """Does the work on a batch, holding `turn`; adds earlier starts to `item.attempts`.

        A picture that killed its process again and again ends as `failed`, `crashed_worker`, in `stage`.

        Raises:
            HairlineError: a mark cannot be written.
        """
        ids = "\0".join(item.id for item in items)
        name = f"{self._folder}/{hashlib.sha256(ids.encode()).hexdigest()[:32]}"
        mark = self._read(name)
        for item in items:
            item.attempts += mark["starts"]
        mark["starts"] += 1
        self._write(name, mark)
        if mark["starts"] <= DEATHS_TOGETHER:
            with turn:
                work(items)
        else:
            for item in items:
                deaths = mark["alone"].get(item.id, 0)
                if deaths >= DEATHS_ALONE:
                    crash = PictureError(
                        "crashed_worker", f"its process died {deaths} times while it was worked on alone"
                    )
                    item.fail(stage, crash)
                    continue
                with turn:  # before the mark: the death of another batch's picture must not be laid to this one
                    self._write(name, {**mark, "alone": {**mark["alone"], item.id: deaths + 1}})
                    work([item])
                    self._write(name, mark)
        with self._output.writing():
            self._output.delete(name)

    def _read(self, name: str) -> dict[str, Any]:
        with self._output.writing():
            try:
                mark: dict[str, Any] = json.loads(self._output.read(name))
            except FileNotFoundError:
                return {"starts": 0, "alone": {}}
            return mark

    def _write(self, name: str, mark: dict[str, Any]) -> None:
        with self._output.writing():
            self._output.write(name, json.dumps(mark).encode())
