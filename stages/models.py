"""Public segmentation models by name: where their files are published, how they are run, and whether they are here.

Nothing is fetched but by `pull`, or where $HAIRLINE_DOWNLOAD is set. Files lie in `models` of the folder of
downloads.py; $HAIRLINE_MODELS names another folder, such as one that somebody filled by hand where there is no network,
or the address of a mirror that holds the files under their published names. A `models.yaml` in the folder adds models
of one's own to those that are known here.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field

from . import downloads
from .documents import Document, did_you_mean, read_text, validate
from .errors import HairlineError

MODELS = "HAIRLINE_MODELS"
OWN = "models.yaml"  # in the folder of models: what is known beside those of the project
DOWNLOAD = "HAIRLINE_DOWNLOAD"
ATTEMPTS = 5
WAIT_S = 1.0  # before the second attempt; doubled before each further one
TIMEOUT_S = 60.0  # without a byte
BLOCK = 1 << 16  # bytes
Told = Callable[[int, int], None]  # bytes so far, bytes in all (0: not known)


class PublicModel(BaseModel):
    """An entry of models.yaml; that file says what each key means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    url: str
    hash: str = Field(pattern="^(sha256:[0-9a-f]{64}|md5:[0-9a-f]{32})$")
    megabytes: float
    code: str
    weights: str
    commercial: bool
    note: str
    model: dict[str, Any]

    @property
    def file(self) -> str:
        """The name under which the file was published."""
        return PurePosixPath(urlsplit(self.url).path).name


def catalogue() -> dict[str, PublicModel]:
    """All models that are known, by name: the project's list, and what models.yaml in the folder of models adds.

    Raises:
        HairlineError: that file cannot be read, an entry is none, or its name is one of the project's.
    """
    own = folder() / OWN
    return _published() | (_of(str(own), own.stat().st_mtime_ns) if own.is_file() else {})


@lru_cache(maxsize=1)
def _published() -> dict[str, PublicModel]:
    text = files(__package__).joinpath("models.yaml").read_text("utf-8")
    return {name: PublicModel.model_validate(entry) for name, entry in yaml.safe_load(text).items()}


@lru_cache(maxsize=1)
def _of(own: str, modified: int) -> dict[str, PublicModel]:
    """The models of a file of the user's; read again when it has changed."""
    document = Document(own, read_text(Path(own)), "(names of models), as the list of public models")
    for name in document.data:
        if name in _published():
            raise HairlineError(
                f"{document.location([name])}: {name} is the name of a known model; give it another one"
            )
    return {name: validate(PublicModel, entry, document, (name,)) for name, entry in document.data.items()}


def known(name: str) -> PublicModel:
    """Raises HairlineError: there is no such model."""
    if name not in catalogue():
        raise HairlineError(f"no known model is called {name}{did_you_mean(name, catalogue())}")
    return catalogue()[name]


def check_licence(name: str, accepted: bool, how: str) -> None:
    """Raises HairlineError: the licence forbids commercial use, and that was not accepted; `how` says how to."""
    model = known(name)
    if not (model.commercial or accepted):
        raise HairlineError(
            f"the licence of {name} ({model.weights}) forbids commercial use: {model.note}. If your use is none, {how}"
        )


def folder() -> Path:
    """Where the models lie on this machine."""
    own = os.environ.get(MODELS, "")
    return Path(own).expanduser() if own and not downloads.is_url(own) else downloads.folder() / "models"


def address(name: str) -> str:
    """Where the model's file is fetched from: where it was published, or the mirror. Empty: not at all."""
    own, model = os.environ.get(MODELS, ""), known(name)
    if own and not downloads.is_url(own):
        return ""
    return f"{own.rstrip('/')}/{model.file}" if own else model.url


def here(name: str) -> Path | None:
    """The model's file on this machine, as published; nothing where there is none. Does not read it.

    A file in $HAIRLINE_MODELS may also bear the model's name, with the same ending.
    """
    published = known(name).file
    names = (published, f"{name}{PurePosixPath(published).suffix}")
    return next((path for each in names if (path := folder() / each).is_file()), None)


def find(name: str) -> Path:
    """The model's file, its hash checked; fetched first where $HAIRLINE_DOWNLOAD is set.

    Raises:
        HairlineError: there is no such model, its file is not here, or it is another file.
    """
    path = here(name)
    if path is None:
        if os.environ.get(DOWNLOAD) and address(name):
            return pull(name)
        if not address(name):
            raise HairlineError(f"model {name}: {folder()} ({MODELS}) holds no {known(name).file}; put it there")
        raise HairlineError(
            f"model {name} is not on this machine ({known(name).megabytes:g} MB): fetch it with "
            f"`hairline models pull {name}`, or let this command fetch it with --download"
        )
    check_file(name, path)
    return path


def check_file(name: str, path: Path) -> None:
    """Raises HairlineError: the file is not the one that was published."""
    from . import checkpoints  # brings torch, which listing and fetching do without

    algorithm, _, expected = known(name).hash.partition(":")
    found = checkpoints.digest(path, algorithm)
    if found != expected:
        raise HairlineError(
            f"model {name}: {path} has {algorithm} {found[:12]}…, but {expected[:12]}… was published: it is damaged or "
            f"another file; delete it and run `hairline models pull {name}`"
        )


def pull(name: str, tell: Told = lambda done, total: None) -> Path:
    """Fetches a model's file, unless it is here already; goes on with what an earlier attempt left.

    Processes of one machine wait for the first of them.

    Args:
        tell: is called with the bytes so far and those in all.

    Raises:
        HairlineError: it cannot be had or kept, or what came is another file; that is removed.
    """
    url = address(name)
    if not url:
        return find(name)
    target = folder() / known(name).file
    try:
        import pooch
    except ImportError as error:
        raise HairlineError("fetching models needs pooch; run: pip install 'hairline-matting[models]'") from error
    pooch.get_logger().setLevel("ERROR")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with downloads.locked(target):
            if here(name):
                return find(name)
            fetcher = Resuming(target.with_name(f"{target.name}.part"), tell)
            pooch.retrieve(url, known(name).hash, target.name, target.parent, downloader=fetcher)
    except ValueError as error:  # pooch's: of another hash
        raise HairlineError(
            f"model {name}: what {url} holds is another file than was published, and was removed; try another mirror"
        ) from error
    except OSError as error:
        if _is_network(error):
            raise HairlineError(f"model {name}: {url} cannot be fetched: {_line(error)}") from error
        raise HairlineError(
            f"model {name}: cannot be kept in {target.parent}: {error.strerror or error}; set HAIRLINE_CACHE to a "
            "folder with room"
        ) from error
    return target


class Resuming:
    """Fetches a file by HTTP as pooch asks for it, and goes on where it stopped.

    Args:
        part: what has come so far; it stays when nothing more comes.
        tell: as for `pull`.
    """

    def __init__(self, part: Path, tell: Told) -> None:
        self.part, self.tell = part, tell

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Raises requests.RequestException: nothing more comes, also after several attempts."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._go_on(url)
                break
            except OSError as error:
                final = not _is_network(error) or 400 <= _status(error) < 500
                if final or attempt == ATTEMPTS:
                    raise
                time.sleep(WAIT_S * 2 ** (attempt - 1))
        shutil.move(self.part, output_file)

    def _go_on(self, url: str) -> None:
        import requests

        done = self.part.stat().st_size if self.part.is_file() else 0
        asked = {"Range": f"bytes={done}-"} if done else {}
        with requests.get(url, headers=asked, stream=True, timeout=TIMEOUT_S) as answer:
            if answer.status_code == 416:  # it is all here, or more than all: the hash will tell
                return
            answer.raise_for_status()
            if answer.status_code != 206:
                done = 0
            length = int(answer.headers.get("Content-Length", 0))
            with open(self.part, "ab" if done else "wb") as file:
                for block in answer.iter_content(BLOCK):
                    file.write(block)
                    self.tell(file.tell(), done + length if length else 0)


def _is_network(error: OSError) -> bool:
    return type(error).__module__.startswith("requests")  # a RequestException is an OSError


def _status(error: OSError) -> int:
    answer = getattr(error, "response", None)
    return int(answer.status_code) if answer is not None else 0


def _line(error: OSError) -> str:
    status = _status(error)
    return f"HTTP {status}" if status else " ".join(str(error).split())[:200]
