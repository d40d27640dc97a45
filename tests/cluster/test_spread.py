"""Which kind of card the next process goes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from hairline.cluster.nodes import Node
from hairline.cluster.placement import Placement, allocate
from hairline.cluster.spread import Spread
from hairline.configs.pipeline import PoolConfig

LABEL = "ray.io/accelerator-type"
NODES = [Node(8, 1, 80.0, "A100-80G"), Node(8, 2, 16.0, "T4")]


def fine(**fields: object) -> Placement:
    pool = PoolConfig.model_validate({"name": "fine", "stages": ["fine"], "workers": [1, 20], **fields})
    (placement,) = allocate([pool], NODES)
    return placement


class Free:
    """What Ray would say is free."""

    def __init__(self, t4: float, a100: float, cpus: float = 8.0) -> None:
        self.t4, self.a100, self.cpus = t4, a100, cpus

    def __call__(self) -> Iterator[tuple[Mapping[str, str], Mapping[str, float]]]:
        yield {LABEL: "T4"}, {"GPU": self.t4, "CPU": self.cpus}
        yield {LABEL: "A100-80G"}, {"GPU": self.a100, "CPU": self.cpus}


def test_processes_are_spread_as_they_were_planned() -> None:
    spread = Spread(fine(gpu_memory_gib=12), Free(2, 1))
    assert spread.needed and spread.least == 0.15
    got = Counter((options["num_gpus"], options["label_selector"][LABEL]) for options in (spread() for _ in range(8)))
    assert got == {(0.75, "T4"): 2, (0.15, "A100-80G"): 6}


def test_a_kind_of_card_without_room_is_passed_over() -> None:
    free = Free(0, 1)
    spread = Spread(fine(gpu_memory_gib=12), free)
    assert {spread()["label_selector"][LABEL] for _ in range(4)} == {"A100-80G"}
    free.t4, free.a100 = 1, 0.1
    assert spread()["label_selector"][LABEL] == "T4"
    free.t4 = 0.5  # none has room: as planned, for nodes may come
    assert Counter(spread()["label_selector"][LABEL] for _ in range(3)) == {"T4": 1, "A100-80G": 2}
    free.t4, free.cpus = 2, 0.5
    assert spread()["num_gpus"] in (0.75, 0.15)


def test_with_one_kind_of_card_there_is_nothing_to_choose() -> None:
    spread = Spread(fine(gpu=0.5), Free(1, 1))
    assert not spread.needed and spread.least == 0.5
    only = Spread(fine(gpu_memory_gib=20), Free(1, 1))  # too much for the small ones: Ray is told where
    assert only.needed and only() == {"num_gpus": 0.25, "label_selector": {LABEL: "A100-80G"}}
