"""A dashboard for Grafana and alert rules for Prometheus, for a run or for a service."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

SOURCE = {"type": "prometheus", "uid": "${source}"}  # Grafana's, as the dashboard lets it be chosen
METRIC = re.compile(r"(hairline_\w+)(?:\{(.*?)\})?")


class Panel(NamedTuple):
    """One panel of the dashboard: queries in PromQL, each with the legend of its lines. $i is how far a rate looks."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    about: str = ""


class Alert(NamedTuple):
    """One alert rule: fires when the expression has held for so long, for each job of Prometheus's by itself.

    Attributes:
        do: what a person does then.
    """

    name: str
    expression: str
    lasting: str
    severity: str
    what: str
    do: str


BOTH = (
    Panel("Pictures per second", "short", (("sum(rate(hairline_pictures_total[$i]))", "all"),)),
    Panel("By status", "short", (("sum by (status) (rate(hairline_pictures_total[$i]))", "{{status}}"),)),
    Panel(
        "Why not ok",
        "short",
        (('sum by (status, reason) (rate(hairline_pictures_total{status!="ok"}[$i]))', "{{status}}: {{reason}}"),),
        "Reasons are those of the results; the documentation says what each means.",
    ),
    Panel(
        "Seconds of a picture, by stage",
        "s",
        (
            (
                "sum by (stage) (rate(hairline_stage_seconds_sum[$i]))"
                " / sum by (stage) (rate(hairline_stage_seconds_count[$i]))",
                "{{stage}}",
            ),
        ),
    ),
    Panel(
        "Processes busy, by stage",
        "short",
        (("sum by (stage) (rate(hairline_stage_seconds_sum[$i]))", "{{stage}}"),),
        "Seconds of work in a second; the largest stage is what more workers would help.",
    ),
)
RUN = (
    *BOTH,
    Panel("Pictures to do", "short", (("sum(hairline_queue_pictures)", "to do"),)),
    Panel(
        "Time left",
        "s",
        (("sum(hairline_queue_pictures) / sum(rate(hairline_pictures_total[$i]))", "left"),),
    ),
    Panel("Workers", "short", (("sum by (pool, state) (hairline_workers)", "{{pool}} {{state}}"),)),
    Panel("Storage: made again", "short", (("sum(rate(hairline_storage_retries_total[$i]))", "reads a second"),)),
)
SERVICE = (
    *BOTH,
    Panel("Requests by answer", "short", (("sum by (code) (rate(hairline_requests_total[$i]))", "{{code}}"),)),
    Panel(
        "Seconds of a request",
        "s",
        tuple(
            (f"histogram_quantile({q}, sum by (le) (rate(hairline_request_seconds_bucket[$i])))", f"p{q * 100:.0f}")
            for q in (0.5, 0.95, 0.99)
        ),
    ),
    Panel("Refused, by why", "short", (("sum by (reason) (rate(hairline_refused_total[$i]))", "{{reason}}"),)),
    Panel(
        "Queue",
        "short",
        (("sum(hairline_queue_requests)", "requests"), ("sum(hairline_pixels_waiting)", "waiting for room")),
    ),
    Panel("Pixels in the pools", "short", (("sum(hairline_pixels)", "pixels"),)),
    Panel("Processes", "short", (("sum by (pool, state) (hairline_replicas)", "{{pool}} {{state}}"),)),
    Panel("Seconds before a batch", "s", ((
        "sum by (pool) (rate(hairline_wait_seconds_sum[$i])) / sum by (pool) (rate(hairline_wait_seconds_count[$i]))",
        "{{pool}}",
    ),)),
    Panel("Pictures sent again", "short", (("sum(rate(hairline_retries_total[$i]))", "a second"),)),
    Panel("Jobs", "short", (("sum(hairline_jobs)", "open"),)),
)  # fmt: skip


def run_alerts() -> list[Alert]:
    """Of a run."""
    return [
        Alert(
            "HairlineRunStalled",
            "(sum by (job) (increase(hairline_pictures_total[15m])) or 0 * sum by (job) (hairline_run_pictures)) == 0"
            " and sum by (job) (hairline_queue_pictures) > 0",
            "15m",
            "critical",
            "no picture has been done for half an hour",
            "look at the workers: pending ones wait for nodes, restarting ones lack memory; then at the storage",
        ),
        Alert(
            "HairlineManyFailed",
            'sum by (job) (increase(hairline_pictures_total{status="failed"}[10m]))'
            " / sum by (job) (increase(hairline_pictures_total[10m])) > 0.05",
            "10m",
            "warning",
            "more than 5% of the pictures fail",
            "see which reason it is; storage and memory are done again with --retry once they are well",
        ),
        Alert(
            "HairlineStorageRetries",
            "sum by (job) (rate(hairline_storage_retries_total[5m])) > 1",
            "10m",
            "warning",
            "storage is asked again more than once a second",
            "see whether it throttles (fewer workers in the first and the last pool) or is down",
        ),
        Alert(
            "HairlineWorkersMissing",
            'sum by (job, pool) (hairline_workers{state!="alive"}) > 0',
            "15m",
            "warning",
            "processes of a pool have not come up for a quarter of an hour",
            "see whether the autoscaler gets its nodes: quota, spot market, node selectors; then the logs of the pods",
        ),
    ]


def service_alerts(slow_s: float, sleeping: tuple[str, ...] = ()) -> list[Alert]:
    """Of a service.

    Args:
        slow_s: seconds that 95 of 100 requests should take at most.
        sleeping: pools that may have no process while there is no load.
    """
    others = f'{{state="RUNNING", pool!~"{"|".join(sleeping)}"}}' if sleeping else '{state="RUNNING"}'
    return [
        Alert(
            "HairlineServiceSilent",
            "sum by (job) (max_over_time(hairline_queue_requests[1d])) unless sum by (job) (hairline_queue_requests)"
            " or absent_over_time(hairline_queue_requests[1d])",
            "2m",
            "critical",
            "nothing answers at the service's metrics",
            "see whether the front's pod is ready, and what it says at its start",
        ),
        Alert(
            "HairlineErrors",
            'sum by (job) (rate(hairline_requests_total{code=~"5.."}[5m]))'
            " / sum by (job) (rate(hairline_requests_total[5m])) > 0.01",
            "5m",
            "critical",
            "more than 1% of the answers are errors of the service",
            "see hairline_refused_total by reason, and the processes of the pools",
        ),
        Alert(
            "HairlineTurnedAway",
            'sum by (job) (rate(hairline_requests_total{code="429"}[10m]))'
            " / sum by (job) (rate(hairline_requests_total[10m])) > 0.05",
            "10m",
            "warning",
            "more than 5% of the requests are turned away",
            "more workers or nodes; a larger queue only if clients wait for it",
        ),
        Alert(
            "HairlineSlow",
            f"histogram_quantile(0.95, sum by (job, le) (rate(hairline_request_seconds_bucket[10m]))) > {slow_s:g}",
            "10m",
            "warning",
            f"5% of the requests take longer than {slow_s:g} s",
            "see which stage's processes are busy, and give that pool more workers",
        ),
        Alert(
            "HairlinePoolEmpty",
            f"sum by (job, pool) (hairline_replicas{others}) == 0 or absent(hairline_replicas{others})",
            "2m",
            "critical",
            "a pool has no process that answers",
            "see whether its node is there and what its log says; memory that is short ends processes",
        ),
    ]


def dashboard(name: str, service: bool) -> dict[str, Any]:
    """A dashboard as Grafana imports it, with the data source and the jobs of Prometheus's left to choose."""
    panels = [_panel(number, panel, name) for number, panel in enumerate(SERVICE if service else RUN)]
    source = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    there = f"label_values({'hairline_queue_requests' if service else 'hairline_run_info'}, job)"
    job = {
        "name": "job",
        "label": "Job",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": there, "refId": "job"},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }
    return {
        "title": f"Hairline: {name}",
        "uid": f"hairline-{name}"[:40],
        "tags": ["hairline"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [source, job]},
        "panels": panels,
    }


def _panel(number: int, panel: Panel, name: str) -> dict[str, Any]:
    targets = [
        {"refId": chr(65 + i), "expr": expression(query), "legendFormat": legend, "datasource": SOURCE}
        for i, (query, legend) in enumerate(panel.queries)
    ]
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "gridPos": {"h": 8, "w": 8, "x": 8 * (number % 3), "y": 8 * (number // 3)},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": targets,
    }


def expression(query: str, interval: str = "$__rate_interval", job: str = "$job") -> str:
    """A panel's query with how far its rates look, and the jobs of Prometheus's that count (a regular expression).

    The defaults are Grafana's own variable and the dashboard's.
    """
    return METRIC.sub(rf'\1{{job=~"{job}", \2}}', query).replace(", }", "}").replace("$i", interval)


def rules(alerts: list[Alert]) -> dict[str, Any]:
    """Alerts as a file of rules for Prometheus."""
    return {
        "groups": [
            {
                "name": "hairline",
                "rules": [
                    {
                        "alert": alert.name,
                        "expr": alert.expression,
                        "for": alert.lasting,
                        "labels": {"severity": alert.severity},
                        "annotations": {"summary": alert.what, "description": alert.do},
                    }
                    for alert in alerts
                ],
            }
        ]
    }
