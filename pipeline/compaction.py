"""Merging what a run has added to the ledger: only the partitions that it touched are rewritten."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from .ledger import RESULTS, SCHEMA, THREADS, Ledger, encode
from .partitions import Share, share_of, shares, spread
from .storage import Folder


def compact(ledger: Ledger, run_id: str, partitions: int = 1, remote: bool = False) -> None:
    """Rewrites the files of each partition that has new ones as one file, sorted by id, one row per picture.

    Files with more ids than those of one partition, as earlier versions and smaller ledgers have them, are split up
    when they are touched.

    Args:
        partitions: how many there are to be, at least as many as the files have.
        remote: as Ray tasks.
    """
    groups = _groups(ledger.files)
    touched = [files for files in groups.values() if not all(name.startswith(f"{RESULTS}/all-") for name in files)]
    parts = ((ledger.output, root, groups[root], partitions, run_id) for root in groups if groups[root] in touched)
    for _ in spread(_merge, parts, remote):
        pass
    ledger.refresh()


def _groups(files: list[str]) -> dict[Share, list[str]]:
    """Files that have to be merged together: those of a share, and of the shares in it."""
    met = {share_of(name) for name in files}
    groups: dict[Share, list[str]] = defaultdict(list)
    for name in files:
        share = share_of(name)
        sizes = sorted({each.of for each in met if each.of <= share.of})
        around = (Share(share.number * of // share.of, of) for of in sizes)
        groups[next(each for each in around if each in met)].append(name)
    return groups


def _merge(output: Folder, root: Share, files: list[str], partitions: int, run_id: str) -> None:
    """Merges the files of one share.

    The new files first lie beside the old ones under names of this run's own, then the old ones go,
    then the new ones get their lasting names: at every moment some file holds each newest row.
    """
    ledger = Ledger(output, files=files)
    split = ledger.split(SCHEMA.names, partitions)
    made, lasting = [], []
    for share in shares(partitions):
        if share.meets(root):
            table = ledger.of_share(share, split).read(SCHEMA.names)
            if len(table):
                made.append(f"{RESULTS}/merge-{run_id}{share.suffix or '-00000'}.parquet")
                lasting.append(f"{RESULTS}/all{share.suffix or '-00000'}.parquet")
                output.write(made[-1], encode(table))
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(output.delete, set(files) - set(made)))
    for old, new in zip(made, lasting, strict=True):
        output.rename(old, new)
