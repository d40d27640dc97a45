"""Cutting pictures out in this process: `cut` for one, `Cutter` for many and with settings."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any, NoReturn

import numpy as np
import torch

from .cluster.nodes import cores
from .cluster.stage_runner import PoolSpec, StageRunner, groups
from .configs.documents import read_config
from .configs.job import Job
from .configs.pipeline import PipelineConfig, check_config
from .cutout import U8, Cutout, cutout_of
from .inputs import Input, PictureItem, in_memory, read
from .stages.correction import Corners, Correction, Point
from .stages.documents import Document
from .stages.errors import HairlineError
from .stages.imaging.png import encode_png
from .stages.request import RequestSpec

READERS = 8  # threads that wait for files
MATTE = "hairline.cutout:MatteStage"
HERE = "Cutter(…)"  # where a mistake in the settings is said to stand

_default: Cutter | None = None
_starting = threading.Lock()


def cut(image: Input) -> Cutout:
    """Cuts one picture out, with the settings of `laptop.yaml`. The first call loads the networks, and takes seconds.

    Args:
        image: a path or URL, the bytes of a file, a PIL image, or a NumPy array; see `Cutter.cut`.

    Raises:
        TypeError, ValueError: it is none of these. What is wrong with a picture stands in the answer's `reason`.
    """
    global _default
    with _starting:
        _default = _default or Cutter()
    return _default.cut(image)


class Cutter:
    """The networks, loaded once, for as many pictures as you like. May be called from several threads at once.

    The answers are those of `hairline cut` and of a run with the same settings, byte for byte. The networks work on one
    batch at a time: threads that share a cutter take turns there, and overlap in reading, colours and encoding.

    Args:
        job: a job file whose settings are taken (stages, their order, limits), or the name of one that comes with
            hairline. Its input, output and products, and how its pools spread the work, do not count here.
        stages: settings that go before the file's, by stage: `{"filter": {"min_side": 200}}`.
        limits: what is refused before it is decoded: `{"max_pixels": 10_000_000}`.
        keep_rejects: what the filter finds is noted in `quality` only, and ends no picture.
        device: `cpu`, `cuda`, `cuda:1`, …; `auto` is the first GPU, or the CPU where there is none.
        threads: of torch and OpenCV, for the whole process; by default as many as there are cores.
        batch: pictures that go through the stages together; 1 gives each answer soonest, more is faster on a GPU.

    Raises:
        HairlineError: a setting is wrong (says which), the device is not there, or weights are missing or damaged.
    """

    def __init__(
        self,
        job: str | os.PathLike[str] = "laptop.yaml",
        *,
        stages: Mapping[str, Mapping[str, Any]] | None = None,
        limits: Mapping[str, int] | None = None,
        keep_rejects: bool = False,
        device: str = "auto",
        threads: int | None = None,
        batch: int = 8,
    ) -> None:
        for name, number in (("batch", batch), ("threads", threads)):
            if number is not None and (not isinstance(number, int) or number < 1):
                raise HairlineError(f"{HERE}: {name} must be a whole number from 1 on, not {number!r}")
        changes = {name: dict(_mapping(f"stages.{name}", options)) for name, options in _mapping("stages", stages)}
        settings = _settings(job, changes, dict(_mapping("limits", limits)))
        self.limits = settings.limits
        self.batch = batch
        self._request = RequestSpec((), keep_rejects=True) if keep_rejects else None
        self._threads = threads or max(1, int(cores()))
        self._device = _device(device)
        self._turn = threading.Lock()
        order = ((MATTE if name == "products" else name, settings.stages[name]) for name in settings.stage_names)
        gpu = 1.0 if self._device.type == "cuda" else 0.0
        with self._settled():
            self._runner = StageRunner(PoolSpec("cutter", tuple(order), self._threads, gpu, batch))

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Cutter cannot be pickled: make one in each process; for Ray Data there is hairline.ray.Cutter"
        )

    def cut(self, image: Input) -> Cutout:
        """Cuts one picture out.

        Args:
            image: a path, a URL (`file:`, `s3:`, `http:`, `https:`), the bytes of a file in any format that is read, a
                PIL image (its colour profile and EXIF orientation count), or uint8 [H, W], [H, W, 3] or [H, W, 4],
                0..255: grey, RGB or RGBA with straight alpha, upright, sRGB.

        Returns:
            The cut-out, or why there is none: what is wrong with a picture, an unreadable file too, is no exception.

        Raises:
            TypeError, ValueError: `image` is none of these.
        """
        return next(self._run([read(image, self.limits)]))

    def correct(
        self,
        image: Input,
        matte: Cutout | U8 | None = None,
        *,
        boxes: Sequence[Corners] = (),
        keep: Sequence[Point] = (),
        drop: Sequence[Point] = (),
        strokes: U8 | None = None,
        follow: bool = True,
    ) -> Cutout:
        """Cuts one picture out as a person says, or mends a matte where it is touched.

        Args:
            image: as for `cut`.
            matte: the matte so far, a cut-out of this picture or its alpha, uint8 [H, W], 0..255: what no mark touches
                stays as it is there, byte by byte. None: the picture is cut out first.
            boxes: (x0, y0, x1, y1) around each subject, pixels of the upright picture, x1 and y1 exclusive: nothing
                outside of them is kept. Not with a matte.
            keep: (x, y), pixels: places that belong to the subject, with what is like them around.
            drop: places that do not.
            strokes: uint8 [H, W, 4], painted on nothing: white is kept, black is dropped, transparent is left to the
                networks, half transparent goes half the way.
            follow: whether what is like a stroke and lies beside it is meant, too, up to its edge.

        Returns:
            The cut-out; its status is `failed`, its reason `correction` where a mark is not for this picture.

        Raises:
            TypeError, ValueError: `image` is none of what is taken, or `matte` or `strokes` are no such arrays.
        """
        if isinstance(matte, Cutout):
            matte = matte.alpha
        correction = Correction(
            tuple(boxes),
            tuple(keep),
            tuple(drop),
            b"" if strokes is None else _png(strokes, "strokes", "[H, W, 4]"),
            follow,
            b"" if matte is None else _png(matte, "matte", "[H, W]"),
        )
        item = read(image, self.limits)
        item.done = correction.answered("")
        request = RequestSpec((), keep_rejects=self._request is not None, correction=correction)
        return next(self._run([item], request))

    def cut_many(self, images: Iterable[Input]) -> Iterator[Cutout]:
        """Cuts pictures out, each one's answer in its place. Files are read ahead, at most two batches.

        Args:
            images: as for `cut`; taken as they are needed, so that a generator of any length will do.

        Raises:
            TypeError, ValueError: one of them is no picture.
        """
        if isinstance(images, str | bytes | os.PathLike) or not isinstance(images, Iterable):
            raise TypeError(f"cut_many takes an iterable of pictures, not {type(images).__name__}; cut takes one")
        return self._cut_many(iter(images))

    def _cut_many(self, images: Iterator[Input]) -> Iterator[Cutout]:
        with ThreadPoolExecutor(READERS, thread_name_prefix="hairline-read") as readers:
            taken = self._taken(images, readers)
            batch = list(islice(taken, self.batch))
            while batch:
                following = list(islice(taken, self.batch))
                yield from self._run([each.result() if isinstance(each, Future) else each for each in batch])
                batch = following

    def _taken(
        self, images: Iterator[Input], readers: ThreadPoolExecutor
    ) -> Iterator[PictureItem | Future[PictureItem]]:
        """Pictures on their way; what is in memory is taken at once, before its owner closes or changes it."""
        for image in images:
            yield read(image, self.limits) if in_memory(image) else readers.submit(read, image, self.limits)

    def _run(self, items: Sequence[PictureItem], request: RequestSpec | None = None) -> Iterator[Cutout]:
        """Through the stages, few enough at a time that their decoded pixels fit into the memory."""
        for group in groups(items, self._runner.spec.batch_pixels):
            for item in group:
                item.request = request or self._request
            with self._turn, self._settled():
                self._runner.run(group)
            yield from map(cutout_of, group)

    @contextmanager
    def _settled(self) -> Iterator[None]:
        """This thread has our number of torch's threads and our card while the block runs; then its own again."""
        before = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        try:
            with torch.cuda.device(self._device) if self._device.type == "cuda" else nullcontext():
                yield
        finally:
            torch.set_num_threads(before)


def _png(array: U8, name: str, shape: str) -> bytes:
    fits = isinstance(array, np.ndarray) and array.dtype == np.uint8 and array.ndim == shape.count(",") + 1
    if not fits or array.shape[2:] not in ((), (4,)):
        raise ValueError(f"{name} must be uint8 {shape}")
    if not array.size:
        raise ValueError(f"{name} holds no pixels")
    return encode_png(array)


def _mapping(name: str, given: Any) -> Iterable[tuple[str, Any]]:
    if given is not None and not isinstance(given, Mapping):
        raise HairlineError(f"{HERE}: {name} must be a mapping of settings, not {type(given).__name__}")
    return (given or {}).items()


def _settings(job: str | os.PathLike[str], stages: dict[str, dict[str, Any]], limits: dict[str, Any]) -> PipelineConfig:
    """The file's settings, with these before them, checked."""
    document: Document = read_config(os.fspath(job))
    for key in Job.model_fields.keys() - PipelineConfig.model_fields.keys() | {"products"}:
        document.data.pop(key, None)
    changes = {("stages", stage): options for stage, options in stages.items()} | {("limits",): limits}
    for above, options in changes.items():
        target = document.data
        for part in above:
            if not isinstance(target.get(part), dict):
                target[part] = {}
            target = target[part]
        target |= options
        document.locations |= {(*above, key): HERE for key in options}
        if options or above != ("limits",):
            document.locations[above] = HERE
    return check_config(PipelineConfig, document)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = str(name).partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()) or (kind == "cpu" and number):
        raise HairlineError(f"{HERE}: unknown device {name!r}: give auto, cpu, cuda, or one card as in cuda:1")
    cards = torch.cuda.device_count()
    if kind == "cuda" and int(number or 0) >= cards:
        raise HairlineError(f"{HERE}: device {name!r} is not there: torch finds {cards or 'no'} GPU")
    return torch.device(name)
