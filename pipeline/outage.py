"""Whether an object storage is away, or one picture has itself to blame.

A picture that cannot be had, for the server refuses it or gives no answer, may have itself to blame, or the bucket.
What tells them apart is a *witness*: an object that could be read a moment ago, of the same folder if there is one. If
that cannot be had now either, nothing is wrong with the picture.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from .retry import Trouble, classify_error
from .storage import is_local, remote

FOLDERS = 256  # whose witnesses are kept
BURST_S = 30.0  # so long after an object that was refused could be read after all, refusals say nothing of an object
AWAY = {Trouble.PASSING, Trouble.THROTTLED, Trouble.STALE}


class Witnesses:
    """Objects that could be read, the newest of each folder."""

    def __init__(self, uris: Iterable[str] = ()) -> None:
        self._paths: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()
        self._relented = -BURST_S
        for uri in uris:
            if not is_local(uri):
                self.add(remote(uri)[1])

    def add(self, path: str, refused: bool = False) -> None:
        """An object (`bucket/key`) has been read. `refused`: only after it had been refused."""
        with self._lock:
            if refused:
                self._relented = time.monotonic()
            folder = path.rpartition("/")[0]
            self._paths[folder] = path
            self._paths.move_to_end(folder)
            if len(self._paths) > FOLDERS:
                self._paths.popitem(last=False)

    def of(self, path: str) -> str:
        """What to ask for when an object cannot be had: in the same folder or else the same bucket; empty: nothing."""
        bucket = path.partition("/")[0] + "/"
        with self._lock:
            same = self._paths.get(path.rpartition("/")[0])
            return same or next((each for each in reversed(self._paths.values()) if each.startswith(bucket)), "")

    def are_away(self, files: Any, path: str) -> bool:
        """Whether what could be read cannot be read either, or only now and then.

        Without a witness the bucket itself is asked for.
        That it may not be asked for says nothing then: many may read objects, but not look at their bucket.
        """
        if time.monotonic() - self._relented < BURST_S:
            return True
        witness = self.of(path)
        try:
            if witness:
                files.cat_file(witness, start=0, end=1)
            else:
                files.info(path.partition("/")[0])
        except Exception as error:
            trouble = classify_error(error).trouble
            return trouble in AWAY or (bool(witness) and trouble is Trouble.REFUSED)
        return False
