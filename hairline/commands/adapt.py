"""adapt: weights that fit one catalog."""

from __future__ import annotations

import argparse
import heapq
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..configs.arguments import count, positive, whole
from ..stages.errors import HairlineError
from .base import Commands, add_download

if TYPE_CHECKING:
    from ..training.adapt.work import Candidate


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "adapt",
        help="weights that fit one catalog, learned from a teacher's masks and kept only where they are better",
    )
    command.add_argument(
        "catalog", metavar="CATALOG", help="a folder, glob, bucket prefix or manifest, as a job's input"
    )
    command.add_argument(
        "--teacher",
        required=True,
        metavar="NAME",
        help="a public model by name, a model's file or the .yaml that describes it, or weights of ours",
    )
    command.add_argument("-o", "--output", required=True, metavar="DIR", help="folder of the weights; made if missing")
    command.add_argument("--minutes", type=positive, default=60.0, help="wall-clock budget in all (%(default)g)")
    command.add_argument(
        "--corrections",
        default="",
        metavar="DIR",
        help="masks by a person, named as the pictures; or a reviewed output",
    )
    command.add_argument(
        "--pictures", type=count, default=240, metavar="N", help="how many are labelled at most (%(default)s)"
    )
    command.add_argument("--batch", type=count, default=16, help="samples of one step (%(default)s)")
    command.add_argument("--workers", type=whole, default=1, help="processes that make samples (%(default)s)")
    command.add_argument("--threads", type=whole, default=0, help="of torch and the teacher; 0: as many as cores")
    command.add_argument(
        "--trust-teacher", action="store_true", help="also where it contradicts what the shipped weights are sure of"
    )
    command.add_argument(
        "--accept-license", action="store_true", help="where the teacher's licence forbids commercial use"
    )
    add_download(command)
    command.set_defaults(work=_adapt)


def _adapt(options: argparse.Namespace) -> int:
    from ..pipeline.fetch import fetch
    from ..stages import models
    from ..stages.limits import DEFAULT_LIMITS

    try:
        from ..training.adapt.steps import adapt
        from ..training.adapt.work import Wish, Work
    except ModuleNotFoundError as missing:
        raise HairlineError(f"adapt needs {missing.name}: pip install 'hairline-matting[training]'") from missing
    if options.teacher in models.catalogue():
        models.check_licence(options.teacher, options.accept_license, "say so with --accept-license")
        models.find(options.teacher)  # before anything else is done
    wish = Wish(
        catalog=options.catalog,
        teacher=options.teacher,
        output=Path(options.output).expanduser(),
        minutes=options.minutes,
        corrections=options.corrections,
        pictures=options.pictures,
        batch=options.batch,
        workers=options.workers,
        threads=options.threads,
        trust_teacher=options.trust_teacher,
    )
    work = Work.open(wish)  # before a large catalog is listed
    masks, reviewed = _masks(wish.corrections, work.inside)
    started = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - started:7.1f} s  {line}", file=sys.stderr, flush=True)

    taken, lines = adapt(
        replace(wish, corrections=masks),
        work,
        _candidates(wish.catalog, options.output, masks, wish.pictures, reviewed),
        lambda candidate: fetch(candidate.uri, DEFAULT_LIMITS, candidate.size)[0],
        tell,
    )
    print("\n".join(lines))
    return 0 if taken else 3


def _masks(corrections: str, inside: Path) -> tuple[str, bool]:
    """The folder of a person's masks, and whether they were made in a review."""
    from ..review.corrections import is_output, write_mattes

    if not corrections or not is_output(corrections):
        return corrections, False
    folder = inside / "corrected"
    write_mattes(corrections, folder)
    return str(folder), True


def _candidates(catalog: str, output: str, masks: str, pictures: int, reviewed: bool) -> list[Candidate]:
    """Pictures with corrections, then others as chance, the same each time, has it; some more than are looked at.

    Args:
        reviewed: corrections may be of pictures that the catalog does not hold any more.

    Raises:
        HairlineError: there is no such catalog, or a correction belongs to no picture of it.
    """
    from ..pipeline.catalog import read_catalog
    from ..pipeline.partitions import hashes, shares
    from ..pipeline.source import as_sources
    from ..training.adapt.sampling import CANDIDATES
    from ..training.adapt.teaching import correction_of, corrections
    from ..training.adapt.work import Candidate

    corrected, listed = corrections(masks), read_catalog(catalog, output)
    first: list[Candidate] = []
    drawn: list[tuple[int, str, Candidate]] = []
    used = set()
    for share in shares(listed.partitions):
        table = listed.read(share)
        for source, number in zip(as_sources(table), hashes(table["id"]).tolist(), strict=True):
            found = Candidate(source.id, source.uri, source.size)
            if mask := correction_of(source.id, corrected):
                first.append(found)
                used.add(mask)
            elif not source.problem:
                drawn.append((number * 2654435761 % 2**32, source.id, found))  # the hash itself chose the partition
        drawn = heapq.nsmallest(2 * CANDIDATES * pictures, drawn)
    if not reviewed and (stray := sorted(str(path) for path in corrected.values() if path not in used)):
        raise HairlineError(f"corrections {masks}: {stray[0]} belongs to no picture of {catalog} ({len(stray)} such)")
    return first + [each for _, _, each in drawn]
