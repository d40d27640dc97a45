"""A job: what goes in, where it goes, which stages run in which pools, and with which settings.

Read from a job file, changed by `--set`, checked as a whole before anything starts.
Not covered: whether the pools fit the machine (machine.py) and whether the input exists (catalog.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..stages.base import Settings
from ..stages.errors import HairlineError
from ..stages.limits import Limits
from ..stages.registry import STAGES, stage_class
from .yamlfile import Document, Key, did_you_mean, dotted, find_job_file, read_document

M = TypeVar("M", bound=BaseModel)
S = TypeVar("S", bound="Setup")
Count = Annotated[int, Field(ge=1)]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pool(Model):
    """Some stages in one process, and what that process needs."""

    name: str = Field(min_length=1, description="shown in plans and progress")
    stages: tuple[str, ...] = Field(min_length=1, description="run one after the other in one process")
    cpus: float = Field(1.0, gt=0, description="cores of one process")
    gpu: float = Field(0.0, ge=0, description="share of a card, or whole cards, of one process")
    gpu_memory_gib: float = Field(0.0, ge=0, description="card memory of one process, GiB; instead of gpu")
    workers: Literal["auto"] | Count | tuple[Count, Count] = Field("auto", description="processes, or [min, max]")
    batch: Count = Field(16, description="pictures that go through the stages together")

    @model_validator(mode="after")
    def _consistent(self) -> Pool:
        if self.gpu and self.gpu_memory_gib:
            raise ValueError("give gpu or gpu_memory_gib, not both")
        if self.gpu > 1 and self.gpu != int(self.gpu):
            raise ValueError("gpu is a share of one card (0 to 1) or a whole number of cards")
        if isinstance(self.workers, tuple) and self.workers[0] > self.workers[1]:
            raise ValueError("workers is [min, max], and min must not be larger")
        return self


class Setup(Model):
    """What a job and a service have in common: products, pools, the stages' settings, limits.

    Attributes:
        stages: stage name -> its checked settings, in the order in which the stages run.
    """

    products: tuple[str | dict[str, Any], ...] = Field(("cutout",), min_length=1)
    pools: tuple[Pool, ...] = Field(min_length=1)
    stages: dict[str, Any] = Field(default_factory=dict)
    limits: Limits = Limits()

    @property
    def stage_names(self) -> list[str]:
        return [name for pool in self.pools for name in pool.stages]

    @property
    def product_names(self) -> list[str]:
        return [name for product in self.products for name in ([product] if isinstance(product, str) else product)]


class Job(Setup):
    """A checked job."""

    name: str = Field("", description="shown in reports; the output's name otherwise")
    input: str = Field(description="a folder, a glob, s3://bucket/prefix, or a manifest (.parquet, .csv)")
    output: str = Field(description="a folder or s3://bucket/prefix")

    @field_validator("input", "output", mode="plain")  # pydantic's own text cannot hold names that are no UTF-8
    @classmethod
    def _place(cls, value: Any) -> str:
        if not isinstance(value, str | Path):
            raise ValueError(f"must be a path or URL (is {value})")
        return str(value)


def load_job(path: str, changes: Sequence[str] = (), **given: str | None) -> Job:
    """Reads and checks a job file.

    Args:
        path: a file, or the name of a configuration that comes with hairline, such as `laptop.yaml`.
        changes: `a.b=c` each, applied in their order.
        given: `input` and `output` from the command line; None leaves the file's.

    Raises:
        HairlineError: names the file, the line, the key and, for a misspelt one, the right one.
    """
    document = read_document(find_job_file(path))
    for change in changes:
        document.set(change)
    for key, value in given.items():
        if value is not None:
            document.data[key] = value
            document.places[(key,)] = f"--{key}"
    return check(document)


def check(document: Document) -> Job:
    """Checks a job's whole document. Raises HairlineError as `load_job` does."""
    for key in ("input", "output"):
        if not document.data.get(key):
            raise HairlineError(f"{document.name}: no {key}; add `{key}: …` to the file or give --{key}")
    return check_setup(Job, document)


def check_setup(model: type[S], document: Document) -> S:
    """Checks a whole document: keys, values, stage names, their order and every stage's settings."""
    if isinstance(document.data.get("products"), str):
        document.data["products"] = [document.data["products"]]
    job = _validate(model, document.data, document, ())
    _check_pools(job, document)
    settings: dict[str, Settings] = {}
    for name in job.stages:
        if name not in job.stage_names:
            raise HairlineError(
                f"{document.place(('stages', name))}: stages.{name}: no pool runs such a stage"
                + did_you_mean(name, job.stage_names)
            )
    for name in job.stage_names:
        known, raw = stage_class(name).Settings, job.stages.get(name) or {}
        if not isinstance(raw, dict):
            raise HairlineError(f"{document.place(('stages', name))}: stages.{name}: must be a mapping of settings")
        if name == "products" and "products" in known.model_fields:
            settings[name] = _validate(known, {"products": job.products, **raw}, document, ("stages", name))
        else:
            settings[name] = _validate(known, raw, document, ("stages", name))
    return job.model_copy(update={"stages": settings})


def _check_pools(job: Setup, document: Document) -> None:
    names: list[str] = []
    for index, pool in enumerate(job.pools):
        for number, name in enumerate(pool.stages):
            place = document.place(("pools", index, "stages", number))
            if name not in STAGES and ":" not in name:
                raise HairlineError(f"{place}: pools.{index}: unknown stage {name}{did_you_mean(name, STAGES)}")
            try:
                stage_class(name)
            except Exception as error:  # the module is the user's own
                told = (
                    str(error)
                    if isinstance(error, (ImportError, AttributeError))
                    else f"{type(error).__name__}: {error}"
                )
                raise HairlineError(f"{place}: stage {name} cannot be loaded: {told}") from error
            if name in names:
                raise HairlineError(f"{place}: pools.{index}: stage {name} stands in the pools a second time")
            names.append(name)
    own = [name for name in names if name in STAGES]
    right = [name for name in STAGES if name in own]
    place = document.place(("pools",))
    if own != right:
        raise HairlineError(f"{place}: pools: stages out of order ({', '.join(own)}); the order is {', '.join(right)}")
    missing = [name for name in STAGES if name not in own]
    if missing and own == names:  # with stages of one's own, which ones are needed is one's own business
        raise HairlineError(f"{place}: pools: no pool runs {', '.join(missing)}; add it to a pool's stages")
    if len({pool.name for pool in job.pools}) < len(job.pools):
        raise HairlineError(f"{place}: pools: two pools have the same name")


def _validate(model: type[M], data: Any, document: Document, above: Key) -> M:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise HairlineError(_explain(error, model, document, above)) from error


def _explain(error: ValidationError, model: type[BaseModel], document: Document, above: Key) -> str:
    """The first mistake as one line: place, key, what is wrong. Unknown keys first: one may be the missing one."""
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    inside: Key = first["loc"]
    if above == ("stages", "products") and inside[:1] == ("products",):
        above = ()  # they stand at the top of the file
    key = (*above, *inside)
    while key not in document.places and key[:-1] != above and key:
        key = key[:-1]  # pydantic adds the members of a union to the way
    if first["type"] == "extra_forbidden":
        known = _fields(model, inside[:-1])
        what = f"unknown key{did_you_mean(str(inside[-1]), known)}"
        key = (*above, *inside)
    elif first["type"] == "missing":
        what = "is missing"
        key = (*above, *inside)
    elif first["type"] in ("value_error", "assertion_error"):
        what = first["msg"].partition(", ")[2] or first["msg"]
    else:
        what = f"{first['msg']} (is {str(first['input'])[:60]})".replace("Tuple", "List").replace("tuple", "list")
    inner = [
        place for place in document.places if place and place[: len(key)] == key and f"'{place[-1]}'" in what[:200]
    ]
    key = max(inner, key=len, default=key)  # a key that a validator names stands on a line of its own
    return f"{document.place(key)}: {dotted(key) or 'job'}: {what}"


def _fields(model: type[BaseModel], way: Key) -> list[str]:
    """The keys allowed at a place inside a model."""
    found: list[type[BaseModel]] = [model]
    for part in way:
        if isinstance(part, str):
            fields = [m.model_fields[part].annotation for m in found if part in m.model_fields]
            found = [inner for annotation in fields for inner in _models(annotation)] or found
    return [name for each in found for name in each.model_fields]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]
