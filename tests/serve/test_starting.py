"""How a service starts, what stops it from starting, and what a wrong change to a running one says."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import yaml

from hairline.configs.service import load_service
from hairline.serve.keys import add_key
from hairline.serve.server import Signals
from hairline.serve.startup_checks import HELP, jobs_are_taken, listen
from hairline.stages.errors import HairlineError
from serve_kit import HERE, photo

SOON = 20.0  # seconds; on a machine at rest it is one


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write(folder: Path, **changes: object) -> Path:
    """A service file of quick stages in a folder, with everything it writes there."""
    file = folder / "service.yaml"
    settings = {
        "products": ["mask"],
        "pools": [{"name": "all", "stages": ["quick_stages:Find", "products"], "workers": 1, "cpus": 0.25}],
        "jobs": {"folder": str(folder / "jobs")},
        "access_log": str(folder / "access.log"),
    }
    file.write_text(yaml.safe_dump(settings | changes))
    return file


def command(file: Path | str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "hairline", "serve", str(file), *arguments]


def environment(*folders: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, folders), os.environ["PYTHONPATH"]])}


def refused(file: Path | str, *arguments: str, cwd: Path | None = None) -> str:
    """The line that a service says which does not start."""
    environ = environment() | {"PYTHONPATH": os.pathsep.join((str(HERE), str(HERE.parent)))}
    done = subprocess.run(command(file, *arguments), env=environ, cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    assert done.stdout == "" and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


class Starting:
    """A service from its command on."""

    def __init__(self, process: subprocess.Popen[str], url: str, errors: Path) -> None:
        self.process, self.url, self.errors = process, url, errors

    def line(self, seconds: float = 240) -> str:
        assert self.process.stdout
        ready = select.select([self.process.stdout], [], [], seconds)[0]
        return self.process.stdout.readline() if ready else ""

    def status(self, path: str) -> int:
        """Of an answer, or 0 where none comes."""
        try:
            return requests.get(self.url + path, timeout=SOON).status_code
        except requests.ConnectionError:
            return 0


@contextmanager
def started(folder: Path, file: Path) -> Iterator[Starting]:
    port = free_port()
    errors = folder / "errors"
    with errors.open("w") as sink:
        process = subprocess.Popen(
            command(file, "--port", str(port)),
            stdout=subprocess.PIPE,
            stderr=sink,
            text=True,
            bufsize=1,
            env=environment(folder),
        )
    try:
        yield Starting(process, f"http://127.0.0.1:{port}", errors)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(120)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("starting")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Starting]:
    """A service that has been watched while it started."""
    with started(folder, write(folder)) as service:
        began = time.monotonic()
        while not service.status("/healthz"):
            assert time.monotonic() - began < SOON and service.process.poll() is None
            time.sleep(0.05)
        assert "http://" not in service.errors.read_text() or service.status("/readyz") == 503
        early = requests.get(f"{service.url}/readyz", timeout=SOON)
        assert early.status_code == 503 and early.json() == {"status": "starting"}
        other = requests.post(f"{service.url}/v1/mask", files={"image_file": photo()}, timeout=SOON)
        assert other.status_code == 503 and int(other.headers["Retry-After"]) > 0
        assert other.json()["errors"][0]["code"] == "starting" and other.headers["X-Request-Id"]
        assert requests.get(f"{service.url}/healthz", timeout=SOON).headers["X-Content-Type-Options"] == "nosniff"
        seen = set()
        while not select.select([service.process.stdout], [], [], 0.05)[0]:
            seen.add((service.status("/healthz"), service.status("/readyz")))
            assert service.process.poll() is None, service.errors.read_text()
        assert seen <= {(200, 503), (200, 200)}  # (200, 200): it became ready in between
        yield service
        said = service.errors.read_text()
        assert "Traceback" not in said and said.count("\n") == 1, said


def test_it_says_that_it_starts_and_then_that_it_answers(running: Starting) -> None:
    said = running.errors.read_text()
    assert said.startswith(f"hairline: starting service.yaml on {running.url}, loading all: quick_stages:Find")
    assert running.line().startswith(f"{running.url}  model ")
    assert (running.status("/healthz"), running.status("/readyz")) == (200, 200)
    answer = requests.post(f"{running.url}/v1/mask", files={"image_file": photo()}, timeout=60)
    assert answer.status_code == 200


def ask(running: Starting) -> requests.Response:
    return requests.post(f"{running.url}/v1/jobs", files={"image_file": photo()}, timeout=SOON)


def test_a_jobs_folder_that_is_moved_is_followed(running: Starting, folder: Path) -> None:
    jobs, away = folder / "jobs", folder / "away"
    jobs.rename(away)
    kept = ask(running)
    assert kept.status_code == 202 and (away / kept.json()["id"]).is_dir()
    away.rename(jobs)


def test_a_second_service_on_one_jobs_folder_is_told_of(running: Starting, folder: Path) -> None:
    assert running.process.poll() is None
    assert jobs_are_taken(load_service(str(folder / "service.yaml")))
    assert not jobs_are_taken(load_service(str(folder / "service.yaml"), [f"jobs.folder={folder}"]))


def without_keys(folder: Path) -> None:
    write(folder, keys=str(folder / "nowhere" / "keys.json"))


def keys_of_bytes(folder: Path) -> None:
    (folder / "bytes").write_bytes(b"\xff\xfe")
    write(folder, keys=str(folder / "bytes"))


def weights_gone(folder: Path) -> None:
    pools = [{"name": "all", "stages": ["quick_stages:Find", "fine", "products"], "workers": 1, "cpus": 0.25}]
    write(folder, pools=pools, stages={"fine": {"weights": str(folder / "gone.safetensors")}})


def stage_that_raises(folder: Path) -> None:
    (folder / "broken_stage.py").write_text("raise RuntimeError('out of order')\n")
    pools = [{"name": "all", "stages": ["broken_stage:Find", "products"], "workers": 1, "cpus": 0.25}]
    write(folder, pools=pools)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no yaml": (lambda folder: (folder / "service.yaml").write_text("pools: [\n"), "service.yaml:2: not valid YAML"),
    "bytes": (lambda folder: (folder / "service.yaml").write_bytes(b"\xff\xfe\0"), "not a text file"),
    "gone": (lambda folder: (folder / "service.yaml").unlink(), "service.yaml"),
    "keys": (without_keys, "hairline keys add NAME"),
    "keys of bytes": (keys_of_bytes, "not a file of keys"),
    "weights": (weights_gone, "gone.safetensors"),
    "jobs": (lambda folder: write(folder, jobs={"folder": str(folder / "access.log")}), "jobs.folder"),
    "log": (lambda folder: write(folder, access_log=str(folder / "nowhere" / "log")), "access_log"),
    "stage": (stage_that_raises, "broken_stage:Find cannot be loaded: RuntimeError: out of order"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_change_is_one_line_and_changes_nothing(what: str, running: Starting, folder: Path) -> None:
    break_it, told = BROKEN[what]
    before = running.errors.read_text()
    break_it(folder)
    running.process.send_signal(signal.SIGHUP)
    line = running.line()
    write(folder)
    assert line.startswith("not changed: ") and told in line, line
    assert running.errors.read_text() == before
    answer = requests.post(f"{running.url}/v1/mask", files={"image_file": photo()}, timeout=60)
    assert answer.status_code == 200


# --- what stops it


def test_a_file_in_the_place_of_the_jobs_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "below"):
        said = refused(write(tmp_path, port=0, jobs={"folder": str(folder)}))
        assert f"jobs.folder {folder}: cannot be written: a file is in its place or in its path; name" in said
        assert "--set jobs.folder=FOLDER" in said


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody can write into, root neither."""
    place = tmp_path / "fixed"
    place.mkdir()
    if os.geteuid():
        place.chmod(0o500)
        yield place
        place.chmod(0o700)
        return
    for step in (["--bind", str(place), str(place)], ["-o", "remount,ro,bind", str(place)]):
        if subprocess.run(["mount", *step], capture_output=True).returncode:
            pytest.skip("as root it takes a mount, which is not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_working_directory_that_cannot_be_written(tmp_path: Path, read_only: Path) -> None:
    said = refused(write(tmp_path, port=0, jobs={"folder": "hairline-jobs"}), cwd=read_only)
    assert f"jobs.folder {read_only / 'hairline-jobs'}: cannot be written" in said


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    place = tmp_path / "full"
    place.mkdir()
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)], capture_output=True
        ).returncode
    ):
        pytest.skip("a small file system takes a mount, which is not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_no_space_for_jobs(tmp_path: Path, full: Path) -> None:
    assert "No space left on device" in refused(write(tmp_path, port=0, jobs={"folder": str(full / "jobs")}))


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = refused(write(tmp_path), "--port", str(port))
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in said and "--port" in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--port", "70000"], "port=70000"),
        (["--port", "http"], "--port"),
        (["--host", "0.0.0.0"], "hairline keys add"),
        (["--host", "::"], "hairline keys add"),
        (["--set", "port=[1]"], "port"),
        (["--set", "prot=1"], "did you mean port?"),
    ],
)
def test_addresses_that_are_wrong(tmp_path: Path, arguments: list[str], told: str) -> None:
    assert told in refused(write(tmp_path, port=0), *arguments)


@pytest.mark.parametrize("host", ["nosuch.invalid", "a..b", "a b", ""])
def test_a_host_that_is_no_address(host: str, tmp_path: Path) -> None:
    add_key(tmp_path / "keys.json", "a", 10, 1)
    said = refused(write(tmp_path, port=0, keys=str(tmp_path / "keys.json")), "--host", host or "256.0.0.1")
    assert "is no address" in said and "--host" in said


def test_a_port_of_the_administrators() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if not os.geteuid() or lowest < 2:
        setpriv = shutil.which("setpriv")
        if not setpriv or lowest < 2:
            pytest.skip("everybody may listen on every port here")
        program = "import sys; sys.path[:] = eval(sys.argv[1])\n" + PRIVILEGED
        words = [setpriv, "--inh-caps=-all", "--bounding-set=-net_bind_service", sys.executable, "-c", program]
        done = subprocess.run([*words, repr(sys.path)], capture_output=True, text=True)
        assert done.stdout.strip() == "refused", done.stdout + done.stderr
        return
    with pytest.raises(HairlineError, match="below 1024"):
        listen("127.0.0.1", 1)


PRIVILEGED = """
from hairline.serve.startup_checks import listen
from hairline.stages.errors import HairlineError
try:
    listen("127.0.0.1", 1)
except HairlineError as error:
    print("refused" if "below 1024" in str(error) and "--port" in str(error) else error)
"""


def test_every_refusal_says_what_to_do() -> None:
    assert all("--port" in help or "--host" in help for help in HELP.values())


def test_a_jobs_folder_that_goes_away_is_told_at_once(running: Starting, folder: Path) -> None:
    """The last of what is asked of this service: its folder does not come back."""
    shutil.rmtree(folder / "jobs")
    told = ask(running)
    assert told.status_code == 503 and int(told.headers["Retry-After"]) > 0
    assert told.json()["errors"][0]["detail"] == "jobs cannot be kept now: No such file or directory"


def test_signals_in_any_number_are_one_wish_each() -> None:
    """They came while the list of them was read, once: a service ended by that. An end after a change is still seen."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        signals = Signals()
        for _ in range(100):
            signal.raise_signal(signal.SIGHUP)
        assert signals.change and not signals.end
        signals.change = False
        signal.raise_signal(signal.SIGTERM)
        assert signals.end and not signals.change
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
