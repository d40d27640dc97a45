"""A price file: what hours, requests and bytes cost, for the estimate of `hairline plan --prices`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from ..stages.documents import validate
from .documents import read_config


class Requests(BaseModel):
    """Of the object store, for 1,000 requests of each kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    get: float = Field(0.0, ge=0, description="1,000 reads and looks")
    put: float = Field(0.0, ge=0, description="1,000 writes")
    list: float = Field(0.0, ge=0, description="1,000 listings, of up to 1,000 objects each")


class Prices(BaseModel):
    """What things cost. What is not given costs nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: str = Field("USD", description="shown beside sums")
    node_hour: dict[str, float] = Field(default_factory=dict, description="one node for an hour, by its type's name")
    core_hour: float = Field(0.0, ge=0, description="one core for an hour, of nodes that node_hour does not name")
    card_hour: dict[str, float] = Field(default_factory=dict, description="one card for an hour, likewise, by its name")
    requests: Requests = Requests()
    gib_out: float = Field(0.0, ge=0, description="one GiB that leaves the provider's network; 0 within a region")
    gib_month: float = Field(0.0, ge=0, description="one GiB of products kept for a month")


def load_prices(path: str) -> Prices:
    """Reads a price file. Raises HairlineError: names the file, the line and the key that is wrong."""
    document = read_config(path)
    return validate(Prices, document.data, document, ())
