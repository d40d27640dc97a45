"""Pixels in flight, and results that would be larger than a picture may be."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from hairline.cluster.nodes import Node
from hairline.cluster.placement import allocate
from hairline.configs.service import Queue, load_service
from hairline.serve.admission import Admission, Room
from hairline.serve.context import ServiceContext
from hairline.serve.errors import ApiError
from hairline.serve.memory import BYTES_PER_PIXEL, PROCESS_BYTES, WORK_BYTES, room
from hairline.serve.request_item import RequestItem
from hairline.stages.errors import HairlineError
from hairline.stages.item import Item
from hairline.stages.products.spec import ProductSpec
from hairline.stages.request import RequestSpec
from serve_kit import Server, encoded, photo

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))


def test_there_is_room_for_so_many_pixels_and_the_rest_waits_in_line() -> None:
    async def main() -> None:
        space = Room(100, 1)
        assert (space.pixels, space.small) == (80, 20)
        order: list[str] = []

        async def one(name: str, pixels: int, gate: asyncio.Event) -> None:
            await space.take(pixels)
            order.append(name)
            assert space.taken <= space.pixels
            await gate.wait()
            space.give(pixels)

        gates = [asyncio.Event() for _ in range(4)]
        tasks = []
        for (name, pixels), gate in zip((("a", 60), ("large", 80), ("b", 10), ("c", 10)), gates, strict=True):
            tasks.append(asyncio.create_task(one(name, pixels, gate)))
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert order == ["a"] and space.waiting == 3  # the small ones would fit, and do not overtake
        gates[0].set()
        await asyncio.sleep(0.01)
        assert order == ["a", "large"]
        tasks[2].cancel()  # one that waits leaves
        gates[1].set()
        gates[3].set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == ["a", "large", "c"] and (space.taken, space.waiting) == (0, 0)
        with pytest.raises(ApiError) as caught:
            await space.take(81)
        assert caught.value.status == 422 and caught.value.reason == "too_many_pixels"

    asyncio.run(main())


def test_a_place_that_was_given_to_somebody_who_left_is_free_again() -> None:
    async def main() -> None:
        space = Room(100, 1)
        await space.take(80)
        waits = asyncio.create_task(space.take(40))
        await asyncio.sleep(0)
        space.give(80)  # and before the task runs again:
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
        assert space.taken == 0

    asyncio.run(main())


class Slow:
    """Pools that note how many pixels are in them, and whose pictures end when they are told to."""

    retries, room, processes = 0, 1_000_000, 2

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.go = asyncio.Event()

    async def do(self, work: RequestItem) -> RequestItem:
        self.inside += work.pixels
        self.most = max(self.most, self.inside)
        try:
            await self.go.wait()
        finally:
            self.inside -= work.pixels
        return work

    async def replicas(self) -> dict[str, dict[str, int]]:
        return {}


def test_many_large_pictures_at_once_do_not_exceed_the_room(tmp_path: Path) -> None:
    async def main() -> None:
        pools = Slow()
        context = ServiceContext(load_service("service-laptop.yaml", [f"access_log={tmp_path / 'log'}"]), pools, None)
        tasks = [asyncio.create_task(context.through(work(300_000))) for _ in range(12)]
        await asyncio.sleep(0.05)
        assert pools.inside == 600_000 and context.room.waiting == 10
        tasks[0].cancel()  # its client left; it is large, and stays where it is until it has ended
        await asyncio.sleep(0.05)
        assert pools.inside == context.room.taken == 600_000
        pools.go.set()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert (
            sum(isinstance(each, RequestItem) for each in done) == 11 and pools.most <= context.room.pixels == 800_000
        )
        await asyncio.sleep(0)
        assert context.room.taken == 0

    asyncio.run(main())


def work(pixels: int) -> RequestItem:
    return RequestItem(Item("a", "", width=100, height=pixels // 100))


def test_answers_that_nobody_takes_keep_others_out() -> None:
    admission = Admission(Queue(requests=4, mib=1))
    with admission.leaving(900_000), admission.arrive(), admission.leaving(200_000):
        with pytest.raises(ApiError) as caught:
            admission.arrive()
        assert caught.value.status == 429 and caught.value.reason == "memory"
    with admission.arrive():
        pass


def memory(gib: float, *changes: str) -> int:
    service = load_service("service-laptop.yaml", changes)
    return room(service, allocate(service.pools, [Node(4)]), int(gib * (1 << 30)))


def test_the_room_follows_from_the_memory_or_the_file() -> None:
    assert memory(16) == ((16 << 30) - 4 * PROCESS_BYTES) // BYTES_PER_PIXEL
    assert memory(16, "queue.megapixels=100") == memory(1, "queue.megapixels=100") == 100_000_000
    with pytest.raises(HairlineError, match=r"5.0 GiB of memory do not hold 4 processes.*limits.max_pixels"):
        memory(5)
    with pytest.raises(HairlineError, match=r"queue.megapixels = 60: .*give at least 62"):
        memory(16, "queue.megapixels=60")


def test_a_result_counts_with_its_picture() -> None:
    def most(spec: object, width: int = 3000, height: int = 1000) -> int:
        return RequestSpec((ProductSpec.model_validate(spec),)).most_pixels(width, height, 50_000_000)

    assert most("cutout") == most({"white_background": {"canvas": "keep"}}) == 3_000_000
    assert most({"white_background": {"canvas": [5000, 5000]}}) == 25_000_000
    assert most({"white_background": {"fill": 0.5}}) == 36_000_000
    assert most({"white_background": {"fill": 1e-300}}) == 7071**2  # what the limits allow, and no overflow


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("products=[{white_background: {canvas: [9000, 9000]}}]", "its canvas has more than limits.max_pixels"),
        ("hosts=['https://a.example']", "no host name"),
        ("hosts=['a.example:80']", "no host name"),
        ("proxies=[nonsense]", "proxies"),
        ("queue.megapixels=0", "megapixels"),
        ("metrics=everybody", "metrics"),
    ],
)
def test_mistakes_in_the_file_are_told(change: str, told: str) -> None:
    with pytest.raises(HairlineError, match=told):
        load_service("service-laptop.yaml", [change])


LARGE = '{"white_background": {"canvas": [9999, 999]}}'


@pytest.mark.parametrize(
    ("path", "fields", "size"),
    [
        ("/v1/white_background", {"canvas": "[2001, 2000]"}, (320, 320)),
        ("/v1/white_background", {"canvas": "[10000, 10000]"}, (320, 320)),
        ("/v1/jobs", {"product": "white_background", "options": '{"canvas": [10000, 10000]}'}, (320, 320)),
        ("/v1/analyze", {"include": "white_background", "products": LARGE}, (64, 64)),
        ("/v1.0/removebg", {"size": "50MP", "crop": "true", "crop_margin": "50%", "format": "jpg"}, (1999, 1999)),
    ],
)  # fmt: skip
def test_no_request_makes_a_result_larger_than_a_picture_may_be(
    path: str, fields: dict[str, str], size: tuple[int, int], service: Server
) -> None:
    answer = service.post(path, files={"image_file": photo("astronaut", *size)}, data=fields)
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["code"] in ("invalid_canvas", "resolution_too_high")
    assert 'hairline_refused_total{reason="too_many_pixels"}' in service.get("/metrics").text


def test_a_tiny_subject_is_not_enlarged_beyond_all_measure() -> None:
    import numpy as np

    from hairline.stages.limits import Limits
    from hairline.stages.products import placing
    from hairline.stages.products import white_background as module

    alpha = np.zeros((40, 40), np.uint8)
    alpha[20, 20] = 255
    sizes: list[int] = []

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(cv2, name)

        def resize(self, pixels: Any, size: tuple[int, int], **more: Any) -> Any:
            sizes.append(size[0] * size[1])
            return cv2.resize(pixels, size, **more)

    import cv2

    real, placing.cv2 = placing.cv2, Watched()  # type: ignore[attr-defined, assignment]
    try:
        settings = module.WhiteBackgroundSettings(canvas=(3000, 1000))
        picture = SimpleNamespace(icc_profile=None, dpi=None)
        matte = SimpleNamespace(
            foreground=np.zeros((40, 40, 3), np.uint8), alpha=alpha, box=(20, 20, 21, 21), picture=picture,
            item=SimpleNamespace(limits=Limits(), columns={}),
        )  # fmt: skip
        made = module.WhiteBackground(settings).make(matte)  # type: ignore[arg-type]
    finally:
        placing.cv2 = real  # type: ignore[attr-defined]
    assert made.data and max(sizes) < 1.3 * 3000 * 1000


@pytest.mark.heavy
@pytest.mark.parametrize("case", ["JPEG, cutout", "JPEG, remove.bg colour"])
def test_a_large_picture_takes_no_more_memory_than_is_promised(case: str) -> None:
    import multiprocessing

    import online_memory

    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(1) as pool:  # made in another process than the one that is measured
        data = pool.apply(online_memory.picture, (online_memory.cases()[case][0], 4900))
    with spawn.Pool(1) as pool:
        status, grew, pixels = pool.apply(online_memory.measure, (case, 4900, data))
    assert status == "ok" and pixels == 4900 * 4900
    assert grew <= WORK_BYTES + BYTES_PER_PIXEL * pixels


def test_a_background_counts_too(service: Server) -> None:
    large = encoded(Image.new("RGB", (2100, 2000)), "PNG")
    files = {"image_file": photo(), "bg_image_file": large}
    assert service.post("/v1.0/removebg", files=files).status_code == 400
