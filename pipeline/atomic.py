"""Looking at a file, and putting one where nothing is: what storage.py's `Folder` stands on, locally and in S3."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from typing import Any, NamedTuple

NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}  # of file systems without them


def md5(data: bytes) -> str:
    """Hex digest that tells files apart; of an object that S3 took in a single put it is the ETag."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class Found(NamedTuple):
    """What lies at a name. `digest`: md5 of its bytes, hex; empty where it is no plain file. `etag`: S3's, or empty."""

    digest: str
    etag: str = ""


def look_local(path: str) -> Found | None:
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return Found("")
        with open(path, "rb") as file:
            return Found(hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest())
    except FileNotFoundError:
        return None
    except (NotADirectoryError, PermissionError):
        return Found("")


def link(part: str, target: str) -> None:
    """Moves a file to a name at which nothing is."""
    try:
        os.link(part, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from error
        os.replace(part, target)
    else:
        os.unlink(part)


def s3_etag(files: Any, path: str) -> str:
    if not hasattr(files, "call_s3"):
        return str(files.info(path).get("ETag", "")).strip('"')
    bucket, key, _ = files.split_path(path)
    return str(files.call_s3("head_object", Bucket=bucket, Key=key).get("ETag", "")).strip('"')


def http_status(error: BaseException | None) -> int:
    """The HTTP status behind an error of s3fs, or 0."""
    while error is not None:
        answer = getattr(error, "response", None)
        if isinstance(answer, dict):
            return int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        error = error.__cause__
    return 0


def what_is_wrong(error: OSError) -> str:
    """The system's words, and the path that is meant where it is another than the one that was asked for."""
    path = os.fspath(error.filename2 or error.filename or "")
    if error.errno == errno.EXDEV:
        return f"{os.path.dirname(path)} lies on another file system; make the whole output lie there"
    if isinstance(error, NotADirectoryError | FileExistsError):
        while path and not os.path.lexists(path):
            path = os.path.dirname(path)
        if path and not os.path.isdir(path):
            return f"{path} is no folder"
    return error.strerror or str(error)


def write_file(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
