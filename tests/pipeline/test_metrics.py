"""What a run tells Prometheus while it lasts."""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hairline.pipeline.metrics import RunCollector, class_name, pool_of, published
from hairline.pipeline.tally import Tally
from hairline.stages.errors import HairlineError
from kit import hairline


def test_a_pool_is_known_by_the_class_of_its_processes() -> None:
    assert pool_of(f"MapWorker(MapBatches({class_name('fine')}))") == "fine"
    assert pool_of("MapWorker(MapBatches(Other))") == ""


def test_an_address_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(HairlineError, match=f"metrics {address}: cannot be listened on"),
            published(address, RunCollector(Tally(), "r")),
        ):
            pass
    with published("", RunCollector(Tally(), "r")) as nowhere:
        assert nowhere == ""


def test_a_wrong_address_is_told(job_file: Callable[..., Path]) -> None:
    done = hairline("run", job_file(), "--metrics", "here")
    assert done.returncode == 2 and "--metrics: metrics: must be HOST:PORT, such as 127.0.0.1:8081" in done.stderr


@pytest.mark.slow
def test_a_run_is_watched(job_file: Callable[..., Path]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    job = job_file(stages={"own_stages:Judge": {"pause_s": 0.5}})
    seen = ""
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(hairline, "run", job, "--metrics", f"127.0.0.1:{port}")
        while not running.done():
            time.sleep(0.2)
            try:
                text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
            except OSError:
                continue
            if 'hairline_pictures_total{reason="",status="ok"}' in text:
                seen = text
    done = running.result()
    assert done.returncode == 0, done.stderr
    assert f"metrics: http://127.0.0.1:{port}/metrics" in done.stdout
    assert 'hairline_workers{pool="all",state="alive"} ' in seen
    assert 'hairline_workers{pool="all",state="alive"} 0.0' not in seen
    assert 'hairline_stage_seconds_count{stage="judge"}' in seen and "hairline_run_pictures 20.0" in seen
