"""A service: where it listens, which stages run in which pools, and what it takes in.

Read from a service file as a job is from its own, with the same pools, stages and limits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from ..stages.documents import Document
from ..stages.errors import HairlineError
from ..stages.limits import Limits
from ..stages.products.registry import PRODUCTS
from ..stages.products.stage import ProductsSettings
from .documents import read_config
from .fingerprint import fingerprint, ingredients
from .network import Address, FetchLimits
from .pipeline import Model, PipelineConfig, PoolConfig, check_config

HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*")
Seconds = Annotated[float, Field(gt=0)]


class ServicePool(PoolConfig):
    """A pool whose processes come and go with the load; `workers: [0, 4]` sleeps when there is none."""

    workers: Literal["auto"] | Annotated[int, Field(ge=1)] | tuple[Annotated[int, Field(ge=0)], int] = Field(
        "auto", description="processes, or [min, max], which follow the load; min 0: none while there is none"
    )
    shapes: ClassVar[str] = "auto, a number of processes from 1 on, or [min, max] with min from 0 on"
    scale_up_s: float = Field(3.0, ge=0, description="load must last so long before a process is added")
    scale_down_s: float = Field(300.0, ge=0, description="and be gone so long before one is taken away")


class Queue(Model):
    """What may wait. Beyond it the answer is 429 at once."""

    requests: int = Field(32, ge=1, description="requests inside, waiting and worked on")
    megapixels: Literal["auto"] | Annotated[int, Field(ge=1)] = Field(
        "auto",
        description="pictures in the pools together, million pixels; others wait. auto: what the memory holds",
    )
    mib: int = Field(256, ge=1, description="bytes of their uploads together, MiB")


class Times(Model):
    """How long things may take, seconds."""

    upload: Seconds = Field(30.0, description="from the first to the last byte of a request")
    request: Seconds = Field(60.0, description="from the upload to the answer, waiting included")
    drain: Seconds = Field(60.0, description="for requests that are inside when the service stops")
    health: Seconds = Field(20.0, description="between two health checks of a process")


class Jobs(Model):
    """Large pictures and lists, worked on behind the requests."""

    folder: str = Field("hairline-jobs", description="pictures, results and states; survives a restart")
    keep_hours: float = Field(24.0, gt=0, description="results are deleted so long after the job ended")
    waiting: int = Field(100, ge=1, description="jobs that have not ended; beyond it the answer is 429")
    pictures: int = Field(100, ge=1, description="pictures of one job")
    mib: int = Field(4096, ge=1, description="what all jobs may take of the disk, MiB; beyond it the answer is 429")
    at_once: int = Field(1, ge=1, description="pictures of jobs worked on at the same time")


class Service(PipelineConfig, Address):
    """A checked service. `products` are the routes below /v1; their options are the defaults of the routes."""

    products: tuple[str | dict[str, object], ...] = Field(tuple(PRODUCTS), min_length=1)
    pools: tuple[ServicePool, ...] = Field(min_length=1)
    limits: Limits = Limits(max_bytes=30 << 20, max_pixels=50_000_000)
    cors: tuple[str, ...] = Field((), description="origins whose pages may call the service; none by default")
    hosts: tuple[str, ...] = Field((), description="names of the service beside localhost and loopback addresses")
    proxies: tuple[IPv4Network | IPv6Network, ...] = Field(
        (), description="networks of proxies whose X-Forwarded-For, X-Forwarded-Proto and Forwarded are believed"
    )
    metrics: Literal["key", "open"] = Field(
        "key", description="key: where there are keys, /metrics needs one of its own; open: it needs none"
    )
    access_log: str = Field("-", description="file that the access log is appended to; -: standard output; empty: none")
    queue: Queue = Queue()
    times: Times = Times()
    fetch: FetchLimits = FetchLimits()
    jobs: Jobs = Jobs()

    @field_validator("cors")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
                raise ValueError(f"{origin!r} is no origin; write it as https://example.org")
        return origins

    @field_validator("hosts")
    @classmethod
    def _names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not HOST.fullmatch(host):
                raise ValueError(f"{host!r} is no host name; write it as cut.example.org, without scheme and port")
        return tuple(host.lower().removesuffix(".") for host in hosts)

    @field_validator("products")
    @classmethod
    def _names_are_routes(cls, products: tuple[str | dict[str, object], ...]) -> tuple[str | dict[str, object], ...]:
        for name in (name for product in products for name in ([product] if isinstance(product, str) else product)):
            if name in ("analyze", "products", "jobs"):
                raise ValueError(f"a product cannot be called {name!r}: the service has another route there")
        return products

    @property
    def model(self) -> str:
        """Fingerprint of everything that an alpha depends on: stages, their settings, weights, version."""
        parts = ingredients(self)
        for part in ("stages", "weights"):
            parts[part].pop("products", None)
        del parts["limits"]
        return fingerprint(parts)[:16]

    @property
    def coarse_model(self) -> str:
        """Which model finds the subject: `own`, the name of another one, or the name of its file."""
        model = getattr(self.stages.get("coarse"), "model", None)
        return (model.name or PurePosixPath(model.path).name) if model else "own"


def load_service(path: str, changes: Sequence[str] = ()) -> Service:
    """Reads and checks a service file.

    Args:
        path: a file, or the name of a configuration that comes with hairline, such as `service-laptop.yaml`.
        changes: `a.b=c` each, applied in their order.

    Raises:
        HairlineError: names the file, the line, the key and, for a misspelt one, the right one.
    """
    return check_service(read_config(path, changes))


def check_service(document: Document) -> Service:
    """Checks a service file's whole document. Raises HairlineError as `load_service` does."""
    service = check_config(Service, document)
    limits = service.limits
    products: ProductsSettings = service.stages["products"]
    for spec in products.products:
        if spec.settings.most_pixels(0, 0, limits.max_pixels) > limits.max_pixels:
            raise HairlineError(
                f"{document.name}: products: {spec.name}: its canvas has more than limits.max_pixels = "
                f"{limits.max_pixels:,} pixels: raise that, or make the canvas smaller"
            )
    return service
