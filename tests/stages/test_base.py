import pickle
import time
import weakref

import cv2
import numpy as np
import pytest
import torch

import zoo
from hairline.stages.base import EachStage, Settings, Stage, run_stage, run_stages
from hairline.stages.errors import PictureError
from hairline.stages.item import Box, CoarseCrop, Item, Output, Subject


class Recorder(Stage):
    """Notes every batch, and raises what it is told to for some ids."""

    name = "recorder"
    Settings = Settings

    def __init__(self, errors=None, fits=10**9):
        super().__init__(Settings())
        self.errors, self.fits, self.batches = errors or {}, fits, []

    def process(self, items):
        self.batches.append([item.id for item in items])
        if len(items) > self.fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        for item in items:
            if item.id in self.errors:
                raise self.errors[item.id]
            item.category = "seen"


class Each(EachStage):
    name = "each"
    Settings = Settings

    def __init__(self, work):
        super().__init__(Settings())
        self.work = work

    def process_one(self, item):
        self.work(item)


def items(count):
    return [Item(str(i), str(i)) for i in range(count)]


def by_id(batch, ids):
    return [item for item in batch if item.id in ids]


def test_ended_items_are_skipped():
    batch, stage = items(4), Recorder()
    batch[1].filter("before", "blurred")
    batch[2].fail("before", PictureError("truncated", "half"))
    run_stage(stage, batch)
    assert stage.batches == [["0", "3"]]
    assert (batch[1].status, batch[1].stage, batch[1].reason) == ("filtered", "before", "blurred")
    assert "recorder" not in batch[1].seconds


def test_nothing_to_do_calls_nothing():
    batch, stage = items(1), Recorder()
    batch[0].filter("before", "blurred")
    run_stage(stage, batch)
    run_stage(stage, [])
    assert stage.batches == []


@pytest.mark.parametrize("broken", [[0], [7], [3, 4], [0, 1, 6], list(range(8))])
def test_only_the_broken_fail(broken):
    batch = items(8)
    run_stage(Recorder({str(i): ValueError(f"bad {i}") for i in broken}), batch)
    for i, item in enumerate(batch):
        if i in broken:
            assert (item.status, item.stage, item.reason) == ("failed", "recorder", "internal_error")
            assert item.detail.startswith(f"ValueError: bad {i}")
        else:
            assert (item.status, item.category) == ("pending", "seen")


def test_a_picture_error_brings_its_reason():
    batch = items(2)
    run_stage(Recorder({"1": PictureError("truncated", "half of it")}), batch)
    assert (batch[1].reason, batch[1].detail) == ("truncated", "half of it")


def test_the_halves_leave_out_who_has_ended():
    class FiltersAll(Recorder):
        def process(self, items):
            self.batches.append([item.id for item in items])
            for item in items:
                item.filter(self.name, "blurred")
            raise RuntimeError("afterwards")

    batch, stage = items(4), FiltersAll()
    run_stage(stage, batch)
    assert stage.batches == [["0", "1", "2", "3"]]
    assert {item.reason for item in batch} == {"blurred"}
    run_stage(stage, single := items(1))
    assert single[0].reason == "blurred"


def test_out_of_memory_halves_until_it_fits():
    batch, stage = items(8), Recorder(fits=2)
    run_stage(stage, batch)
    assert [len(b) for b in stage.batches] == [8, 4, 2, 2, 4, 2, 2]
    assert all(item.category == "seen" and not item.ended for item in batch)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError("no room"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"),
        cv2.error("(-4:Insufficient memory) Failed to allocate 99 bytes"),
    ],
)
def test_one_picture_that_does_not_fit(error):
    def work(item):
        if item.id == "2":
            raise error
        item.category = "seen"

    for stage in (Recorder({"2": error}), Each(work)):
        batch = items(4)
        run_stage(stage, batch)
        assert (batch[2].status, batch[2].reason) == ("failed", "out_of_memory")
        assert [item.category for item in batch] == ["seen", "seen", "", "seen"]


def test_what_filled_the_memory_is_gone_before_the_next_try():
    class Hoarder(Recorder):
        held = None

        def process(self, items):
            assert self.held is None or self.held() is None, "the last try's tensor still takes its memory"
            tensor = torch.zeros(10)
            self.held = weakref.ref(tensor)
            if len(items) > 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
            items[0].category = "seen"

    batch = items(4)
    run_stage(Hoarder(), batch)
    assert [item.detail for item in batch] == [""] * 4


def test_each_stage_goes_on_after_an_error():
    def work(item):
        if item.id == "1":
            raise KeyError("gone")
        if item.id == "2":
            item.filter("each", "too_dark")
        item.category = "seen"

    batch = items(4)
    run_stage(Each(work), batch)
    assert [item.status for item in batch] == ["pending", "failed", "filtered", "pending"]
    assert batch[1].detail.startswith("KeyError: 'gone'")


def test_internal_errors_say_where():
    item = Item("a", "a", data=b"no picture")
    item.alpha = np.zeros((2, 2), np.uint8)
    run_stage(Each(lambda item: item.__setstate__({"alpha": b"", "subjects": []})), [item])
    assert item.reason == "internal_error"
    assert "(item.py:" in item.detail


def test_user_interrupts_are_not_swallowed():
    with pytest.raises(KeyboardInterrupt):
        run_stage(Recorder({"0": KeyboardInterrupt()}), items(1))


def test_time_is_shared_among_the_batch(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    def work(item):
        clock[0] += 0.02

    batch = items(4)
    run_stage(Each(work), batch)
    assert sum(item.seconds["each"] for item in batch) == pytest.approx(0.08)
    assert len({item.seconds["each"] for item in batch}) == 1
    once = batch[0].seconds["each"]
    run_stage(Each(work), batch)
    assert batch[0].seconds["each"] == pytest.approx(2 * once)


def test_stages_follow_each_other():
    batch = items(3)

    def judge(item):
        if item.id == "0":
            item.filter("each", "no_subject")

    last = Recorder()
    run_stages([Each(judge), last], batch)
    assert last.batches == [["1", "2"]]
    for item in batch:
        item.finish()
    assert [item.status for item in batch] == ["filtered", "ok", "ok"]


def test_what_ends_lets_go_of_its_bytes():
    item = Item("a", "a", data=zoo.encode(zoo.some_photographs()[0], "JPEG"))
    assert item.picture.small(32).size
    assert (item.width, item.height) == (320, 240)
    item.outputs["cutout"] = Output(b"x", "png")
    item.filter("filter", "blurred", "very")
    assert (item.data, item._picture, item.outputs, item.width) == (b"", None, {}, 320)


def test_an_item_crosses_processes():
    photo = zoo.some_photographs()[0]
    alpha = zoo.alpha_of(photo)
    item = Item("ü/a", "file:///ü/a", data=zoo.encode(photo, "PNG"), boxes=[Box(0, 1, 2, 3, "subject", 0.5)])
    item.crops = [CoarseCrop((0, 0, 320, 240), alpha[::4, ::4].copy(), alpha[::4, ::4].copy())]
    item.alpha, item.subjects = alpha, [Subject((0, 0, 320, 240), alpha), Subject((5, 6, 105, 76), alpha[:70, :100])]
    assert item.picture.rgb().size
    packed = pickle.dumps(item)
    assert len(packed) < len(item.data) + 60_000  # neither the decoded picture nor a raw alpha goes along
    copy = pickle.loads(packed)
    assert np.array_equal(copy.alpha, alpha)
    assert copy.alpha.dtype == np.uint8
    assert copy.subjects[1].box == (5, 6, 105, 76)
    assert np.array_equal(copy.subjects[1].alpha, alpha[:70, :100])
    assert (copy.id, copy.boxes, copy.status) == (item.id, item.boxes, "pending")
    assert np.array_equal(copy.picture.rgb(), photo)
