"""Kinds of computers that a cluster has or may get, as a job or service file declares them."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

# Memory of one card, GiB, by the names that Ray gives cards (ray.util.accelerators): what nvidia-smi says, rounded
# down. Of cards that are sold in two sizes under one name, the smaller one.
CARD_GIB = {
    "K80": 11.0,
    "P4": 7.5,
    "P100": 15.5,
    "V100": 15.5,
    "T4": 14.5,
    "A10G": 22.0,
    "L4": 22.0,
    "L40S": 44.5,
    "A100": 39.5,
    "A100-40G": 39.5,
    "A100-80G": 79.5,
    "RTX-PRO-6000": 95.0,
    "H100": 79.5,
    "H20": 95.0,
    "H200": 140.0,
    "B200": 178.0,
    "B300": 267.0,
    "GB200": 184.0,
    "GB300": 277.0,
}
NAME = re.compile(r"[a-z]([a-z0-9-]{0,48}[a-z0-9])?")  # what Kubernetes takes, with room for what it puts around
RULE = "must be lower-case letters, digits and hyphens, {} at most, as Kubernetes takes names"


class NodeType(BaseModel):
    """One kind of node, and how many of it a cluster has at rest and at most."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="Ray's node group: the label ray.io/node-group, KubeRay's groupName")
    cpus: float = Field(gt=0, description="cores of one node that Ray may use")
    gpus: int = Field(0, ge=0, description="cards of one node")
    card: str = Field("", description="what Ray calls the card, such as T4, L4, A10G, A100-80G, H100")
    card_gib: float = Field(0.0, ge=0, description="memory of one card, GiB; only where the card's name does not say")
    memory_gib: float = Field(0.0, ge=0, description="memory of one node, GiB; 0: 4 GiB for each core")
    min: int = Field(0, ge=0, description="nodes at rest")
    max: int = Field(1, ge=1, description="nodes at most")
    spot: bool = Field(False, description="whether the nodes may be taken away at any time")
    instance: str = Field("", description="the provider's name of such a machine, such as g5.2xlarge; for ray up")

    @field_validator("name")
    @classmethod
    def _a_name(cls, name: str) -> str:
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} {RULE.format(50)}")
        return name

    @model_validator(mode="after")
    def _consistent(self) -> NodeType:
        if self.min > self.max:
            raise ValueError("'min' must not be larger than max")
        if self.gpus and not (self.card_gib or self.card in CARD_GIB):
            called = f"its card {self.card}" if self.card else "its cards"
            raise ValueError(
                f"the memory of {called} is not known; give card_gib, or as card one of {', '.join(CARD_GIB)}"
            )
        if not self.gpus and (self.card or self.card_gib):
            raise ValueError("has a card but no gpus; give gpus: 1 or more")
        return self

    @property
    def gib_of_card(self) -> float:
        """Memory of one card, GiB; 0 without cards."""
        return self.card_gib or CARD_GIB.get(self.card, 0.0)

    @property
    def gib(self) -> float:
        """Memory of one node, GiB."""
        return self.memory_gib or 4.0 * self.cpus
