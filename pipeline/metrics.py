"""What Prometheus reads of a run while it lasts, in the names that the service's metrics have.

`hairline_pictures_total{status, reason}` and `hairline_stage_seconds{stage}` mean the same in both: one query serves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from ..stages.errors import HairlineError
from .tally import Tally

Workers = Callable[[], Mapping[tuple[str, str], int]]  # (pool, state) -> processes
STATES = {"ALIVE": "alive", "RESTARTING": "restarting", "DEAD": ""}  # Ray's words -> ours; others are pending
CLASS = "PoolWorker"  # of a pool's processes, with the pool's name after it


class RunCollector(Collector):
    """A run's metrics, from its tally, as they are when somebody asks."""

    def __init__(self, tally: Tally, run_id: str, workers: Workers = dict) -> None:
        self._tally, self._run_id, self._workers = tally, run_id, workers

    def collect(self) -> Iterator[Metric]:
        tally = self._tally
        pictures = CounterMetricFamily("hairline_pictures", "pictures by how they ended", labels=("status", "reason"))
        for (status, reason), number in tally.counts.copy().items():
            pictures.add_metric((status, reason), number)
        yield pictures
        stages = SummaryMetricFamily("hairline_stage_seconds", "time of one picture in a stage", labels=("stage",))
        passed = tally.passed.copy()
        for stage, seconds in tally.seconds.copy().items():
            stages.add_metric((stage,), count_value=passed[stage], sum_value=seconds)
        yield stages
        yield CounterMetricFamily("hairline_storage_retries", "requests to storage made again", value=tally.retries)
        workers = GaugeMetricFamily("hairline_workers", "processes of the pools", labels=("pool", "state"))
        for labels, number in self._workers().items():
            workers.add_metric(labels, number)
        yield workers
        yield GaugeMetricFamily("hairline_queue_pictures", "pictures not yet done", value=tally.total - tally.done)
        yield GaugeMetricFamily("hairline_run_pictures", "pictures that were to do", value=tally.total)
        yield GaugeMetricFamily("hairline_run_seconds", "since the run began", value=tally.elapsed)
        about = GaugeMetricFamily("hairline_run_info", "the run that is under way", labels=("run_id",))
        about.add_metric((self._run_id,), 1)
        yield about


def workers_of(pools: Sequence[str]) -> Workers:
    """Counts the processes of this driver's pools by what Ray says of them."""

    def count() -> Mapping[tuple[str, str], int]:
        import ray
        from ray._private.state import actors

        found: Counter[tuple[str, str]] = Counter({(pool, "alive"): 0 for pool in pools})
        if not ray.is_initialized():
            return found
        job = ray.get_runtime_context().get_job_id()
        for actor in actors().values():
            pool = pool_of(str(actor.get("ActorClassName", "")))
            state = STATES.get(str(actor.get("State")), "pending")
            if pool in pools and state and actor.get("JobID") == job:
                found[pool, state] += 1
        return found

    return count


def class_name(pool: str) -> str:
    """What the class of a pool's processes is called, which is how Ray's lists show them."""
    return f"{CLASS}:{pool}"


def pool_of(name: str) -> str:
    """The pool, out of the name that Ray Data gives such a process; empty where it is another."""
    return name.partition(f"{CLASS}:")[2].rstrip(")") if f"{CLASS}:" in name else ""


@contextmanager
def published(address: str, collector: RunCollector) -> Iterator[str]:
    """Answers Prometheus at an address, while the block lasts; gives the address. Without an address, nothing.

    Args:
        address: HOST:PORT; port 0 is any free one.

    Raises:
        HairlineError: the address cannot be listened on.
    """
    if not address:
        yield ""
        return
    host, _, port = address.rpartition(":")
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        server, thread = start_http_server(int(port), host or "127.0.0.1", registry)
    except OSError as error:
        raise HairlineError(f"metrics {address}: cannot be listened on: {error.strerror}; give another port") from error
    try:
        yield f"{host or '127.0.0.1'}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
