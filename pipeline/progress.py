"""What a person sees while a run lasts, and the table at its end."""

from __future__ import annotations

import threading
from collections import Counter
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .tally import Tally

EVERY_S = 10.0  # a plain line, where there is no terminal
STYLES = {"ok": "green", "filtered": "yellow", "failed": "red"}


class Progress:
    """A live line on a terminal, plain lines elsewhere, while the `with` block lasts."""

    def __init__(self, tally: Tally, console: Console) -> None:
        self._tally, self._console = tally, console
        self._done = threading.Event()
        self._live = Live(get_renderable=self._line, console=console, refresh_per_second=2, transient=True)
        self._thread = threading.Thread(target=self._speak, daemon=True)

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        else:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        if self._console.is_terminal:
            self._live.stop()
        else:
            self._thread.join()

    def _speak(self) -> None:
        while not self._done.wait(EVERY_S):
            self._console.print(self._line(), soft_wrap=True)

    def _line(self) -> Text:
        tally = self._tally
        statuses = tally.statuses
        line = Text(f"{tally.done:,} of {tally.total:,}")
        for status, style in STYLES.items():
            line.append(f"  {status} ", style="dim")
            line.append(f"{statuses[status]:,}", style=style)
        speed = tally.recent()
        if speed:
            line.append(f"  {speed:.3g} pictures/s  {clock((tally.total - tally.done) / speed)} left")
        elif not tally.done:
            line.append(f"  starting ({clock(tally.elapsed)})")
        return line


def clock(seconds: float) -> str:
    """A length of time: 45 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def outcome_table(counts: Counter[tuple[str, str]]) -> Table:
    """Pictures by status and reason."""
    table = Table(box=None, pad_edge=False)
    table.add_column("status")
    table.add_column("reason")
    table.add_column("pictures", justify="right")
    order = list(STYLES)
    for (status, reason), number in sorted(counts.items(), key=lambda pair: (order.index(pair[0][0]), -pair[1])):
        table.add_row(Text(status, style=STYLES[status]), reason, f"{number:,}")
    return table
