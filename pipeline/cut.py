"""A few pictures in this process, without Ray and without a results table."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from rich.console import Console

from ..cluster.nodes import cores
from ..cluster.stage_runner import PoolSpec
from ..configs.documents import read_config
from ..configs.fingerprint import ingredients
from ..configs.job import Job, check
from ..stages.correction import Correction
from ..stages.documents import Document
from ..stages.errors import HairlineError
from ..stages.request import RequestSpec
from .beside import cut_output
from .catalog import read_catalog
from .made import add_cut, made_by_cuts, made_in, merge_cuts
from .names import output_name, visible
from .source import Source, as_sources
from .storage import display, is_local, local_path
from .worker import PendingItem, Task, Worker, WorkerSpec

BATCH = 8


def cut(
    sources: Sequence[str],
    output: str,
    products: Sequence[str],
    changes: Sequence[str],
    console: Console,
    correction: Correction | None = None,
) -> int:
    """Cuts pictures out; products go to OUTPUT/<product>/<name>.<ext>.

    Args:
        sources: files, folders, globs or URLs.
        changes: `a.b=c`, as for a job.
        correction: what a person says of the one picture that is given.

    Returns:
        The exit code: 0, or 3 if a picture failed.

    Raises:
        HairlineError: a source is not there, the output cannot be written, or a setting is wrong; a correction is given
            for more than one picture.
    """
    document: Document = read_config("laptop.yaml")
    document.put("input", sources[0], "SOURCE")
    document.put("output", output, "--output")
    document.put("products", list(products), "--product")
    for change in changes:
        document.set(change)
    job: Job = check(document)
    ingredients(job)
    tasks = [Task(source) for source in _sources(sources, output, job)]
    if correction and len(tasks) != 1:
        raise HairlineError(
            f"--box, --keep, --drop, --strokes and --matte are of one picture, and these are {len(tasks)}: "
            "give that one alone"
        )
    request = RequestSpec(tuple(job.stages["products"].products), correction=correction) if correction else None
    stages = tuple(job.stages.items())
    gpu = 1.0 if torch.cuda.is_available() else 0.0
    counts: Counter[str] = Counter()
    with cut_output(output) as folder:
        pool = PoolSpec("cut", stages, cores(), gpu, BATCH)
        worker = Worker(WorkerSpec(pool, job.limits, folder.root, "", folder.run_id))
        with folder.writing():
            earlier = made_by_cuts(folder)
        for start in range(0, len(tasks), BATCH):
            batch = worker.start(tasks[start : start + BATCH])
            for work in batch:
                work.item.request = request
                if correction:
                    work.item.done |= correction.answered("")
            worker.work(batch)
            for row in write_cut(worker, batch, earlier):
                counts[row["status"]] += 1
                ended = f"{row['reason']}  {row['detail']}" if row["reason"] else ""
                made = "  ".join(
                    [*(uri for _, uri in row["outputs"]), *([f"({row['detail']})"] if row["detail"] else [])]
                )
                line = visible(f"{row['id']}  {row['status']}  {ended or made}")
                console.print(line, soft_wrap=True, highlight=False, markup=False)
        with folder.writing():
            merge_cuts(folder)
    return 3 if counts["failed"] else 0


def write_cut(worker: Worker, batch: Sequence[PendingItem], earlier: dict[str, str]) -> list[dict[str, Any]]:
    """Writes a batch's products, replacing those of earlier cuts; notes them as made by cuts. Returns the rows."""
    for work in batch:
        names = (output_name(product, work.item.id, made.ext) for product, made in work.item.outputs.items())
        work.old = {name: earlier[name] for name in names if name in earlier}
    with worker.written(batch) as rows:
        made = {name: digest for row in rows for name, digest in made_in(row) if digest}
        add_cut(worker.output, made)
    earlier.update(made)
    return rows


def _sources(inputs: Sequence[str], output: str, job: Job) -> list[Source]:
    """Every picture of all inputs, named by its way from the folder that all inputs share.

    URLs are named by the last part of their path; those that would share a name, by the whole URL without its scheme.
    """
    parents = [os.path.dirname(_path(each)) for each in inputs if is_local(each)]
    shared = os.path.commonpath(parents) if len(inputs) > 1 and parents else ""
    listed: list[tuple[str, Source]] = []
    for each in inputs:
        prefix = ""
        if is_local(each) and shared:
            path = _path(each)
            inside = os.path.relpath(path if os.path.isdir(path) else os.path.dirname(path), shared)
            prefix = "" if inside == "." else f"{display(inside)}/"
        for source in as_sources(read_catalog(each, output, job.product_names, job.columns).table):
            listed.append((each, source._replace(id=prefix + source.id)))
    uris: dict[str, set[str]] = {}
    for _, source in listed:
        uris.setdefault(source.id, set()).add(source.uri)
    found: dict[str, Source] = {}
    for each, source in listed:
        if len(uris[source.id]) > 1 and each == source.uri and not is_local(each):
            source = source._replace(id=display(each.partition("://")[2]))
        if found.setdefault(source.id, source).uri != source.uri:
            raise HairlineError(f"two sources would both be called {source.id}; cut them one after the other")
    return list(found.values())


def _path(uri: str) -> str:
    return os.path.abspath(os.path.expanduser(local_path(uri)))
