"""What is counted, in Prometheus' words. Statuses, reasons and stages are named as in a run's summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..stages.item import Item
from .request_item import RequestItem

Reader = Callable[[], Mapping[tuple[str, ...], float]]  # label values -> number
FILL = (1, 2, 4, 8, 16, 32, 64)
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """All counters of one ingress."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self._counter("requests", "requests by route and status of the answer", "route", "code")
        self.refused = self._counter("refused", "requests that were refused or came to nothing, by why", "reason")
        self.latency = self._histogram("request_seconds", "from the first byte to the last", "route")
        self.pictures = self._counter("pictures", "pictures by how they ended", "status", "reason")
        self.stages = self._histogram("stage_seconds", "time of one picture in a stage", "stage")
        self.waited = self._histogram("wait_seconds", "time of one picture before its batch began", "pool")
        self.batch = self._histogram("batch_pictures", "pictures in the batch that one was in", "pool", buckets=FILL)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"hairline_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str, buckets: tuple[float, ...] = SECONDS) -> Histogram:
        return Histogram(f"hairline_{name}", text, labels, buckets=buckets, registry=self.registry)

    def done(self, work: RequestItem) -> None:
        """Counts one picture."""
        item: Item = work.item
        self.pictures.labels(item.status, item.reason).inc()
        for stage, seconds in item.seconds.items():
            self.stages.labels(stage).observe(seconds)
        for batch in work.batches:
            self.waited.labels(batch.pool).observe(batch.waited)
            self.batch.labels(batch.pool).observe(batch.pictures)

    def watch(self, name: str, text: str, read: Reader, *labels: str) -> None:
        """A number that is read when somebody asks; its name ends in `_total` if it only grows."""
        self.registry.register(_Watched(f"hairline_{name}", text, read, labels))

    def text(self) -> bytes:
        return generate_latest(self.registry)


class _Watched(Collector):
    def __init__(self, name: str, text: str, read: Reader, labels: tuple[str, ...]) -> None:
        self._about, self._read = (name, text), read
        self._labels = labels

    def collect(self) -> Iterator[Metric]:
        kind = CounterMetricFamily if self._about[0].endswith("_total") else GaugeMetricFamily
        family = kind(*self._about, labels=self._labels)
        for values, number in self._read().items():
            family.add_metric(values, number)
        yield family
