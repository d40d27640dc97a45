"""Fixtures of all tests: catalogs and jobs, a web server, an S3 server, and one real service for the whole session."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import s3fs
import yaml
from ray.cluster_utils import Cluster

from hairline.pipeline.storage import filesystem
from kit import Web, fill, small_job
from serve_kit import Server, serving


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    fill(folder, 20)
    return folder


@pytest.fixture
def job_file(tmp_path: Path, catalog: Path) -> Callable[..., Path]:
    """Writes a job file over `catalog` into `out`; keyword arguments replace its keys."""

    def write(**changes: object) -> Path:
        job = small_job(input=str(catalog), output=str(tmp_path / "out"), **changes)
        path = tmp_path / "job.yaml"
        path.write_text(yaml.safe_dump(job, sort_keys=False))
        return path

    return write


@pytest.fixture
def open_tmp() -> Iterator[Path]:
    """A temporary folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.server.shutdown()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """An S3 endpoint: the one at HAIRLINE_S3_ENDPOINT with the credentials of the environment, or moto's server."""
    endpoint = os.environ.get("HAIRLINE_S3_ENDPOINT")
    if endpoint:
        os.environ["AWS_ENDPOINT_URL"] = endpoint
        yield endpoint
        return
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ.update(credentials, AWS_ENDPOINT_URL=f"http://{host}:{port}")
    yield os.environ["AWS_ENDPOINT_URL"]
    for name in (*credentials, "AWS_ENDPOINT_URL"):
        del os.environ[name]
    server.stop()


@pytest.fixture
def new_connections() -> Iterator[Callable[[], None]]:
    """To call when the AWS environment has changed; it is called at the end as well."""

    def forget() -> None:
        filesystem.cache_clear()
        s3fs.S3FileSystem.clear_instance_cache()

    yield forget
    forget()


@pytest.fixture
def bucket(s3_server: str) -> Iterator[str]:
    """s3://… of a new bucket."""
    name = f"hairline-{secrets.token_hex(6)}"
    files = filesystem("s3")
    files.mkdir(name)
    yield f"s3://{name}"
    files.rm(name, recursive=True)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A Ray cluster of one node with two cores, in processes of its own; more nodes may join it."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        yield made
    finally:
        made.shutdown()


@pytest.fixture(scope="session")
def pictures_on_the_web() -> Iterator[Web]:
    """A web server on loopback that the service may fetch from."""
    server = Web()
    yield server
    server.server.shutdown()


@pytest.fixture(scope="session")
def service(pictures_on_the_web: Web, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`hairline serve service-laptop.yaml` with one process and small limits; `folder` holds its files."""
    folder = tmp_path_factory.mktemp("service")
    settings = [
        "pools.0.workers=1",
        "limits.max_pixels=4000000",
        "limits.max_bytes=4000000",
        f"fetch.allow=['127.0.0.1:{pictures_on_the_web.server.server_port}']",
        "fetch.seconds=20",  # nobody waits for its end: a busy machine may stall for seconds
        "times.upload=8",
        f"jobs.folder={folder / 'jobs'}",
        f"access_log={folder / 'access.log'}",
    ]
    with serving("service-laptop.yaml", *settings) as server:
        server.folder = folder
        yield server
