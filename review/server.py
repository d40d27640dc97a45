"""`hairline review`: a page for people on an output of a run, until Ctrl-C."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from rich.console import Console

from ..pipeline.beside import cut_output
from ..pipeline.decisions import Decisions
from ..pipeline.names import visible
from ..pipeline.outcome import load_outcome
from ..pipeline.storage import Folder
from ..serve.keys import Keys, demand_keys
from ..serve.security import UVICORN
from ..serve.startup_checks import address, listen
from .app import build
from .desk import Desk
from .index import Filter

GRACE_S = 5.0  # for what is being answered when it is to end


@dataclass(frozen=True)
class Asked:
    """What the command was asked for; see its options."""

    output: str
    host: str = "127.0.0.1"
    port: int = 8099
    keys: str = ""
    reviewer: str = ""
    sample: int = 0
    chosen: Filter = field(default_factory=Filter)


def review(asked: Asked, console: Console) -> int:
    """Shows the page until Ctrl-C, then says what was decided.

    Raises:
        HairlineError: there are no results, an address that is taken or open to others without a key, storage that
            cannot be read or written.
    """
    keys = Keys(Path(asked.keys).expanduser()) if asked.keys else None
    demand_keys(asked.host, keys)
    with ExitStack() as stack:
        load_outcome(asked.output)  # what is no output is left as it is
        listener = stack.enter_context(listen(asked.host, asked.port))
        output = stack.enter_context(cut_output(asked.output))
        desk = Desk(output, asked.sample, asked.chosen)
        for id, why in desk.products.finish():
            told = f"not yet those of the last decision: {why}" if why else "those of the last decision now"
            console.print(f"{visible(id)}: its products are {told}", markup=False, highlight=False, soft_wrap=True)
        console.print(f"{address(listener)}  {len(desk.index):,} pictures", highlight=False, soft_wrap=True)
        config = uvicorn.Config(build(desk, keys, asked.reviewer), timeout_graceful_shutdown=int(GRACE_S), **UVICORN)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):  # uvicorn passes both signals on when all is answered
            uvicorn.Server(config).run(sockets=[listener])
        desk.claims.free_all()
        desk.decisions.write_table()
        console.print("\n".join(lines(desk)), highlight=False, soft_wrap=True)
    return 0


def summary(asked: Asked, as_json: bool, console: Console) -> int:
    """Prints what has been decided so far; changes nothing but for a sample that is drawn."""
    desk = Desk(Folder(asked.output), asked.sample, asked.chosen)
    if as_json:
        print(json.dumps(figures(desk), ensure_ascii=False), file=console.file)
    else:
        console.print("\n".join(lines(desk)), highlight=False, soft_wrap=True)
    return 0


def figures(desk: Desk) -> dict[str, Any]:
    """What was decided, as plain data."""
    verdicts, reasons, people = _count(desk.decisions)
    told: dict[str, Any] = {"pictures": len(desk.index), "verdicts": verdicts, "reasons": reasons, "people": people}
    if share := desk.share():
        told["sample"] = share.plain()
    return told


def lines(desk: Desk) -> list[str]:
    """The same for a person."""
    told = figures(desk)
    parts = ", ".join(f"{number:,} {verdict}" for verdict, number in told["verdicts"].items())
    why = ", ".join(f"{reason} {number:,}" for reason, number in told["reasons"].items())
    found = [f"{told['pictures']:,} pictures: {parts or 'nothing decided yet'}"]
    found += [f"rejected: {why}"] if why else []
    found += [str(desk.share())] if desk.sample else []
    return found


def _count(decisions: Decisions) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Pictures by the verdict that holds, those rejected by reason, decisions that hold by person."""
    verdicts: dict[str, int] = {}
    reasons: dict[str, int] = {}
    people: dict[str, int] = {}
    for _, standing in decisions.pictures():
        if standing.top:
            for counted, word in ((verdicts, standing.top.verdict), (people, standing.top.who)):
                counted[word] = counted.get(word, 0) + 1
            if standing.top.reason:
                reasons[standing.top.reason] = reasons.get(standing.top.reason, 0) + 1
    return dict(sorted(verdicts.items())), dict(sorted(reasons.items())), dict(sorted(people.items()))
