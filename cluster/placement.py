"""How many processes each pool gets on the nodes that there are or may be, on which cards, and whether they fit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..configs.pipeline import PoolConfig
from ..stages.errors import HairlineError
from .card_types import NO_CARD, CardType, card_types, kind_of, shares
from .nodes import Node
from .packing import Room

_ADVICE = ": ask for less (workers, cpus, gpu, gpu_memory_gib of the pools) or take a larger machine or more nodes"
Shares = Mapping[CardType, float]
Spread = Counter[CardType]  # kind of card -> processes


@dataclass(frozen=True)
class CardShare:
    """What the processes of a pool take of one kind of card.

    Attributes:
        card: Ray's name of the card, may be empty; gib: its memory, GiB.
        gpu: share of one such card, or whole cards, of one process.
        first, most: processes on such cards at first and at most.
        selector: labels of the nodes with such cards; empty where there is no other kind.
    """

    card: str
    gib: float
    gpu: float
    first: int
    most: int
    selector: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Placement:
    """A pool as it will run: processes at least, at most and at first, and what each one takes.

    Attributes:
        gpu: share of one card, or whole cards; the largest where kinds of cards differ.
        cards: by kind of card, the smallest first; empty without cards.
        planned: processes that find room, on all nodes that there may be, beside those of the other pools.
    """

    pool: PoolConfig
    smallest: int
    largest: int
    first: int
    gpu: float
    cards: tuple[CardShare, ...] = ()
    planned: int = 0

    def as_dict(self) -> dict[str, Any]:
        sizes = {"smallest": self.smallest, "largest": self.largest, "first": self.first, "gpu": self.gpu}
        return {**self.pool.model_dump(mode="json"), **sizes, "cards": [asdict(card) for card in self.cards]}


def allocate(
    pools: Sequence[PoolConfig],
    nodes: Sequence[Node],
    batches: int | None = None,
    at_most: Sequence[Node] = (),
    one_card: bool = False,
) -> list[Placement]:
    """How many processes each pool gets.

    `auto` is as many as fit for a single pool; of several, one at least and all at most.

    Args:
        nodes: that are there: what starts at first is spread over them.
        batches: how many batches there are to do; no pool gets more processes.
        at_most: all nodes that there may be, where an autoscaler adds some: whether the pools fit is asked of them.
        one_card: each pool keeps to one kind of card, the one that most of its processes find room on.

    Raises:
        HairlineError: the pools do not fit even at their smallest; says what was asked, what there is, and what would
            fit.
    """
    every = at_most or nodes
    kinds = card_types([*at_most, *nodes])
    taken: list[Shares] = [shares(pool, kinds) for pool in pools]
    if one_card:
        taken = [_on_one(pool, share, every) for pool, share in zip(pools, taken, strict=True)]
    ranges = [_range(pool, share, every, len(pools)) for pool, share in zip(pools, taken, strict=True)]
    if not _fit(every, pools, taken, lows := [low for low, _ in ranges]):
        raise HairlineError(_refusal(pools, taken, lows, every, bool(at_most)))
    if batches is not None:
        ranges = [(min(low, max(batches, 1)), min(high, max(batches, 1))) for low, high in ranges]
    most = _spread(Room(every), pools, taken, ranges)
    first = _spread(Room(nodes), pools, taken, ranges) if at_most else most
    return [
        Placement(
            pool,
            low,
            high,
            max(low, begin.total()),
            max(share.values(), default=0.0),
            _cards(pool, share, begin, end),
            end.total(),
        )
        for pool, share, (low, high), begin, end in zip(pools, taken, ranges, first, most, strict=True)
    ]


def _cards(pool: PoolConfig, share: Shares, first: Spread, most: Spread) -> tuple[CardShare, ...]:
    return tuple(
        CardShare(
            kind.card,
            round(kind.gib, 2),
            gpu,
            first[kind],
            most[kind],
            kind.selector if pool.gpu_memory_gib else (),  # a fixed share is the same wherever it lies
        )
        for kind, gpu in share.items()
    )


def nodes_in_use(placements: Sequence[Placement], nodes: Sequence[Node]) -> tuple[Counter[str], Counter[str]]:
    """Of each node group, how many nodes the pools need at their smallest, and at the largest that finds room."""
    kinds = card_types(nodes)
    pools = [each.pool for each in placements]
    taken = [
        {
            kind: card.gpu
            for kind in kinds
            for card in each.cards
            if kind.card == card.card and kind.gib >= card.gib - 0.01
        }
        for each in placements
    ]
    room = Room(nodes)
    _fill(room, pools, taken, [each.smallest for each in placements])
    smallest = Counter(nodes[i].group for i in room.used)
    room = Room(nodes)
    _spread(room, pools, taken, [(each.smallest, each.largest) for each in placements])
    return smallest, Counter(nodes[i].group for i in room.used)


def _spread(
    room: Room, pools: Sequence[PoolConfig], taken: Sequence[Shares], ranges: Sequence[tuple[int, int]]
) -> list[Spread]:
    """The smallest pools, then what is left one process at a time, so that all pools get a fair part."""
    spreads = _fill(room, pools, taken, [low for low, _ in ranges])
    growing = set(range(len(pools)))
    while growing:
        for index in sorted(growing):
            put = spreads[index].total() < ranges[index][1] and room.put(pools[index].cpus, taken[index])
            if not put:
                growing.discard(index)
            else:
                spreads[index][put[1] or NO_CARD] += 1
    return spreads


def _fill(room: Room, pools: Sequence[PoolConfig], taken: Sequence[Shares], counts: Sequence[int]) -> list[Spread]:
    """Puts so many processes of each pool, the largest first; those without room are left out."""
    spreads: list[Spread] = [Counter() for _ in pools]
    for index in sorted(range(len(pools)), key=lambda i: (-min(taken[i].values(), default=0.0), -pools[i].cpus)):
        for _ in range(counts[index]):
            put = room.put(pools[index].cpus, taken[index])
            if not put:
                break
            spreads[index][put[1] or NO_CARD] += 1
    return spreads


def _range(pool: PoolConfig, share: Shares, nodes: Sequence[Node], pools: int) -> tuple[int, int]:
    if isinstance(pool.workers, tuple):
        return pool.workers
    if isinstance(pool.workers, int):
        return pool.workers, pool.workers
    most = max(sum(_on(node, pool, share) for node in nodes), 1)
    return (most if pools == 1 else 1), most


def _on(node: Node, pool: PoolConfig, share: Shares) -> int:
    """How many processes of a pool find room on one node that has nothing else to do."""
    by_cpu = node.cpus // pool.cpus
    if not share:
        return int(by_cpu)
    kind = kind_of(node, share)
    if kind is None:
        return 0
    each = share[kind]
    return int(min(by_cpu, node.gpus * math.floor(1 / each + 1e-9) if each <= 1 else node.gpus // each))


def _on_one(pool: PoolConfig, share: Shares, nodes: Sequence[Node]) -> Shares:
    if not share:
        return share
    best = max(share, key=lambda kind: sum(_on(node, pool, {kind: share[kind]}) for node in nodes))
    return {best: share[best]}


def _fit(nodes: Sequence[Node], pools: Sequence[PoolConfig], taken: Sequence[Shares], counts: Sequence[int]) -> bool:
    spreads = _fill(Room(nodes), pools, taken, counts)
    return all(spread.total() >= count for spread, count in zip(spreads, counts, strict=True))


def _refusal(
    pools: Sequence[PoolConfig], taken: Sequence[Shares], counts: Sequence[int], nodes: Sequence[Node], at_most: bool
) -> str:
    """What was asked, what there is, which pool finds no room, and which numbers of processes would, all together."""
    asked, short = [], []
    room = Room(nodes)
    one = [spread.total() for spread in _fill(room, pools, taken, [min(1, count) for count in counts])]
    fits = [spread.total() for spread in _spread(Room(nodes), pools, taken, list(zip(one, counts, strict=True)))]
    while not _fit(nodes, pools, taken, fits):  # put one by one they find room that they do not find pool by pool
        fits[fits.index(max(fits))] -= 1
    for pool, share, count, first, found in zip(pools, taken, counts, one, fits, strict=True):
        gpu = f" and {_text(share)}" if share else ""
        asked.append(f"{pool.name} asks for {count} × {pool.cpus:g} CPU{gpu}")
        if count and not first:
            short.append(
                f"no room for {pool.name}, as the most that is free on one node is {room.fullest(bool(share))}"
            )
        elif found < count and sum(one) == sum(map(bool, counts)):
            short.append(f"{found} of {pool.name} have room, so workers: {found} would fit")
    most = "at most " if at_most else ""
    return f"the pools do not fit: {', '.join(asked)}; there is {most}{there(nodes)}; {'; '.join(short)}{_ADVICE}"


def _text(share: Shares) -> str:
    if len(set(share.values())) == 1:
        return f"{next(iter(share.values())):.3g} GPU"
    return " or ".join(f"{gpu:.3g} of a GPU {kind.text}" for kind, gpu in share.items())


def there(nodes: Sequence[Node]) -> str:
    """What some nodes have together: `12 CPU and 3 GPU in 2 nodes`."""
    gpus = sum(node.gpus for node in nodes)
    where = f" in {len(nodes)} nodes" if len(nodes) > 1 else ""
    kinds = card_types(nodes)
    each = (
        f" ({', '.join(f'{sum(n.gpus for n in kind.nodes)} × {kind.text}' for kind in kinds)})"
        if len(kinds) > 1
        else ""
    )
    return f"{sum(node.cpus for node in nodes):g} CPU and {gpus or 'no'} GPU{each}{where}"
