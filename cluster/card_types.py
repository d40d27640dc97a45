"""Which kinds of cards some nodes have, what one process takes of each, and how Ray is told to use that kind."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..configs.pipeline import PoolConfig
from ..stages.errors import HairlineError
from .nodes import CARD_LABEL, GROUP_LABEL, ID_LABEL, Node

ALIKE = 1.25  # cards of one name whose memory differs by more are two kinds: the A100 is sold with 40 and with 80 GiB


@dataclass(frozen=True)
class CardType:
    """One kind of card.

    Attributes:
        gib: memory of the smallest of them; 0 where it is not known.
        nodes: that have such cards.
        selector: label -> value by which Ray finds these nodes; empty where there is no other kind.
    """

    card: str
    gib: float
    nodes: tuple[Node, ...]
    selector: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """For people: `T4 (14.5 GiB)`."""
        size = f"{self.gib:.3g} GiB" if self.gib else "memory not known"
        return f"{self.card} ({size})" if self.card else size


NO_CARD = CardType("", 0.0, ())


def card_types(nodes: Sequence[Node]) -> list[CardType]:
    """The kinds of cards, the smallest first."""
    groups: list[list[Node]] = []
    for node in sorted((n for n in nodes if n.gpus), key=lambda n: (n.card, n.gpu_gib)):
        last = groups[-1] if groups else None
        if last and last[0].card == node.card and node.gpu_gib <= last[0].gpu_gib * ALIKE:
            last.append(node)
        else:
            groups.append([node])
    selectors = _selectors(groups)
    kinds = [
        CardType(group[0].card, group[0].gpu_gib, tuple(group), selector)
        for group, selector in zip(groups, selectors, strict=True)
    ]
    return sorted(kinds, key=lambda kind: kind.gib)


def _selectors(groups: Sequence[Sequence[Node]]) -> list[tuple[tuple[str, str], ...]]:
    """By the card's name where that tells them apart, by the node groups where these do, else by the nodes' ids."""
    if len(groups) < 2:
        return [()] * len(groups)
    cards = [group[0].card for group in groups]
    if all(cards) and len(set(cards)) == len(cards):
        return [((CARD_LABEL, card),) for card in cards]
    names = [{node.group for node in group} for group in groups]
    if all(all(own) for own in names) and len(set.union(*names)) == sum(len(own) for own in names):
        return [((GROUP_LABEL, f"in({','.join(sorted(own))})"),) for own in names]
    return [((ID_LABEL, f"in({','.join(sorted({node.id for node in group if node.id}))})"),) for group in groups]


def shares(pool: PoolConfig, kinds: Sequence[CardType]) -> dict[CardType, float]:
    """What one process of a pool takes of a card, by kind of card; the kinds that are too small are not in it.

    Raises:
        HairlineError: none has the memory that the pool asks for.
    """
    if not pool.gpu_memory_gib:
        return dict.fromkeys(kinds or [NO_CARD], pool.gpu) if pool.gpu else {}
    wanted = pool.gpu_memory_gib
    asked = f"the pools do not fit: {pool.name} asks for {wanted:g} GiB of a GPU"
    if not kinds:
        raise HairlineError(f"{asked}; there is none: ask for none (gpu_memory_gib: 0), or add nodes with cards")
    unknown = [kind for kind in kinds if not kind.gib]
    enough = {kind: _share(wanted, kind.gib) for kind in kinds if kind.gib >= wanted}
    if not enough and unknown:
        node = unknown[0].nodes[0]
        called = f"card {node.card}" if node.card else "card"
        example = f"{{name: {node.group or 'gpu'}, cpus: {node.cpus:g}, gpus: {node.gpus}, card_gib: …}}"
        raise HairlineError(
            f"{asked}; the memory of the {called} of node {node.group or node.id[:12] or 'here'} is not known: neither "
            f"nvidia-smi nor the driver nor the card's name says it; declare it in the file, as in nodes: [{example}]"
        )
    if not enough:
        there = ", ".join(f"{sum(n.gpus for n in kind.nodes)} × {kind.text}" for kind in kinds)
        raise HairlineError(
            f"{asked}; the largest has {kinds[-1].gib:.3g} GiB (there is {there}): "
            f"ask for {math.floor(kinds[-1].gib * 10) / 10:g} or less, or add nodes with larger cards"
        )
    return enough


def _share(wanted: float, gib: float) -> float:
    return math.ceil(wanted / gib * 1e4) / 1e4  # Ray counts in ten-thousandths


def kind_of(node: Node, of: Mapping[CardType, float]) -> CardType | None:
    """The kind of a node's cards, among those given."""
    for kind in of:
        if node in kind.nodes:
            return kind
    return None
