import math
import os
import re
from pathlib import Path

import pytest

from hairline.cluster.nodes import Node, cores, nodes_at_most, this_machine
from hairline.cluster.placement import Placement, allocate
from hairline.cluster.quota import quota
from hairline.configs.nodes import NodeType
from hairline.configs.pipeline import PoolConfig
from hairline.stages.errors import HairlineError


def pool(name: str = "all", **fields: object) -> PoolConfig:
    return PoolConfig.model_validate({"name": name, "stages": ["filter"], **fields})


def sizes(placements: list[Placement]) -> list[tuple[int, int, int]]:
    return [(each.smallest, each.largest, each.first) for each in placements]


def test_a_single_pool_takes_the_machine() -> None:
    assert sizes(allocate([pool()], [Node(8)])) == [(8, 8, 8)]
    assert sizes(allocate([pool(cpus=3)], [Node(8)])) == [(2, 2, 2)]
    assert sizes(allocate([pool()], [Node(8)], batches=3)) == [(3, 3, 3)]
    assert sizes(allocate([pool(workers=3)], [Node(8)])) == [(3, 3, 3)]
    assert sizes(allocate([pool(workers=[2, 20])], [Node(8)])) == [(2, 20, 8)]


def test_several_pools_share_it() -> None:
    a, b = pool("a"), pool("b", workers=[1, 3])
    assert sizes(allocate([a, b], [Node(8)])) == [(1, 8, 5), (1, 3, 3)]


def test_each_kind_of_card_has_its_own_share() -> None:
    nodes = [Node(8, 1, 80.0, "A100-80G"), Node(8, 2, 16.0, "T4")]
    (got,) = allocate([pool(gpu_memory_gib=12, workers=[1, 20])], nodes)
    small, large = got.cards
    assert (small.card, small.gpu, small.most) == ("T4", 0.75, 2)
    assert (large.card, large.gpu, large.most) == ("A100-80G", 0.15, 6)
    assert (got.first, got.gpu) == (8, 0.75)
    assert small.selector == (("ray.io/accelerator-type", "T4"),)
    (got,) = allocate([pool(gpu_memory_gib=4)], nodes)
    assert got.largest == 16  # eight on the small cards, at four a card; on the large one as many as cores


def test_what_is_too_much_for_one_kind_of_card_goes_to_another() -> None:
    nodes = [Node(8, 1, 80.0, "A100-80G"), Node(8, 2, 16.0, "T4")]
    (got,) = allocate([pool(gpu_memory_gib=20, workers=[1, 9])], nodes)
    assert [(card.card, card.gpu, card.most) for card in got.cards] == [("A100-80G", 0.25, 4)]
    assert got.cards[0].selector  # or Ray would put a quarter of a small card
    (got,) = allocate([pool(gpu_memory_gib=20, workers=[1, 9])], nodes[:1])
    assert not got.cards[0].selector  # one kind alone: nothing to choose
    (got,) = allocate([pool(gpu=0.5, workers=[1, 9])], nodes)
    assert got.gpu == 0.5 and not any(card.selector for card in got.cards)


def test_a_service_keeps_to_one_kind_of_card() -> None:
    nodes = [Node(8, 1, 80.0, "A100-80G"), Node(8, 1, 16.0, "T4")]
    (got,) = allocate([pool(gpu_memory_gib=12, workers=[1, 9])], nodes, one_card=True)
    assert (got.gpu, [card.card for card in got.cards]) == (0.15, ["A100-80G"])


@pytest.mark.parametrize(
    ("nodes", "selectors"),
    [
        ([Node(8, 1, 80, "A100", "a"), Node(8, 1, 15, "T4", "b")],
         [("ray.io/accelerator-type", "T4"), ("ray.io/accelerator-type", "A100")]),
        ([Node(8, 1, 80, "A100", "a"), Node(8, 1, 40, "A100", "b"), Node(8, 1, 40.2, "A100", "c")],
         [("ray.io/node-group", "in(b,c)"), ("ray.io/node-group", "in(a)")]),
        ([Node(8, 1, 80, "", "", "x"), Node(8, 1, 24, "", "", "y")],
         [("ray.io/node-id", "in(y)"), ("ray.io/node-id", "in(x)")]),
        ([Node(8, 1, 80, "", "", "x"), Node(8, 1, 79.6, "", "", "y")], []),
    ],
)  # fmt: skip
def test_how_ray_is_told_which_cards(nodes: list[Node], selectors: list[tuple[str, str]]) -> None:
    (got,) = allocate([pool(gpu_memory_gib=8, workers=[1, 9])], nodes)
    assert [pair for card in got.cards for pair in card.selector] == selectors


def test_cards_whose_memory_nobody_knows_are_to_be_declared() -> None:
    with pytest.raises(HairlineError, match=r"memory of the card GX of node gpus is not known.*nodes: \[\{name: gpus"):
        allocate([pool(gpu_memory_gib=8)], [Node(8, 1, 0, "GX", "gpus")])
    allocate([pool(gpu=0.5)], [Node(8, 1, 0, "GX", "gpus")])


def test_a_cluster_at_rest_is_planned_with_what_may_come() -> None:
    read, fine = pool("read", workers=[8, 64]), pool("fine", gpu_memory_gib=12, cpus=2, workers=[2, 32])
    types = (
        NodeType(name="cpu", cpus=16, max=4),
        NodeType(name="gpu", cpus=8, gpus=1, card="A100-80G", max=2),
    )
    at_most = nodes_at_most(types)
    with pytest.raises(HairlineError, match="fine asks for 12 GiB of a GPU; there is none"):
        allocate([read, fine], [Node(0)])
    got = allocate([read, fine], [Node(0)], at_most=at_most)
    assert sizes(got) == [(8, 64, 8), (2, 32, 2)]  # at first no more than the least: nothing is there yet
    assert got[1].cards[0].most == 8
    assert sizes(allocate([read, fine], [Node(16), *at_most[4:5]], at_most=at_most)) == [(8, 64, 16), (2, 32, 4)]
    with pytest.raises(HairlineError) as caught:
        allocate([read, pool("fine", gpu_memory_gib=12, cpus=2, workers=12)], [Node(0)], at_most=at_most)
    assert "there is at most 80 CPU and 2 GPU in 6 nodes; 8 of fine have room, so workers: 8 would fit" in str(
        caught.value
    )


def test_processes_without_a_card_leave_the_nodes_with_cards_to_others() -> None:
    read, fine = pool("read", workers=[1, 99]), pool("fine", gpu=0.1, workers=[1, 99])
    got = allocate([read, fine], [Node(4, 1, 16), Node(4)])
    assert sizes(got) == [(1, 99, 4), (1, 99, 4)]


def test_a_share_lies_on_one_card() -> None:
    allocate([pool(gpu=0.6, workers=2)], [Node(8, 2, 16)])
    with pytest.raises(HairlineError):
        allocate([pool(gpu=0.6, workers=3)], [Node(8, 2, 16)])
    allocate([pool(gpu=2, workers=1)], [Node(8, 2, 16)])
    with pytest.raises(HairlineError):
        allocate([pool(gpu=2, workers=1)], [Node(8, 1, 16), Node(8, 1, 16)])


@pytest.mark.parametrize(
    ("pools", "node", "message"),
    [
        ([pool(cpus=16)], Node(8), "all asks for 1 × 16 CPU; there is 8 CPU and no GPU"),
        (
            [pool(workers=9)],
            Node(8),
            "9 × 1 CPU; there is 8 CPU and no GPU; 8 of all have room, so workers: 8",
        ),
        (
            [pool("a", cpus=5), pool("b", cpus=4)],
            Node(8),
            "a asks for 1 × 5 CPU, b asks for 1 × 4 CPU; there is 8 CPU and no GPU; no room for b",
        ),
        ([pool(gpu=0.5)], Node(8), "all asks for 1 × 1 CPU and 0.5 GPU; there is 8 CPU and no GPU"),
        ([pool(gpu_memory_gib=8)], Node(8), "all asks for 8 GiB of a GPU; there is none"),
        (
            [pool(gpu_memory_gib=24)],
            Node(8, 1, 16),
            "the largest has 16 GiB (there is 1 × 16 GiB): ask for 16 or less",
        ),
    ],
)
def test_what_does_not_fit(pools: list[PoolConfig], node: Node, message: str) -> None:
    with pytest.raises(HairlineError, match="do not fit") as caught:
        allocate(pools, [node], batches=1)
    assert message in str(caught.value)


@pytest.mark.parametrize("gib", [1.0, 2.5, 2.9, 6.0, 14.5])
def test_the_number_that_would_fit_does_and_one_more_does_not(gib: float) -> None:
    nodes = [Node(8, 1, 14.5, "T4"), Node(8, 1, 22.0, "L4")]
    read = pool("read", workers=2)
    with pytest.raises(HairlineError) as caught:
        allocate([read, pool("fine", gpu_memory_gib=gib, workers=99)], nodes)
    fits = int(re.search(r"so workers: (\d+) would fit", str(caught.value))[1])  # type: ignore[index]
    (_, got) = allocate([read, pool("fine", gpu_memory_gib=gib, workers=fits)], nodes)
    assert sum(card.gpu * card.most for card in got.cards) <= 2 and got.planned == fits
    with pytest.raises(HairlineError, match=f"{fits} of fine have room"):
        allocate([read, pool("fine", gpu_memory_gib=gib, workers=fits + 1)], nodes)


def test_five_pools_on_one_card_that_is_too_small_for_the_fifth() -> None:
    pools = [pool(name, gpu_memory_gib=3.5, workers=1) for name in "abcde"]
    with pytest.raises(HairlineError, match=r"no room for e, as the most that is free on one node is 4 CPU and 0.0344"):
        allocate(pools, [Node(8, 1, 14.5, "T4")])
    got = allocate([each.model_copy(update={"gpu_memory_gib": 2.9}) for each in pools], [Node(8, 1, 14.5, "T4")])
    assert [(each.gpu, each.planned) for each in got] == [(0.2, 1)] * 5


def test_this_machine() -> None:
    assert 1 <= cores() == this_machine().cpus


def machine(root: Path, cgroup: str, mounts: str, **files: str) -> Path:
    """Lays out /proc/self and groups; `files` are paths with __ for /."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(cgroup)
    (root / "proc/self/mountinfo").write_text(mounts)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("cpu_", "cpu.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


V1 = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "32 31 0:29 {} /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
)
V2 = "41 31 0:38 {} /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"


@pytest.mark.parametrize(
    ("cgroup", "mounts", "files", "cores"),
    [
        ("0::/\n", V2.format("/"), {"cpu_max": "150000 100000"}, 1.5),
        ("0::/\n", V2.format("/"), {"cpu_max": "max 100000"}, None),
        ("0::/\n", V2.format("/"), {}, None),
        ("0::/a/b\n", V2.format("/"), {"a__b__cpu_max": "max 100000", "a__cpu_max": "200000 100000"}, 2),
        ("0::/a/b\n", V2.format("/"), {"a__b__cpu_max": "100000 100000", "a__cpu_max": "400000 100000"}, 1),
        ("0::/a/b\n", V2.format("/"), {"a__b__cpu_max": "400000 100000", "cpu_max": "50000 100000"}, 0.5),
        ("0::/a/b\n", V2.format("/a"), {"b__cpu_max": "300000 100000"}, 3),  # a mount of a part of the tree
        ("0::/../x\n", V2.format("/"), {"cpu_max": "300000 100000"}, 3),  # a group outside of the namespace
        ("0::/a b\n", V2.format("/"), {"a b__cpu_max": "300000 100000"}, 3),
        ("0::/\n", V2.format("/") + "garbage\n\n", {"cpu_max": "rubbish"}, None),
        (
            "3:cpu,cpuacct:/docker/1\n0::/\n", V1.format("/docker/1"),
            {"cpu__cpu_cfs_quota_us": "100000", "cpu__cpu_cfs_period_us": "50000"}, 2,
        ),
        (
            "3:cpu,cpuacct:/\n", V1.format("/"),
            {"cpu__cpu_cfs_quota_us": "-1", "cpu__cpu_cfs_period_us": "100000"}, None,
        ),
        (
            "3:cpu:/a/b\n4:cpuset:/c\n", V1.format("/"),
            {"cpu__a__cpu_cfs_quota_us": "100000", "cpu__a__cpu_cfs_period_us": "100000",
             "cpu__a__b__cpu_cfs_quota_us": "-1", "cpu__a__b__cpu_cfs_period_us": "100000"}, 1,
        ),
    ],
)  # fmt: skip
def test_quotas_of_control_groups(
    tmp_path: Path, cgroup: str, mounts: str, files: dict[str, str], cores: float | None
) -> None:
    assert quota(machine(tmp_path, cgroup, mounts, **files)) == cores


def test_no_control_groups_at_all(tmp_path: Path) -> None:
    assert quota(tmp_path) is None


def test_a_quota_of_the_kernel() -> None:
    """A real group, where this machine lets us make one."""
    version_1, version_2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
    try:
        if (version_1 / "cpu.cfs_quota_us").exists():
            group = version_1 / f"hairline-test-{os.getpid()}"
            limits = {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "150000"}
        else:
            group, limits = version_2 / f"hairline-test-{os.getpid()}", {"cpu.max": "150000 100000"}
        (group / "inner").mkdir(parents=True)
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    reader, writer = os.pipe()
    try:
        for name, value in limits.items():
            try:
                (group / name).write_text(value)
            except OSError as error:
                pytest.skip(f"the CPU controller is not ours to set: {error}")
        child = os.fork()
        if not child:  # in the group below: the quota above it holds
            try:
                (group / "inner" / "cgroup.procs").write_text(str(os.getpid()))
                os.write(writer, f"{quota()} {cores()}".encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        os.close(writer)
        granted, count = os.read(reader, 100).decode().split()
        assert (float(granted), int(count)) == (1.5, min(math.floor(1.5), len(os.sched_getaffinity(0))))
    finally:
        (group / "inner").rmdir()
        group.rmdir()
