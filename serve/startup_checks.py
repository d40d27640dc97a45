"""What a service needs of the machine before it starts: an address to listen on, and places that it can write to.

Looked at before Ray starts, so that a wrong one is told at once and not by the first request that needs it. Light to
import: the address is listened on while torch is still being loaded.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ..configs.network import Address
from ..stages.documents import Document
from ..stages.errors import HairlineError
from .job_files import JobFiles
from .keys import Keys, demand_keys

if TYPE_CHECKING:
    from ..configs.service import Service

BACKLOG = 512
PROBE_BYTES = 1 << 20  # a disk that is full takes a name, but no content
HELP = {
    errno.EADDRINUSE: "; another program listens there: end it, or choose another port with --port",
    errno.EACCES: "; ports below 1024 are for the administrator: choose another with --port",
    errno.EADDRNOTAVAIL: "; this machine has no such address: choose another with --host",
}


def listen_early(document: Document) -> socket.socket | None:
    """A socket that listens where a file says, before the rest of the file is checked.

    None where the file is wrong about just that, so that the check tells of it with its line.

    Raises:
        HairlineError: as `listen` does, or others could reach it and nobody would need a key.
    """
    try:
        found = Address.model_validate(document.data)
    except ValidationError:
        return None
    demand_keys(found.host, Keys(Path(found.keys).expanduser()) if found.keys else None)
    return listen(found.host, found.port)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises HairlineError: the address is none, not ours, or taken."""
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET  # a name's first address of that kind
    try:
        place = socket.getaddrinfo(host, port, kind, socket.SOCK_STREAM)[0][4]
    except (OSError, ValueError) as error:  # ValueError: what can be no name at all, such as a..b
        told = getattr(error, "strerror", None) or "no valid name"
        raise HairlineError(f"host {host!r} is no address: {told}; choose another with --host") from error
    listener = socket.socket(kind, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(place)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        help = HELP.get(error.errno or 0, "")
        raise HairlineError(f"cannot listen on {host}:{port}: {error.strerror or error}{help}") from error
    return listener


def address(listener: socket.socket) -> str:
    """Where to reach what a socket listens on, as http://host:port."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def check_folders(service: Service) -> None:
    """Raises HairlineError: jobs.folder or access_log cannot be written."""
    folder = Path(service.jobs.folder).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.close(JobFiles(folder).lock())
    except OSError as error:
        is_none = isinstance(error, FileExistsError | NotADirectoryError)
        told = "a file is in its place or in its path" if is_none else error.strerror or error
        raise HairlineError(
            f"jobs.folder {folder}: cannot be written: {told}; name another with --set jobs.folder=FOLDER"
        ) from error
    if service.access_log not in ("", "-"):
        log = Path(service.access_log).expanduser().absolute()
        try:
            log.open("a").close()
        except OSError as error:
            told = error.strerror or error
            raise HairlineError(
                f"access_log {log}: cannot be written: {told}; name another with --set access_log=FILE"
            ) from error


def jobs_are_taken(service: Service) -> bool:
    """Whether another service works on the jobs' folder: then there are no jobs here until it ends."""
    with open(JobFiles(Path(service.jobs.folder).expanduser()).lock(), "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
