"""Delta and Iceberg tables as record batches, through the readers that their projects keep: deltalake, pyiceberg.

Credentials and endpoint of S3 come from the AWS environment, as everywhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..stages.errors import HairlineError
from .objects import objects
from .storage import is_local, local_path, remote

METADATA = re.compile(r"v?(\d+)(-[^/]*)?\.metadata\.json")


def delta_batches(uri: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The current version of a Delta table, those of the columns that it has.

    Raises:
        HairlineError: deltalake is not installed, or it cannot read the table.
    """
    try:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError
    except ImportError as error:
        raise _missing(uri, "a Delta table", "delta", "deltalake") from error
    try:
        where = os.path.abspath(local_path(uri)) if is_local(uri) else uri
        table: Any = DeltaTable(where, storage_options=None if is_local(uri) else _object_store())
        dataset = table.to_pyarrow_dataset()
        names = [name for name in columns if name in dataset.schema.names] or dataset.schema.names
        yield from dataset.to_batches(columns=names, batch_readahead=2, fragment_readahead=1)
    except (DeltaError, OSError) as error:
        raise HairlineError(f"manifest {uri}: deltalake cannot read it: {_line(error)}") from error


def iceberg_batches(uri: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The current snapshot of an Iceberg table.

    Args:
        uri: a .metadata.json file, or `iceberg://CATALOG/NAMESPACE.TABLE`, a catalog of pyiceberg's configuration.

    Raises:
        HairlineError: pyiceberg is not installed, or it cannot read the table.
    """
    try:
        from pyiceberg.catalog import load_catalog
        from pyiceberg.table import StaticTable
    except ImportError as error:
        raise _missing(uri, "an Iceberg table", "iceberg", "pyiceberg") from error
    try:
        table: Any
        if uri.startswith("iceberg://"):
            catalog, _, name = uri.removeprefix("iceberg://").partition("/")
            table = load_catalog(catalog).load_table(name.strip("/").replace("/", "."))
        else:
            table = StaticTable.from_metadata(os.path.abspath(local_path(uri)) if is_local(uri) else uri, _file_io())
        there = [field.name for field in table.schema().fields]
        names = [name for name in columns if name in there] or there
        yield from table.scan(selected_fields=tuple(names)).to_arrow_batch_reader()
    except Exception as error:  # pyiceberg raises its own, Arrow's, those of the catalog's client
        raise HairlineError(f"manifest {uri}: pyiceberg cannot read it: {_line(error)}") from error


def iceberg_metadata(uri: str) -> str:
    """The newest .metadata.json of a table's folder, or the uri itself if it names a table of a catalog."""
    if uri.startswith("iceberg://"):
        return uri
    folder = f"{uri.rstrip('/')}/metadata"
    if is_local(uri):
        names = [path.name for path in Path(local_path(folder)).iterdir()]
    else:
        files, path = remote(folder)
        names = [found.key.rpartition("/")[2] for found in objects(files, f"{path}/")]
    numbered = [(int(match[1]), name) for name in names if (match := METADATA.fullmatch(name))]
    if not numbered:
        raise HairlineError(f"manifest {uri}: an Iceberg table without a numbered metadata/*.metadata.json")
    return f"{folder}/{max(numbered)[1]}"


def _missing(uri: str, what: str, extra: str, package: str) -> HairlineError:
    return HairlineError(
        f"manifest {uri}: is {what}, and {package} is not installed: pip install 'hairline-matting[{extra}]'"
    )


def _endpoint() -> str:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")


def _object_store() -> dict[str, str]:
    endpoint = _endpoint()
    return {"AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": "true"} if endpoint else {}


def _file_io() -> dict[str, str]:
    given = {
        "s3.endpoint": _endpoint(),
        "s3.access-key-id": os.environ.get("AWS_ACCESS_KEY_ID", ""),
        "s3.secret-access-key": os.environ.get("AWS_SECRET_ACCESS_KEY", ""),
        "s3.session-token": os.environ.get("AWS_SESSION_TOKEN", ""),
        "s3.region": os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", ""),
    }
    return {key: value for key, value in given.items() if value}


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
