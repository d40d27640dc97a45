"""A service of two pools under load: new weights, wrong settings, killed processes, poison, a client that leaves."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import requests
import yaml

from serve_kit import Server, array, photo, serving

CLIENTS = 3
SETTINGS = {
    "products": ["mask"],
    "pools": [
        {"name": "find", "stages": ["quick_stages:Find"], "workers": 2, "cpus": 0.25, "batch": 2},
        {"name": "refine", "stages": ["quick_stages:Refine", "products"], "workers": 1, "cpus": 0.25, "batch": 4},
    ],
    "stages": {"quick_stages:Refine": {"seconds": 0.05}},
    "times": {"request": 60},
}


def write(path: Path, value: int, **changes: object) -> None:
    """The service file with a value that stands for the weights of both pools."""
    stages = {"quick_stages:Find": {"value": value}, "quick_stages:Refine": {"value": value, "seconds": 0.05}}
    path.write_text(yaml.safe_dump({**SETTINGS, "stages": stages, **changes}))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("update") / "service.yaml"
    write(path, 200)
    return path


@pytest.fixture(scope="module")
def running(file: Path) -> Iterator[Server]:
    with serving(file, f"jobs.folder={file.parent / 'jobs'}", f"access_log={file.parent / 'log'}") as server:
        yield server


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


class Load:
    """What clients saw: (status, model, the values of both halves of the alpha)."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str, int, int]] = []
        self.broken: list[Exception] = []

    def wait_for(self, count: int) -> None:
        """Waits for so many more answers of requests that were sent after this."""
        target = len(self.answers) + count + CLIENTS  # those that are on their way by now do not count
        until(lambda: len(self.answers) >= target or self.broken)

    def client(self, url: str, stop: threading.Event) -> None:
        with requests.Session() as session:
            while not stop.is_set():
                try:
                    answer = session.post(f"{url}/v1/mask", files={"image_file": photo()}, timeout=60)
                except requests.RequestException as error:
                    self.broken.append(error)
                    continue
                alpha = array(answer.content) if answer.status_code == 200 else None
                halves = (0, 0) if alpha is None else (int(alpha[0, 0]), int(alpha[0, -1]))
                self.answers.append((answer.status_code, answer.headers.get("X-Hairline-Model", ""), *halves))


@contextmanager
def load(server: Server, clients: int = CLIENTS) -> Iterator[Load]:
    found, stop = Load(), threading.Event()
    threads = [threading.Thread(target=found.client, args=(server.url, stop)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def replicas(server: Server, pool: str = "") -> list[psutil.Process]:
    found = []
    for process in psutil.Process(server.process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has just ended
            if any(f"ServeReplica:hairline-{pool}" in word for word in process.cmdline()):
                found.append(process)
    return found


def test_new_weights_cost_no_request_and_mix_in_no_answer(running: Server, file: Path) -> None:
    with load(running) as found:
        found.wait_for(5)
        write(file, 100)
        running.process.send_signal(signal.SIGHUP)
        line = running.line()
        assert line.startswith("model "), line
        found.wait_for(5)
    assert not found.broken
    assert {answer[0] for answer in found.answers} == {200}
    assert {answer[2] for answer in found.answers} == {200, 100}  # it was seen before and after
    assert all(answer[2] == answer[3] for answer in found.answers)  # wholly of one model
    models = {answer[1]: answer[2] for answer in found.answers}
    assert len(models) == 2 and models[line.split()[1]] == 100
    assert all(models[answer[1]] == answer[2] for answer in found.answers)


def test_settings_that_are_wrong_change_nothing(running: Server, file: Path) -> None:
    before = requests.post(f"{running.url}/v1/mask", files={"image_file": photo()}, timeout=60)
    file.write_text(file.read_text() + "prot: 80\n")
    running.process.send_signal(signal.SIGHUP)
    line = running.line()
    assert line.startswith("not changed: ") and "did you mean port?" in line
    after = requests.post(f"{running.url}/v1/mask", files={"image_file": photo()}, timeout=60)
    assert after.content == before.content
    write(file, 100)


def test_killed_processes_cost_no_request(running: Server) -> None:
    def kill(pool: str) -> None:
        before = {process.pid for process in replicas(running, pool)}
        replicas(running, pool)[0].kill()
        until(lambda: {process.pid for process in replicas(running, pool)} - before)  # its successor
        until(lambda: running.get("/readyz").status_code == 200)
        found.wait_for(20)

    with load(running) as found:
        found.wait_for(5)
        kill("find")
        kill("refine")
        for _ in range(20):  # one that has nothing to do at that moment costs no retry
            if "hairline_retries_total 0.0" not in running.get("/metrics").text:
                break
            kill("refine")
        else:
            pytest.fail("no killed process has cost a retry")
    assert not found.broken
    assert {answer[0] for answer in found.answers} == {200}


def test_a_picture_that_kills_its_process_is_given_up(running: Server) -> None:
    answer = running.post("/v1/mask", files={"image_file": photo()}, data={"category": "poison"})
    assert answer.status_code == 422 and answer.json()["errors"][0]["code"] == "crashed_worker"
    assert running.post("/v1/mask", files={"image_file": photo()}).status_code == 200


def test_a_client_that_leaves_frees_its_place(running: Server, file: Path) -> None:
    for _ in range(3):
        with pytest.raises(requests.Timeout):
            requests.post(f"{running.url}/v1/mask", files={"image_file": photo()}, timeout=(60, 0.03))
    until(lambda: "hairline_queue_requests 0.0" in running.get("/metrics").text)
    log = [json.loads(line) for line in (file.parent / "log").read_text().splitlines()]
    assert [line for line in log if line["status"] == 499]


def test_an_ingress_that_is_killed_comes_back(running: Server) -> None:
    ingress = next(p for p in psutil.Process(running.process.pid).children() if "hairline.serve.ingress" in p.cmdline())
    os.kill(ingress.pid, signal.SIGKILL)
    assert running.line().startswith("model ")
    assert running.post("/v1/mask", files={"image_file": photo()}).status_code == 200


def test_a_pool_that_the_file_no_longer_has_ends(running: Server, file: Path) -> None:
    """Last, for it changes the pools."""
    pools = [{**SETTINGS["pools"][0], "name": "seek"}, SETTINGS["pools"][1]]
    write(file, 100, pools=pools)
    assert replicas(running, "find")
    running.process.send_signal(signal.SIGHUP)
    assert running.line().startswith("model ")
    until(lambda: not replicas(running, "find"))
    assert replicas(running, "seek")
    assert running.post("/v1/mask", files={"image_file": photo()}).status_code == 200
