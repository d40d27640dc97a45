"""One picture from standard input, one product to standard output: `hairline cut - -o -`."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rich.console import Console

from ..stages.correction import Correction
from ..stages.errors import HairlineError
from .catalog import read_catalog
from .cut import cut

STREAM = "-"
CHUNK = 1 << 20
MOST = 1 << 30  # bytes taken from standard input; limits.max_bytes refuses far smaller pictures


def cut_piped(
    sources: Sequence[str],
    output: str,
    products: Sequence[str],
    changes: Sequence[str],
    console: Console,
    correction: Correction | None = None,
) -> int:
    """As `cut`, where a source or the output may be `-`, a stream; a picture from there is called `stdin`.

    Returns:
        As `cut`; with the output `-` also 3 if there is no product, with the reason on standard error.

    Raises:
        HairlineError: as `cut`; more than one picture or product for one stream, or a terminal at its end.
    """
    to_stream = output == STREAM
    if not to_stream and STREAM not in sources:
        return cut(sources, output, products, changes, console, correction)
    with _temporary() as folder:
        if to_stream and sys.stdout.isatty():
            raise HairlineError("-o -: a picture is not for a terminal; send it to a file or a command: -o - > FILE")
        if to_stream and len(products) > 1:
            raise HairlineError(f"-o -: one product only goes to standard output, not {', '.join(products)}")
        if sources.count(STREAM) > 1:
            raise HairlineError("-: standard input holds one picture only; name it once")
        input_uris = [_taken(sys.stdin.buffer, folder) if source == STREAM else source for source in sources]
        if not to_stream:
            return cut(input_uris, output, products, changes, console, correction)
        if len(input_uris) > 1 or read_catalog(input_uris[0], folder).total > 1:
            raise HairlineError("-o -: one picture only goes to standard output; give -o a folder for several")
        said = io.StringIO()
        made = Path(folder) / "out"
        code = cut(input_uris, str(made), products, changes, Console(file=said), correction)
        found = [path for path in (made / products[0]).rglob("*") if path.is_file()]
        if not found:
            print(f"hairline: no product: {said.getvalue().strip()}", file=sys.stderr)
            return code or 3
        with open(found[0], "rb") as product:
            shutil.copyfileobj(product, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return code


def _taken(stream: BinaryIO, folder: str) -> str:
    """Standard input as a file."""
    path = f"{folder}/stdin"
    try:
        with open(path, "wb") as file:
            while file.tell() < MOST and (part := stream.read(CHUNK)):
                file.write(part)
    except OSError as error:
        where = Path(folder).parent
        raise HairlineError(
            f"-: standard input cannot be kept in {where}: {error.strerror}; set TMPDIR to a folder with room"
        ) from error
    return path


@contextmanager
def _temporary() -> Iterator[str]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="hairline-")
    except OSError as error:
        raise HairlineError(f"-: {error.strerror or error}; set TMPDIR to a folder with room") from error
    with folder as path:
        yield path
