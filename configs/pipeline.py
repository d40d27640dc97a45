"""What a job and a service have in common: products, pools, the settings of the stages, limits; checked as a whole.

Not covered: whether the pools fit the machine (cluster/placement.py).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from ..stages.base import Settings
from ..stages.documents import Document, did_you_mean, validate
from ..stages.errors import HairlineError
from ..stages.limits import Limits
from ..stages.registry import STAGES, stage_class
from .cluster import ClusterConfig
from .nodes import NodeType

S = TypeVar("S", bound="PipelineConfig")
Count = Annotated[int, Field(ge=1)]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PoolConfig(Model):
    """Some stages in one process, and what that process needs."""

    name: str = Field(min_length=1, description="shown in plans and progress")
    stages: tuple[str, ...] = Field(min_length=1, description="run one after the other in one process")
    cpus: float = Field(1.0, gt=0, description="cores of one process")
    gpu: float = Field(0.0, ge=0, description="share of a card, or whole cards, of one process")
    gpu_memory_gib: float = Field(0.0, ge=0, description="card memory of one process, GiB; instead of gpu")
    workers: Literal["auto"] | Count | tuple[Count, Count] = Field("auto", description="processes, or [min, max]")
    batch: Count = Field(16, description="pictures that go through the stages together")
    batch_pixels: Count = Field(50_000_000, description="and their pixels, at most; larger batches go in parts")

    shapes: ClassVar[str] = (
        "auto, a number of processes from 1 on, or [min, max] with min from 1 on: a run keeps one at least"
    )

    @field_validator("workers", mode="wrap")
    @classmethod
    def _shape(cls, value: Any, check: ValidatorFunctionWrapHandler) -> Any:
        try:
            return check(value)
        except ValidationError as error:  # pydantic's own text names one member of the union alone
            raise ValueError(f"must be {cls.shapes} (is {str(value)[:60]})") from error

    @model_validator(mode="after")
    def _consistent(self) -> PoolConfig:
        if self.gpu and self.gpu_memory_gib:
            raise ValueError("give gpu or gpu_memory_gib, not both")
        if self.gpu > 1 and self.gpu != int(self.gpu):
            raise ValueError("gpu is a share of one card (0 to 1) or a whole number of cards")
        if isinstance(self.workers, tuple) and self.workers[0] > self.workers[1]:
            raise ValueError("workers is [min, max], and min must not be larger")
        return self


class PipelineConfig(Model):
    """What a job and a service have in common: products, pools, the stages' settings, limits.

    Attributes:
        stages: stage name -> its checked settings, in the order in which the stages run.
    """

    products: tuple[str | dict[str, Any], ...] = Field(("cutout",), min_length=1)
    pools: tuple[PoolConfig, ...] = Field(min_length=1)
    stages: dict[str, Any] = Field(default_factory=dict)
    limits: Limits = Limits()
    nodes: tuple[NodeType, ...] = Field(
        (), description="the kinds of nodes of the cluster, also those that an autoscaler has yet to start"
    )

    cluster: ClusterConfig = ClusterConfig()

    @field_validator("nodes")
    @classmethod
    def _names_once(cls, nodes: tuple[NodeType, ...]) -> tuple[NodeType, ...]:
        names = [node.name for node in nodes]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"two kinds of nodes are called {twice[0]!r}")
        return nodes

    @property
    def stage_names(self) -> list[str]:
        return [name for pool in self.pools for name in pool.stages]

    @property
    def product_names(self) -> list[str]:
        return [name for product in self.products for name in ([product] if isinstance(product, str) else product)]

    @property
    def columns(self) -> dict[str, bool]:
        """Columns of a manifest that products want -> whether there must be one."""
        found = (getattr(settings, "columns", {}) for name, settings in self.stages.items() if name == "products")
        return next(found, {})


def check_config(model: type[S], document: Document) -> S:
    """Checks a whole document: keys, values, stage names, their order and every stage's settings."""
    if isinstance(document.data.get("products"), str):
        document.data["products"] = [document.data["products"]]
    config = validate(model, document.data, document, ())
    _check_pools(config, document)
    settings: dict[str, Settings] = {}
    for name in config.stages:
        if name not in config.stage_names:
            raise HairlineError(
                f"{document.location(('stages', name))}: stages.{name}: no pool runs such a stage"
                + did_you_mean(name, config.stage_names)
            )
    for name in config.stage_names:
        known, raw = stage_class(name).Settings, config.stages.get(name) or {}
        if not isinstance(raw, dict):
            raise HairlineError(f"{document.location(('stages', name))}: stages.{name}: must be a mapping of settings")
        if name == "products" and "products" in known.model_fields:
            settings[name] = validate(known, {"products": config.products, **raw}, document, ("stages", name))
        else:
            settings[name] = validate(known, raw, document, ("stages", name))
    return config.model_copy(update={"stages": settings})


def _check_pools(config: PipelineConfig, document: Document) -> None:
    names: list[str] = []
    for index, pool in enumerate(config.pools):
        for number, name in enumerate(pool.stages):
            where = document.location(("pools", index, "stages", number))
            if name not in STAGES and ":" not in name:
                raise HairlineError(f"{where}: pools.{index}: unknown stage {name}{did_you_mean(name, STAGES)}")
            try:
                stage_class(name)
            except Exception as error:  # the module is the user's own
                told = (
                    str(error)
                    if isinstance(error, (ImportError, AttributeError))
                    else f"{type(error).__name__}: {error}"
                )
                raise HairlineError(f"{where}: stage {name} cannot be loaded: {told}") from error
            if name in names:
                raise HairlineError(f"{where}: pools.{index}: stage {name} stands in the pools a second time")
            names.append(name)
    own = [name for name in names if name in STAGES]
    right = [name for name in STAGES if name in own]
    where = document.location(("pools",))
    if own != right:
        raise HairlineError(f"{where}: pools: stages out of order ({', '.join(own)}); the order is {', '.join(right)}")
    missing = [name for name in STAGES if name not in own]
    if missing and own == names:  # with stages of one's own, which ones are needed is one's own business
        raise HairlineError(f"{where}: pools: no pool runs {', '.join(missing)}; add it to a pool's stages")
    if len({pool.name for pool in config.pools}) < len(config.pools):
        raise HairlineError(f"{where}: pools: two pools have the same name")
