"""A sample of a job's catalog, measured where the pools would run, and what it says of workers, batches and cost."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from ..cluster.nodes import Node, this_machine
from ..cluster.placement import Placement
from ..cluster.session import Cluster
from ..cluster.stage_runner import pool_specs
from ..configs.prices import Prices
from ..stages.documents import Document
from ..stages.errors import HairlineError
from .atomic import what_is_wrong
from .cost import GIB, Estimate, estimate, requests
from .measure import PoolSample, Sampling, Start, measure, measure_pool
from .partitions import shares
from .plan_table import proposal_rows, sample_rows
from .prepare import Prepared
from .source import Source, as_sources
from .tuning import Proposal, needs, propose, throughput, tuned


@dataclass(frozen=True)
class Sampled:
    """What a sample says.

    Attributes:
        where: it was measured, for people.
        rate: pictures per second with what is proposed; rate_now: with what the job has.
    """

    pictures: int
    where: str
    samples: list[PoolSample]
    proposals: list[Proposal]
    rate: float
    rate_now: float
    estimate: Estimate

    def as_dict(self) -> dict[str, Any]:
        return {
            "sample": {
                "pictures": self.pictures,
                "where": self.where,
                "pools": sample_rows(self.samples, self.pictures),
            },
            "proposed": {
                "pools": proposal_rows(self.proposals),
                "pictures_per_s": round(self.rate, 4),
                "pictures_per_s_now": round(self.rate_now, 4),
            },
            "estimate": self.estimate.as_dict(),
        }


def take_sample(
    prepared: Prepared, nodes: Sequence[Node], number: int, prices: Prices | None, cluster: Cluster
) -> Sampled:
    """Measures the pools on some pictures of the catalog, evenly spaced, of those that are to do if there are any.

    Args:
        nodes: all that there may be, for which workers are proposed.
        cluster: in whose session we are, if it is a joined one: the pools are then measured on its nodes.

    Raises:
        HairlineError: a pool cannot be set up, or its process died.
    """
    job = prepared.job
    sources = _sources(prepared, number)
    placements = prepared.placements
    start, where = _place(placements, cluster)
    specs = pool_specs(job, placements)
    if start is None and not this_machine().gpus:
        specs = [replace(spec, gpu=0.0) for spec in specs]
    samples = measure(specs, job.limits, sources, start)
    seconds = needs(samples, len(sources))
    proposals, room = propose(job.pools, samples, seconds, nodes, _memory_mib(cluster, nodes))
    rate = throughput(seconds, [each.workers for each in proposals])
    todo = len(prepared.todo) or prepared.catalog.total
    done = sum(each.counts["ok"] for each in samples)
    files = round(todo * done / len(sources) * len(job.product_names))
    asked = requests(
        todo, files, len(job.pools), job.pools[0].batch, _in_s3(job.input, sources), _in_s3(job.output, ())
    )
    gib = (samples[0].bytes_in / len(sources) * todo / GIB, samples[-1].bytes_out / len(sources) * todo / GIB)
    used = [room.nodes[i] for i in sorted(room.used)]
    now = throughput(seconds, [each.planned for each in placements])
    return Sampled(len(sources), where, samples, proposals, rate, now, estimate(todo, rate, used, asked, gib, prices))


def _sources(prepared: Prepared, number: int) -> list[Source]:
    """Evenly spaced ones of as many partitions as it takes; ids are spread over them by their hash."""
    todo, catalog = prepared.todo, prepared.catalog
    if len(todo):
        tables = (todo.read(share) for share in todo.shares)
    else:
        tables = (catalog.read(share) for share in shares(catalog.partitions))
    found: list[pa.Table] = []
    for table in tables:
        found.append(table)
        if sum(map(len, found)) >= number:
            break
    table = pa.concat_tables(found)
    number = min(number, len(table))
    return as_sources(table.take([i * len(table) // number for i in range(number)]))


def _place(placements: Sequence[Placement], cluster: Cluster) -> tuple[Start | None, str]:
    """How a pool's measurement is started, and where that is, for people."""
    if cluster.machine:
        on_cpu = any(each.gpu for each in placements) and not cluster.machine.gpus
        lack = "; it has no GPU, so pools that ask for one were measured on the CPU" if on_cpu else ""
        return None, f"a process for each pool, on this machine{lack}"
    by_name = {each.pool.name: each for each in placements}

    def start(sampling: Sampling) -> PoolSample:
        import ray
        from ray.exceptions import RayError

        placement = by_name[sampling.pool.name]
        card = max(placement.cards, key=lambda each: each.most, default=None)
        sampling = replace(sampling, pool=replace(sampling.pool, gpu=card.gpu if card else 0.0))
        task = ray.remote(num_cpus=placement.pool.cpus, max_calls=1, max_retries=0)(measure_pool).options(
            num_gpus=card.gpu if card else 0, label_selector=dict(card.selector) if card else None
        )
        try:
            return ray.get(task.remote(sampling))
        except RayError as error:
            line = str(error).strip().splitlines()[-1][:300]
            raise HairlineError(f"pool {placement.pool.name} cannot be measured: {line}") from error

    return start, "a process for each pool, on the cluster's nodes"


def _memory_mib(cluster: Cluster, nodes: Sequence[Node]) -> float:
    """Memory of all nodes, MiB, where we can know it: of this machine."""
    if cluster.machine is None or list(nodes) != [cluster.machine]:
        return float("inf")
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 20)


def _in_s3(uri: str, sources: Sequence[Source]) -> bool:
    return uri.startswith("s3://") or any(source.uri.startswith("s3://") for source in sources[:1])


def write_tuned(path: str, document: Document, sampled: Sampled) -> None:
    """Writes the job file with what is proposed.

    Raises:
        HairlineError: the file is there already, or cannot be written.
    """
    head = (
        f"# {document.name}, with workers and batches from a sample of {sampled.pictures} pictures:\n"
        f"# {sampled.rate:.3g} pictures/s expected, where they were {sampled.rate_now:.3g}.\n"
    )
    for each in sampled.proposals:
        head += f"#   {each.pool}: {each.why}\n"
    text = head + yaml.safe_dump(tuned(document.data, sampled.proposals), sort_keys=False, allow_unicode=True)
    try:
        with Path(path).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise HairlineError(f"--write {path}: is there already; give another name, or move it away") from error
    except OSError as error:
        raise HairlineError(f"--write {path}: cannot be written: {what_is_wrong(error)}") from error
