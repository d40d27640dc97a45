"""What a plan says: the pools, a sample's figures, workers from them, requests and cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hairline.cluster.nodes import Node
from hairline.configs.job import load_job
from hairline.configs.pipeline import PoolConfig
from hairline.configs.prices import Prices, load_prices
from hairline.pipeline.cost import estimate, requests
from hairline.pipeline.measure import PoolSample
from hairline.pipeline.tuning import needs, propose, throughput
from hairline.stages.errors import HairlineError
from kit import hairline


def pool(name: str, **fields: object) -> PoolConfig:
    return PoolConfig.model_validate({"name": name, "stages": ["filter"], **fields})


def sample(name: str, seconds: float, fetch: float = 0.0, mib: float = 500.0) -> PoolSample:
    """Of ten pictures."""
    return PoolSample(name, (name,), 10, {"fetch": fetch, name: seconds}, mib, 0.0, 1000, 1000, 1.0)


def best_of_a_grid(seconds: list[float], cores: int) -> float:
    return max(throughput(seconds, [a, b, cores - a - b]) for a in range(1, cores - 1) for b in range(1, cores - a))


@pytest.mark.parametrize("seconds", [(1, 1, 1), (1, 5, 2), (0.2, 9, 0.1), (3, 1, 7)])
@pytest.mark.parametrize("cores", [6, 24, 64])
def test_workers_are_within_a_tenth_of_the_best_of_a_grid(seconds: tuple[float, ...], cores: int) -> None:
    pools = [pool(name) for name in "abc"]
    samples = [sample(name, spent) for name, spent in zip("abc", seconds, strict=True)]
    each = needs(samples, 10)
    proposals, _ = propose(pools, samples, each, [Node(cores)])
    got = throughput(each, [proposal.workers for proposal in proposals])
    assert got >= 0.9 * best_of_a_grid(each, cores)
    assert sum(proposal.workers for proposal in proposals) <= cores


def test_cards_memory_and_fetching_are_limits_too() -> None:
    read, fine = pool("read"), pool("fine", gpu_memory_gib=10, cpus=1)
    samples = [sample("read", 1), sample("fine", 20)]
    nodes = [Node(16), Node(8, 1, 16.0, "T4")]
    proposals, room = propose([read, fine], samples, needs(samples, 10), nodes)
    assert [each.workers for each in proposals] == [1, 1]  # one fits a card; more readers would wait for it
    assert proposals[1].why == "holds up the others; no more cards free"
    assert len(room.used) == 2
    proposals, _ = propose([read], samples[:1], needs(samples[:1], 10), [Node(16)], memory_mib=2000)
    assert proposals[0].workers == 3 and "memory" in proposals[0].why
    assert needs([sample("read", 1, fetch=80)], 10) == [1.0]  # in eight threads, beside the stages


def test_requests_and_cost() -> None:
    asked = requests(1000, 900, pools=2, batch=100, reads_s3=True, writes_s3=True)
    assert asked == {"get": 1000 + 900 + 30, "put": 900 + 40, "list": 1}
    assert requests(1000, 900, 2, 100, False, False) == {"get": 0, "put": 0, "list": 0}
    prices = Prices.model_validate(
        {"node_hour": {"cpu": 1}, "core_hour": 0.5, "card_hour": {"T4": 2}, "requests": {"put": 5}, "gib_month": 0.1}
    )
    nodes = [Node(16, group="cpu"), Node(8, 2, 15, "T4", "gpu")]
    found = estimate(7200, 1.0, nodes, {"get": 0, "put": 1000, "list": 0}, (1.0, 10.0), prices)
    assert (found.hours, found.core_hours, found.card_hours) == (2.0, 48.0, {"T4": 4.0})
    assert found.cost == {
        "machines": 2 * (1 + 8 * 0.5 + 2 * 2),
        "requests": 5.0,
        "bytes_out": 0.0,
        "storage_month": 1.0,
    }
    assert found.as_dict()["cost_per_1000_pictures"] == pytest.approx(24 / 7.2)


def test_the_price_file_that_ships_is_one(tmp_path: Path) -> None:
    assert load_prices("prices.yaml").node_hour
    wrong = tmp_path / "p.yaml"
    wrong.write_text("currency: EUR\nnode_hours: {a: 1}\n")
    with pytest.raises(HairlineError, match=r"p\.yaml:2: node_hours: unknown key; did you mean node_hour\?"):
        load_prices(str(wrong))


def test_a_plan_as_json(job_file: Callable[..., Path]) -> None:
    nodes = [{"name": "cpu", "cpus": 4, "max": 3}, {"name": "gpu", "cpus": 8, "gpus": 1, "card": "T4", "max": 2}]
    pools = [
        {"name": "read", "stages": ["own_stages:Judge"], "workers": [1, 99]},
        {"name": "cut", "stages": ["own_stages:Invert"], "gpu_memory_gib": 6, "workers": [1, 4], "batch": 8},
    ]
    done = hairline("plan", job_file(pools=pools, nodes=nodes), "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert (plan["pictures"], plan["todo"], plan["nodes"]["cpus"], plan["nodes"]["may_come"]) == (20, 20, 28, True)
    read, cut = plan["pools"]
    assert (read["pool"], read["nodes"], read["workers_max"]) == ("read", ["cpu"], 2)  # two batches to do
    assert cut["nodes"] == ["gpu"] and cut["cards"][0]["card"] == "T4"
    assert cut["cards"][0]["gpu"] == pytest.approx(6 / 14.5, abs=1e-4) and "6 of 14.5 GiB" in cut["why"]
    done = hairline("plan", job_file(pools=[{**pools[0], "cpus": 5}, pools[1]], nodes=nodes[:1]))
    assert done.returncode == 2 and "cut asks for 6 GiB of a GPU; there is none" in done.stderr


def test_a_sample_proposes_workers_and_writes_the_job(job_file: Callable[..., Path], tmp_path: Path) -> None:
    pools = [
        {"name": "slow", "stages": ["own_stages:Judge"], "workers": 1},
        {"name": "quick", "stages": ["own_stages:Invert"], "workers": 1},
    ]
    nodes = [{"name": "cpu", "cpus": 6, "max": 1}]
    job = job_file(pools=pools, nodes=nodes, stages={"own_stages:Judge": {"pause_s": 0.1}})
    tuned = tmp_path / "tuned.yaml"
    ask = ("--sample", 5, "--write", tuned, "--prices", "prices.yaml")
    done = hairline("plan", job, "--json", *ask)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    slow, quick = plan["sample"]["pools"]
    assert slow["pictures"] == 5 and slow["stages"]["judge"]["seconds"] >= 0.5 and slow["peak_mib"] > 50
    assert quick["bytes_in"] == slow["bytes_out"] > slow["bytes_in"] > 0 and quick["bytes_out"] > 0
    got = {each["pool"]: each["workers"] for each in plan["proposed"]["pools"]}
    assert got == {"slow": [1, 5], "quick": 1}
    assert plan["proposed"]["pictures_per_s"] > 3 * plan["proposed"]["pictures_per_s_now"]
    assert plan["estimate"]["cost_per_1000_pictures"] > 0 and plan["estimate"]["currency"] == "USD"
    assert [each.workers for each in load_job(str(tuned)).pools] == [(1, 5), 1]
    assert not (tmp_path / "out").exists()
    before = tuned.read_bytes()
    done = hairline("plan", job, *ask)
    assert done.returncode == 2 and "tuned.yaml: is there already" in done.stderr and tuned.read_bytes() == before


def test_a_plan_that_cannot_be(job_file: Callable[..., Path]) -> None:
    for wrong, told in ((("--write", "x"), "add --sample N"), (("--sample", "0"), "0 is no number of pictures")):
        done = hairline("plan", job_file(), *wrong)
        assert done.returncode == 2 and told in done.stderr
