"""A job: what goes in, where it goes, which stages run in which pools, and with which settings.

Read from a job file, changed by `--set`, checked as a whole before anything starts.
Not covered: whether the pools fit the machine (cluster/placement.py) and whether the input exists.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from ..stages.documents import Document, did_you_mean
from ..stages.errors import HairlineError
from .documents import read_config
from .pipeline import PipelineConfig, check_config

FAILED = re.compile(r"\d{1,9}(\.\d{1,9})?%?")  # pictures, or their share


class Job(PipelineConfig):
    """A checked job."""

    name: str = Field("", description="shown in reports; the output's name otherwise")
    input: str = Field(
        description="a folder, a glob, s3://bucket/prefix, or a manifest (.parquet, .csv, .jsonl, a table)"
    )
    output: str = Field(description="a folder or s3://bucket/prefix")
    patience_s: float = Field(
        600.0,
        ge=0,
        description="how long storage that does not answer, throttles or refuses what it gave is waited for, seconds",
    )
    lease_wait_s: float = Field(
        0.0, ge=0, description="how long another run into the same output is waited for, seconds; 0: it is refused"
    )
    wait_for_nodes: float = Field(
        0.0, ge=0, description="how long a run waits until the smallest pools fit the nodes that are there, seconds"
    )
    metrics: str = Field("", description="HOST:PORT where Prometheus reads the run's metrics; empty: nowhere")
    allow_failed: str = Field(
        "0", description="failed pictures, or their share of the catalog such as 1%, that are no error"
    )

    restart_at: tuple[str, ...] = Field(
        (), description="stages that a later run can start at: what is known of each picture before them is kept"
    )

    def most_failed(self, pictures: int) -> float:
        """How many of so many pictures may fail without the run's being an error."""
        number, percent, _ = self.allow_failed.partition("%")
        return float(number) / 100 * pictures if percent else float(number)

    @field_validator("allow_failed", mode="before")
    @classmethod
    def _number_or_share(cls, value: Any) -> str:
        text = str(value)
        if not FAILED.fullmatch(text):
            raise ValueError(f"must be a number of pictures or a share of them, such as 5 or 1% (is {text})")
        return text

    @field_validator("metrics", mode="before")
    @classmethod
    def _host_and_port(cls, value: Any) -> str:
        text = str(value)
        port = text.rpartition(":")[2]
        if text and not (port.isdigit() and int(port) < 65536):
            raise ValueError(f"must be HOST:PORT, such as 127.0.0.1:8081 (is {text})")
        return text

    @field_validator("input", "output", mode="plain")  # pydantic's own text cannot hold names that are no UTF-8
    @classmethod
    def _as_text(cls, value: Any) -> str:
        if not isinstance(value, str | Path):
            raise ValueError(f"must be a path or URL (is {value})")
        return str(value)


def load_job(path: str, changes: Sequence[str] = (), **given: str | None) -> Job:
    """Reads and checks a job file.

    Args:
        path: a file, or the name of a configuration that comes with hairline, such as `laptop.yaml`.
        changes: `a.b=c` each, applied in their order.
        given: keys from the command line, such as `input`; None leaves the file's.

    Raises:
        HairlineError: names the file, the line, the key and, for a misspelt one, the right one.
    """
    return check(read_job(path, changes, **given))


def read_job(path: str, changes: Sequence[str] = (), **given: str | None) -> Document:
    """Reads a job file and changes it as `load_job` does; nothing is checked yet. Raises HairlineError likewise."""
    document = read_config(path, changes)
    for key, value in given.items():
        if value is not None:
            document.put(key, value, "--" + key.replace("_", "-"))
    return document


def check(document: Document) -> Job:
    """Checks a job's whole document. Raises HairlineError as `load_job` does."""
    if isinstance(document.data.get("restart_at"), str):
        document.data["restart_at"] = [document.data["restart_at"]]
    for key in ("input", "output"):
        if not document.data.get(key):
            raise HairlineError(f"{document.name}: no {key}; add `{key}: …` to the file or give --{key}")
    job = check_config(Job, document)
    for number, name in enumerate(job.restart_at):
        if name not in job.stage_names:
            raise HairlineError(
                f"{document.location(('restart_at', number))}: restart_at: no pool runs the stage {name}"
                + did_you_mean(name, job.stage_names)
            )
    return job
