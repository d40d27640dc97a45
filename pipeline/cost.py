"""What a catalog takes: hours, hours of cores and cards, requests and bytes of the object store, and money."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..cluster.nodes import Node
from ..configs.prices import Prices

GIB = 1 << 30
LISTED = 1000  # objects in one listing's answer


@dataclass(frozen=True)
class Estimate:
    """What is to do, at a throughput, on some nodes.

    Attributes:
        hours: from the first picture to the last; starting and the tail are not in it.
        core_hours, card_hours: of the nodes in use, whether busy or not; cards by their name.
        requests: of the object store, by kind; `gib_in`, `gib_out`: what is read from it and written to it, GiB.
        cost: by what it is for; empty without prices. The products' keep is for a month.
    """

    pictures: int
    hours: float
    core_hours: float
    card_hours: dict[str, float]
    requests: dict[str, int]
    gib_in: float
    gib_out: float
    cost: dict[str, float]
    currency: str = ""

    def as_dict(self) -> dict[str, Any]:
        total = sum(self.cost.values())
        money = {
            "currency": self.currency,
            "cost": {what: round(sum_, 4) for what, sum_ in self.cost.items()},
            "cost_total": round(total, 4),
            "cost_per_1000_pictures": round(total / self.pictures * 1000, 6) if self.pictures else 0.0,
        }
        return {
            "pictures": self.pictures,
            "hours": round(self.hours, 4),
            "core_hours": round(self.core_hours, 3),
            "card_hours": {card: round(hours, 3) for card, hours in self.card_hours.items()},
            "requests": self.requests,
            "gib_in": round(self.gib_in, 4),
            "gib_out": round(self.gib_out, 4),
            **(money if self.cost else {}),
        }


def requests(pictures: int, products: int, pools: int, batch: int, reads_s3: bool, writes_s3: bool) -> dict[str, int]:
    """Requests of an object store, by kind, as a run makes them.

    A read per picture and a listing per thousand; a look and a write per product; per batch the results and their
    merging, the write-ahead list with two looks, and a mark per pool. Deleting costs nothing.

    Args:
        products: files written, of all pictures.
        batch: pictures of one batch.
    """
    batches = math.ceil(pictures / batch)
    get = (pictures if reads_s3 else 0) + (products + 3 * batches if writes_s3 else 0)
    put = products + (2 + pools) * batches if writes_s3 else 0
    return {"get": get, "put": put, "list": math.ceil(pictures / LISTED) if reads_s3 else 0}


def estimate(
    pictures: int,
    rate: float,
    nodes: Sequence[Node],
    asked: dict[str, int],
    gib: tuple[float, float],
    prices: Prices | None,
) -> Estimate:
    """What so many pictures take.

    Args:
        rate: pictures per second.
        nodes: that something runs on.
        asked: requests, from `requests`.
        gib: read and written, GiB.
    """
    hours = pictures / rate / 3600 if rate else 0.0
    cards: Counter[str] = Counter()
    for node in nodes:
        if node.gpus:
            cards[node.card or "GPU"] += node.gpus
    card_hours = {card: number * hours for card, number in cards.items()}
    cores = sum(node.cpus for node in nodes) * hours
    cost = _cost(hours, nodes, asked, gib[1], prices) if prices else {}
    return Estimate(pictures, hours, cores, card_hours, asked, *gib, cost, prices.currency if prices else "")


def _cost(
    hours: float, nodes: Sequence[Node], asked: dict[str, int], gib_out: float, prices: Prices
) -> dict[str, float]:
    machines = 0.0
    for node in nodes:
        if node.group in prices.node_hour:
            machines += prices.node_hour[node.group] * hours
        else:
            each = prices.card_hour.get(node.card, 0.0) * node.gpus
            machines += (prices.core_hour * node.cpus + each) * hours
    each_request = prices.requests.model_dump()
    return {
        "machines": machines,
        "requests": sum(number / 1000 * each_request[kind] for kind, number in asked.items()),
        "bytes_out": gib_out * prices.gib_out,
        "storage_month": gib_out * prices.gib_month,
    }
