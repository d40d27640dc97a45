"""What is free on some nodes while processes are put on them, as Ray puts them: first fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .card_types import CardType, kind_of
from .nodes import Node

NEAR = 1e-9  # shares are sums of fractions


class Room:
    """Nodes with what is still free on them."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self.cpus = [node.cpus for node in nodes]
        self.cards = [[1.0] * node.gpus for node in nodes]
        self.used: set[int] = set()  # numbers of the nodes that something was put on
        self._kinds: dict[tuple[int, frozenset[CardType]], CardType | None] = {}
        plain = [i for i, node in enumerate(nodes) if not node.gpus]
        by_card = sorted((i for i, node in enumerate(nodes) if node.gpus), key=lambda i: nodes[i].gpu_gib)
        self._for_cpu, self._for_gpu = [*plain, *by_card], by_card  # as Ray: nodes with cards last for what needs none

    def put(self, cpus: float, shares: Mapping[CardType, float]) -> tuple[int, CardType | None] | None:
        """Puts one process somewhere; a share lies on one card, whole cards in one node, the smallest first.

        Returns:
            The node's number and the kind of its card; None where there is no room.
        """
        allowed = frozenset(shares)
        for i in self._for_gpu if shares else self._for_cpu:
            if self.cpus[i] + NEAR < cpus:
                continue
            kind = self._kind(i, allowed, shares) if shares else None
            if shares and (kind is None or not _take(self.cards[i], shares[kind])):
                continue
            self.cpus[i] -= cpus
            self.used.add(i)
            return i, kind
        return None

    def fullest(self, with_cards: bool) -> str:
        """The most that is free on one node: `2 CPU and 0.25 GPU`."""
        rest = [(max(cards, default=0.0), cpus) for cpus, cards in zip(self.cpus, self.cards, strict=True)]
        if not rest:
            return "nothing"
        gpu, cpus = max(rest) if with_cards else max(rest, key=lambda free: free[1])
        return f"{cpus:g} CPU and {gpu:.3g} GPU" if with_cards else f"{cpus:g} CPU"

    def _kind(self, i: int, allowed: frozenset[CardType], shares: Mapping[CardType, float]) -> CardType | None:
        if (i, allowed) not in self._kinds:
            self._kinds[i, allowed] = kind_of(self.nodes[i], shares)
        return self._kinds[i, allowed]


def _take(cards: list[float], share: float) -> bool:
    needed, part = (1, share) if share <= 1 else (int(share), 1.0)
    free = [i for i, left in enumerate(cards) if left + NEAR >= part]
    if len(free) < needed:
        return False
    for i in free[:needed]:
        cards[i] -= part
    return True
