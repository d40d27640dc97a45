"""Small stages for tests of the pipeline, named in job files as `own_stages:Invert` and so on."""

from __future__ import annotations

import ctypes
import os
import time

import cv2
import torch
from pydantic import Field

from hairline.stages.base import EachStage, Settings
from hairline.stages.errors import HairlineError
from hairline.stages.item import Item, Output


class JudgeSettings(Settings):
    dark: float = Field(20.0, description="mean grey below which a picture is filtered")
    pause_s: float = 0.0


class Judge(EachStage[JudgeSettings]):
    """Reads the picture; filters dark ones. A file holding `crash!` kills the process, `raise!` raises."""

    name = "judge"
    Settings = JudgeSettings

    def process_one(self, item: Item) -> None:
        time.sleep(self.settings.pause_s)
        if item.data.endswith(b"crash!"):
            ctypes.string_at(0)
        if item.data.endswith(b"raise!"):
            raise RuntimeError("as told")
        grey = item.picture.small(64).mean()
        item.width, item.height = item.picture.width, item.picture.height
        item.quality["grey"] = float(grey)
        item.category = item.category_hint
        if grey < self.settings.dark:
            item.filter(self.name, "too_dark", f"mean {grey:.0f}")


class InvertSettings(Settings):
    ext: str = "png"


class Invert(EachStage[InvertSettings]):
    """Makes one product, the negative."""

    name = "invert"
    Settings = InvertSettings

    def process_one(self, item: Item) -> None:
        negative = 255 - item.picture.rgb()[..., ::-1]
        data = cv2.imencode(f".{self.settings.ext}", negative)[1].tobytes()
        item.outputs["negative"] = Output(data, self.settings.ext)
        item.confidence = 1.0


class BrokenSettings(Settings):
    mistake: bool = Field(False, description="whether it is the user's")


class Broken(EachStage[BrokenSettings]):
    """Cannot be set up."""

    name = "broken"
    Settings = BrokenSettings

    def setup(self, device: torch.device) -> None:
        raise HairlineError("weights do not fit") if self.settings.mistake else RuntimeError("out of luck")

    def process_one(self, item: Item) -> None:
        raise AssertionError("never set up")


class PaceSettings(Settings):
    fast_s: float = 0.0
    slow_s: float = Field(0.0, description="for files that end with `slow!`")
    log: str = Field("", description="a file to which every picture adds `<seconds> <process>`")


class Pace(EachStage[PaceSettings]):
    """Takes as long as it is told, and notes when and in which process a picture was done."""

    name = "pace"
    Settings = PaceSettings

    def process_one(self, item: Item) -> None:
        time.sleep(self.settings.slow_s if item.data.endswith(b"slow!") else self.settings.fast_s)
        if self.settings.log:
            with open(self.settings.log, "a") as file:
                file.write(f"{time.time()} {os.getpid()}\n")


class Work(Pace):
    """A second one, for the next pool."""

    name = "work"
