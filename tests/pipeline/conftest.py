"""Fixtures of the pipeline's tests: a web server and an S3 server."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import s3fs
from kit import Web

from hairline.pipeline.storage import filesystem


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
