"""Which kind of card the next process of a pool goes to, where a cluster has several: each takes its own share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .placement import CardShare, Placement

Free = Callable[[], Iterator[tuple[Mapping[str, str], Mapping[str, float]]]]


def free_on_nodes() -> Iterator[tuple[Mapping[str, str], Mapping[str, float]]]:
    """Each living node's labels, and what is free of its resources, as Ray last heard."""
    import ray
    from ray._private.state import available_resources_per_node

    available = available_resources_per_node()  # type: ignore[no-untyped-call]
    for node in ray.nodes():  # type: ignore[no-untyped-call]
        if node["Alive"]:
            yield node.get("Labels") or {}, available.get(node["NodeID"], {})


class Spread:
    """Gives each new process of a pool its share of a card, and where Ray shall look for that card.

    Called before every start, also when a pool that shrank grows again: kinds of cards with room come first, and among
    them the one that has got the smallest part of what it was planned to hold.
    """

    def __init__(self, placement: Placement, free: Free = free_on_nodes) -> None:
        self._cpus, self._cards, self._free = placement.pool.cpus, placement.cards, free
        self._given: Counter[CardShare] = Counter()

    @property
    def needed(self) -> bool:
        """Whether there is anything to choose or to tell Ray."""
        return any(card.selector for card in self._cards)

    @property
    def least(self) -> float:
        """The smallest share that a process takes."""
        return min((card.gpu for card in self._cards), default=0.0)

    def __call__(self) -> dict[str, Any]:
        """The options of Ray's for one process."""
        planned = [card for card in self._cards if card.most] or list(self._cards)
        roomy = self._with_room(planned) if len(planned) > 1 else []
        chosen = min(roomy or planned, key=lambda card: (self._given[card] + 1) / max(card.most, 1))
        self._given[chosen] += 1
        return {"num_gpus": chosen.gpu, "label_selector": dict(chosen.selector)}

    def _with_room(self, cards: Sequence[CardShare]) -> list[CardShare]:
        nodes = list(self._free())
        return [
            card
            for card in cards
            if any(
                _matches(labels, card) and free.get("GPU", 0.0) >= card.gpu and free.get("CPU", 0.0) >= self._cpus
                for labels, free in nodes
            )
        ]


def _matches(labels: Mapping[str, str], card: CardShare) -> bool:
    return all(labels.get(label) in value.removeprefix("in(").rstrip(")").split(",") for label, value in card.selector)
