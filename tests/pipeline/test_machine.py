import pytest

from hairline.pipeline.job import Pool
from hairline.pipeline.machine import Node, Placement, cores, place, this_machine
from hairline.stages.errors import HairlineError


def pool(name: str = "all", **fields: object) -> Pool:
    return Pool.model_validate({"name": name, "stages": ["filter"], **fields})


def sizes(placements: list[Placement]) -> list[tuple[int, int, int]]:
    return [(each.smallest, each.largest, each.first) for each in placements]


def test_a_single_pool_takes_the_machine() -> None:
    assert sizes(place([pool()], [Node(8)])) == [(8, 8, 8)]
    assert sizes(place([pool(cpus=3)], [Node(8)])) == [(2, 2, 2)]
    assert sizes(place([pool()], [Node(8)], batches=3)) == [(3, 3, 3)]
    assert sizes(place([pool(workers=3)], [Node(8)])) == [(3, 3, 3)]
    assert sizes(place([pool(workers=[2, 20])], [Node(8)])) == [(2, 20, 8)]


def test_several_pools_share_it() -> None:
    a, b = pool("a"), pool("b", workers=[1, 3])
    assert sizes(place([a, b], [Node(8)])) == [(1, 8, 5), (1, 3, 3)]


def test_gpu_memory_becomes_a_share_of_the_smallest_card() -> None:
    nodes = [Node(8, 1, 80.0), Node(8, 2, 16.0)]
    (got,) = place([pool(gpu_memory_gib=4, workers=[1, 9])], nodes)
    assert got.gpu == 0.25
    assert got.first == 9
    (got,) = place([pool(gpu_memory_gib=4)], nodes)
    assert got.largest == 12


def test_a_share_lies_on_one_card() -> None:
    place([pool(gpu=0.6, workers=2)], [Node(8, 2, 16)])
    with pytest.raises(HairlineError):
        place([pool(gpu=0.6, workers=3)], [Node(8, 2, 16)])
    place([pool(gpu=2, workers=1)], [Node(8, 2, 16)])
    with pytest.raises(HairlineError):
        place([pool(gpu=2, workers=1)], [Node(8, 1, 16), Node(8, 1, 16)])


@pytest.mark.parametrize(
    ("pools", "node", "message"),
    [
        ([pool(cpus=16)], Node(8), "all asks for 1 × 16 CPU; there is 8 CPU and no GPU"),
        ([pool(workers=9)], Node(8), "all asks for 9 × 1 CPU; there is 8 CPU"),
        ([pool("a", cpus=5), pool("b", cpus=4)], Node(8), "a asks for 1 × 5 CPU, b asks for 1 × 4 CPU"),
        ([pool(gpu=0.5)], Node(8), "all asks for 1 × 1 CPU and 0.5 GPU; there is 8 CPU and no GPU"),
        ([pool(gpu_memory_gib=8)], Node(8), "all asks for 8 GiB of a GPU; there is none"),
        ([pool(gpu_memory_gib=24)], Node(8, 1, 16), "24 GiB of a GPU; the smallest has 16 GiB"),
    ],
)
def test_what_does_not_fit(pools: list[Pool], node: Node, message: str) -> None:
    with pytest.raises(HairlineError, match="do not fit") as caught:
        place(pools, [node], batches=1)
    assert message in str(caught.value)


def test_this_machine() -> None:
    assert 1 <= cores() == this_machine().cpus
