"""Work in an output beside its runs: cuts and reviews, which take no lease, for they write nothing that a run does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from .made import clear_dead, leave
from .presence import CUT, present
from .storage import Folder
from .tally import new_run_id


@contextmanager
def cut_output(output: str) -> Iterator[Folder]:
    """The output, for as long as the cut or the review lasts; however it ends, it leaves nothing half-made there."""
    folder = Folder(output, CUT + new_run_id())
    with ExitStack() as stack:
        stack.callback(leave, folder)
        stack.enter_context(present(folder))
        with folder.writing():
            clear_dead(folder, cuts_only=True)
        try:
            yield folder
        finally:
            with suppress(Exception):  # the disk may be full or gone
                clear_dead(folder, cuts_only=True, also=folder.run_id)
