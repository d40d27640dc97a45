"""What a pool's process does with its stages."""

from collections.abc import Sequence

import torch

from hairline.cluster.stage_runner import PoolSpec, StageRunner
from hairline.stages.base import Settings, Stage
from hairline.stages.item import Item
from kit import jpeg


class Groups(Stage[Settings]):
    """Notes which items came together."""

    name = "groups"
    Settings = Settings

    def setup(self, device: torch.device) -> None:
        self.loaded = getattr(self, "loaded", 0) + 1

    def process(self, items: Sequence[Item]) -> None:
        self.seen = [*getattr(self, "seen", []), [item.id for item in items]]


def test_large_pictures_go_through_in_small_groups() -> None:
    items = [Item(str(width), "", data=jpeg(0, width, 5000)) for width in (1000, 6000, 6001, 100)]
    runner = StageRunner(PoolSpec("all", ((f"{__name__}:Groups", Settings()),), 1, 0, 8))
    runner.run(items)
    (stage,) = runner.stages
    assert isinstance(stage, Groups) and stage.seen == [["1000", "6000"], ["6001", "100"]]
    assert {item.status for item in items} == {"ok"}


def test_in_the_last_pool_alone_pictures_are_done() -> None:
    item = Item("a", "", data=jpeg(0))
    StageRunner(PoolSpec("first", ((f"{__name__}:Groups", Settings()),), 1, 0, 8, is_last=False)).run([item])
    assert item.status == "pending"


def test_a_spared_stage_is_loaded_when_a_picture_needs_it() -> None:
    spec = PoolSpec("all", ((f"{__name__}:Groups", Settings()),), 1, 0, 8, spared=frozenset({"groups"}))
    runner = StageRunner(spec)
    (stage,) = runner.stages
    done, fallen_back = Item("a", "", data=jpeg(0)), Item("b", "", data=jpeg(0))
    done.done = frozenset({"groups"})
    runner.run([done])
    assert isinstance(stage, Groups) and not hasattr(stage, "loaded")
    runner.run([fallen_back])
    runner.run([fallen_back])
    assert stage.loaded == 1 and stage.seen == [["b"]]
