"""Pools as Ray Data actor pools. The only module that calls ray.data.

One row of the first dataset is one batch of sources, pickled; between pools a row is one picture, pickled
with its encoded bytes; out of the last pool comes one summary per batch, for products and results are
written by the workers themselves. So next to nothing passes through the driver. Of a large catalog the batches are
made partition by partition while the run lasts, by a task beside the driver, which has the catalog on its disk.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow as pa

from ..cluster.placement import Placement
from ..cluster.session import logs_folder
from ..cluster.spread import Spread
from .cause import explain
from .feed import Feed
from .metrics import class_name
from .partitions import Share
from .worker import Summary, Worker, WorkerSpec

MOST_AT_ONCE = 1000  # batches that are made before the run; those of larger catalogs are made while it lasts
STUCK_S = 1800  # without any progress, beyond the patience with storage: then Ray Data ends the run
START_S = 900  # longest that the workers of one machine may take to start
CALLS = 2  # of a worker at once: one in the stages, one fetched or written
IN_FLIGHT = 3  # and one waiting; more would leave workers idle at the end
# Tasks in flight over concurrent calls from which on a pool grows, and below which it shrinks. The most that can be is
# IN_FLIGHT / CALLS, which Ray's own 1.75 would never see; a worker that waits for others has 1 at most.
GROWS_AT, SHRINKS_AT = 1.25, 0.5
POLL_S = 0.5  # of Ray Data's scheduling loop, for a few slow workers; its own 0.1 s costs 4% of a core


class PoolWorker:
    """A worker as Ray Data calls it: a table of pickled rows in, a table of pickled rows out."""

    def __init__(self, spec: WorkerSpec) -> None:
        if spec.pool.gpu:  # of the kind of card that it came to
            import ray

            context: Any = ray.get_runtime_context()
            share = context.get_assigned_resources().get("GPU", spec.pool.gpu)
            spec = replace(spec, pool=replace(spec.pool, gpu=share))
        self.worker = Worker(spec)

    def __call__(self, table: pa.Table) -> pa.Table:
        spec = self.worker.spec
        rows = [pickle.loads(row.as_py()) for row in table["row"]]
        batch = self.worker.start([task for tasks in rows for task in tasks]) if spec.pool.is_first else rows
        self.worker.work(batch)
        out: Iterable[Any] = [self.worker.finish(batch)] if spec.pool.is_last else batch
        return pa.table({"row": pa.array([pickle.dumps(each, protocol=5) for each in out], pa.large_binary())})


def run_pools(
    placements: Sequence[Placement], specs: Sequence[WorkerSpec], feed: Feed, at_once: bool
) -> Iterator[Summary]:
    """Runs all batches through all pools; yields a summary for each batch that has been written.

    Args:
        placements, specs: one of each per pool, in the order in which pictures go through them.
        feed: the batches. Each is a block of its own, so that a worker that dies repeats no more than it held.
        at_once: whether all workers start together, as on one machine, where the first one up would take all of a
            small catalog.

    Ray starts a worker that dies again, and gives its batches to others.

    Raises:
        HairlineError: a worker cannot go on.
    """
    from ray.data import ActorPoolStrategy, DataContext
    from ray.data.context import AutoscalingConfig
    from ray.exceptions import RayError

    for handler in list(logging.getLogger("ray.data").handlers):
        if not isinstance(handler, logging.FileHandler):  # its log file in Ray's session folder stays
            logging.getLogger("ray.data").removeHandler(handler)
    logging.getLogger("ray.data").addHandler(logging.NullHandler())  # without any, Python prints tracebacks itself
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.autoscaling_config = AutoscalingConfig(
        actor_pool_util_upscaling_threshold=GROWS_AT, actor_pool_util_downscaling_threshold=SHRINKS_AT
    )
    context.execution_no_progress_timeout_s = STUCK_S + int(max(spec.patience_s for spec in specs))
    if at_once:
        context.wait_for_min_actors_s = START_S
    if sum(placement.largest for placement in placements) <= 8:
        _poll_slowly()
    data = _streamed(feed) if feed.batches > MOST_AT_ONCE else _made_before(feed)
    for placement, spec in zip(placements, specs, strict=True):
        spread = Spread(placement)
        data = data.map_batches(
            type(class_name(placement.pool.name), (PoolWorker,), {}),  # so that Ray's lists tell the pools apart
            fn_constructor_args=(spec,),
            batch_size=1 if spec.pool.is_first else placement.pool.batch,
            batch_format="pyarrow",
            zero_copy_batch=True,
            compute=ActorPoolStrategy(
                min_size=placement.smallest,
                max_size=placement.largest,
                initial_size=placement.first,
                max_concurrent_calls_per_actor=CALLS,
                max_tasks_in_flight_per_actor=IN_FLIGHT,
                enable_true_multi_threading=True,
            ),
            num_cpus=placement.pool.cpus,
            num_gpus=spread.least,
            ray_remote_args_fn=spread if spread.needed else None,
        )
    try:
        for table in data.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            for row in table["row"]:
                yield pickle.loads(row.as_py())
    except RayError as error:
        raise explain(error, logs_folder()) from error


def _made_before(feed: Feed) -> Any:
    import ray.data

    rows = [{"row": pickle.dumps(batch, protocol=5)} for batch in feed]
    return ray.data.from_items(rows, override_num_blocks=len(rows))


def _streamed(feed: Feed) -> Any:
    """Batches that are made while the run lasts, a partition at a time, in a process on this node."""
    import ray.data
    from ray.data import TaskPoolStrategy

    here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
    rows = [{"number": share.number} for share in feed.todo.shares]
    data = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        partial(_batches, ray.put(feed)),
        batch_size=1,
        batch_format="pyarrow",
        compute=TaskPoolStrategy(size=1),
        num_cpus=0,
        label_selector=here,
    )
    data = data.repartition(target_num_rows_per_block=1)
    # it takes no argument for its own tasks, which would wait for ever for a core beside pools that have them all
    repartition: Any = data._logical_plan.dag
    repartition.ray_remote_args.update(num_cpus=0)
    return data


def _batches(feed: Any, table: pa.Table) -> Iterator[pa.Table]:
    import ray

    made: Feed = ray.get(feed)
    for number in table["number"].to_pylist():
        for batch in made.of_share(Share(number, made.todo.partitions)):
            yield pa.table({"row": pa.array([pickle.dumps(batch, protocol=5)], pa.large_binary())})


def _poll_slowly() -> None:
    from ray.data._internal.execution import streaming_executor_state

    if hasattr(streaming_executor_state, "WAIT_FOR_TASK_COMPLETION_TIMEOUT_S"):
        streaming_executor_state.WAIT_FOR_TASK_COMPLETION_TIMEOUT_S = POLL_S
