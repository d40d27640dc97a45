"""The dashboards' queries and the alert rules: about metrics that there are, answered by Prometheus, and firing."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import yaml
from prometheus_client import start_http_server

from hairline.cluster.monitoring import RUN, SERVICE, Alert, dashboard, expression, rules, run_alerts, service_alerts
from hairline.pipeline.metrics import RunCollector, published
from hairline.pipeline.tally import Tally
from hairline.pipeline.worker import Summary
from hairline.serve.metrics import Metrics
from hairline.serve.request_item import RequestItem
from hairline.stages.item import Item

NAME = re.compile(r"hairline_\w+")
ALERTS = {"run": run_alerts(), "service": service_alerts(30.0, ("networks",))}
needs_promtool = pytest.mark.skipif(not which("promtool"), reason="no promtool here")


def run_metrics() -> RunCollector:
    tally = Tally()
    tally.total = 100
    counts = {("ok", ""): 5, ("failed", "fetch"): 2, ("filtered", "too_dark"): 1}
    tally.add(Summary(counts, {"filter": 2.0, "fetch": 1.0}, 1, 100.0, {"filter": 6, "fetch": 8}, retries=3))
    return RunCollector(tally, "run-1", lambda: {("all", "alive"): 2, ("all", "pending"): 1})


def service_metrics() -> Metrics:
    metrics = Metrics()
    item = Item("a", "", data=b"")
    item.status, item.seconds = "ok", {"filter": 0.1}
    metrics.done(RequestItem(item))
    metrics.requests.labels("/v1/cutout", "200").inc()
    metrics.refused.labels("queue_full").inc()
    metrics.latency.labels("/v1/cutout").observe(0.2)
    metrics.waited.labels("all").observe(0.1)
    for name in ("queue_requests", "queue_bytes", "pixels", "pixels_waiting", "retries_total", "jobs"):
        metrics.watch(name, name, lambda: {(): 1.0})
    metrics.watch("replicas", "processes", lambda: {("all", "RUNNING"): 1.0}, "pool", "state")
    return metrics


def text_of(kind: str) -> str:
    if kind == "service":
        return service_metrics().text().decode()
    with published("127.0.0.1:0", run_metrics()) as address:
        answer: bytes = urllib.request.urlopen(f"http://{address}/metrics", timeout=20).read()
        return answer.decode()


@pytest.mark.parametrize(("kind", "panels"), [("run", RUN), ("service", SERVICE)])
def test_queries_and_alerts_are_about_metrics_that_there_are(kind: str, panels: Any) -> None:
    text = text_of(kind)
    there = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    asked = [query for panel in panels for query, _ in panel.queries] + [alert.expression for alert in ALERTS[kind]]
    missing = {name for query in asked for name in NAME.findall(query)} - there
    assert not missing


def test_both_call_the_same_thing_by_the_same_name() -> None:
    ours, theirs = text_of("run"), text_of("service")
    for line in ('hairline_pictures_total{reason="",status="ok"}', 'hairline_stage_seconds_sum{stage="filter"}'):
        assert line in ours and line in theirs


def test_a_dashboard_is_whole() -> None:
    board = dashboard("nightly", service=False)
    assert json.loads(json.dumps(board)) == board and len(board["panels"]) == len(RUN)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]}
    assert len(places) == len({panel["id"] for panel in board["panels"]}) == len(RUN)
    assert board["panels"][0]["targets"][0]["expr"] == (
        'sum(rate(hairline_pictures_total{job=~"$job"}[$__rate_interval]))'
    )
    for service, name in ((False, "hairline_run_info"), (True, "hairline_queue_requests")):
        source, job = dashboard("nightly", service)["templating"]["list"]
        assert (source["name"], job["name"]) == ("source", "job") and name in job["query"]["query"]


# What lets each alert fire: series as promtool takes them, over ninety minutes.
PLANTED = {
    "HairlineRunStalled": [
        'hairline_pictures_total{status="ok"} 5+0x90', "hairline_queue_pictures 95x90", "hairline_run_pictures 100x90",
    ],
    "HairlineManyFailed": [
        'hairline_pictures_total{status="failed"} 0+1x90', 'hairline_pictures_total{status="ok"} 0+9x90',
    ],
    "HairlineStorageRetries": ["hairline_storage_retries_total 0+90x90"],
    "HairlineWorkersMissing": ['hairline_workers{pool="fine",state="pending"} 2+0x90'],
    "HairlineServiceSilent": ["hairline_queue_requests 1x40 _x50"],
    "HairlineErrors": ['hairline_requests_total{code="500"} 0+5x90', 'hairline_requests_total{code="200"} 0+95x90'],
    "HairlineTurnedAway": ['hairline_requests_total{code="429"} 0+6x90', 'hairline_requests_total{code="200"} 0+94x90'],
    "HairlineSlow": [
        'hairline_request_seconds_bucket{le="30"} 0+9x90', 'hairline_request_seconds_bucket{le="60"} 0+10x90',
        'hairline_request_seconds_bucket{le="+Inf"} 0+10x90',
    ],
    "HairlinePoolEmpty": ['hairline_replicas{pool="read",state="RUNNING"} 0+0x90'],
}  # fmt: skip
WELL = {
    "run": [
        'hairline_pictures_total{status="ok"} 0+100x90', 'hairline_pictures_total{status="failed"} 0+1x90',
        "hairline_queue_pictures 9000-100x90", "hairline_run_pictures 9000x90", "hairline_storage_retries_total 0+1x90",
        'hairline_workers{pool="fine",state="alive"} 2+0x90',
    ],
    "service": [
        "hairline_queue_requests 1+0x90", 'hairline_requests_total{code="200"} 0+100x90',
        'hairline_request_seconds_bucket{le="1"} 0+10x90', 'hairline_request_seconds_bucket{le="+Inf"} 0+10x90',
        'hairline_replicas{pool="read",state="RUNNING"} 1+0x90',
        'hairline_replicas{pool="networks",state="RUNNING"} 0+0x90',
    ],
}  # fmt: skip


# What else lets one fire: a run that has never done a picture; a service that has never been there.
FROM_THE_START = {
    "HairlineRunStalled": (["hairline_queue_pictures 100x90", "hairline_run_pictures 100x90"], {"job": "nightly"}),
    "HairlineServiceSilent": (["something_else 1x90"], {}),
}
POOLS = {"HairlineWorkersMissing": {"pool": "fine"}, "HairlinePoolEmpty": {"pool": "read"}}


def series(lines: list[str], job: str = "nightly") -> list[dict[str, str]]:
    """Series as promtool takes them, all of one job of Prometheus's."""
    found = []
    for line in lines:
        name, labels, values = re.fullmatch(r"(\w+)(?:\{(.*)\})? (.*)", line).groups()  # type: ignore[union-attr]
        found.append({"series": f'{name}{{job="{job}",{labels or ""}}}', "values": values})
    return found


def expected(alert: Alert, fires: bool, labels: dict[str, str]) -> dict[str, Any]:
    about = {"summary": alert.what, "description": alert.do}
    alerts = [{"exp_labels": {"severity": alert.severity, **labels}, "exp_annotations": about}] if fires else []
    return {"eval_time": "60m", "alertname": alert.name, "exp_alerts": alerts}


def unit(lines: list[dict[str, str]], *found: dict[str, Any]) -> dict[str, Any]:
    return {"interval": "1m", "input_series": lines, "alert_rule_test": list(found)}


@needs_promtool
@pytest.mark.parametrize("kind", ["run", "service"])
def test_alerts_fire_by_what_they_are_for_and_by_nothing_else(kind: str, tmp_path: Path) -> None:
    """Each for the job that it is about, while another one of the same Prometheus is well."""
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(rules(ALERTS[kind])))
    check = subprocess.run(["promtool", "check", "rules", "alerts.yaml"], cwd=tmp_path, capture_output=True, text=True)
    assert check.returncode == 0, check.stdout + check.stderr
    well = series(WELL[kind], "other")
    tests = [unit(well, *(expected(alert, False, {}) for alert in ALERTS[kind]))]
    for alert in ALERTS[kind]:
        labels = {"job": "nightly", **POOLS.get(alert.name, {})}
        tests.append(unit([*series(PLANTED[alert.name]), *well], expected(alert, True, labels)))
        if alert.name in FROM_THE_START:
            lines, labels = FROM_THE_START[alert.name]
            tests.append(unit(series(lines), expected(alert, True, labels)))
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["alerts.yaml"], "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", "tests.yaml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[str]:
    """A real Prometheus that reads a run's and a service's metrics every second."""
    service, thread = start_http_server(0, "127.0.0.1", service_metrics().registry)
    with published("127.0.0.1:0", run_metrics()) as run, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        free.close()
        targets = [run, f"127.0.0.1:{service.server_port}"]
        config = {
            "scrape_configs": [{"job_name": "x", "scrape_interval": "1s", "static_configs": [{"targets": targets}]}]
        }
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
        command = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--web.listen-address={address}"]
        with open(tmp_path / "said", "wb") as said:
            process = subprocess.Popen([*command, f"--storage.tsdb.path={tmp_path}/data"], stdout=said, stderr=said)
        try:
            yield address
        finally:
            process.kill()
            process.wait(30)
            service.shutdown()
            service.server_close()
            thread.join()


def ask(address: str, query: str) -> list[Any]:
    url = f"http://{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    answer = json.loads(urllib.request.urlopen(url, timeout=20).read())
    assert answer["status"] == "success", answer
    found: list[Any] = answer["data"]["result"]
    return found


@pytest.mark.slow
@pytest.mark.skipif(not which("prometheus"), reason="no Prometheus here")
def test_every_query_is_answered_by_a_real_prometheus(prometheus: str) -> None:
    queries = {expression(query, "20s", "x") for panel in (*RUN, *SERVICE) for query, _ in panel.queries}
    open_ones, deadline = set(queries), time.monotonic() + 120
    while open_ones and time.monotonic() < deadline:
        time.sleep(1)
        try:
            open_ones = {query for query in open_ones if not ask(prometheus, query)}
        except OSError:  # it is starting
            continue
    assert not open_ones
