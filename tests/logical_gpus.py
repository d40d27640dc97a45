"""Stages of pools that ask for a GPU on nodes whose GPUs are Ray's bookkeeping alone; they note where Ray put them.

Imported in a worker, this module lets torch say that there is a card; the stages do not use it.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import torch

from hairline.stages.base import EachStage, Settings
from hairline.stages.item import Item

torch.cuda.is_available = lambda: True
torch.cuda.set_per_process_memory_fraction = lambda fraction, device=None: CAPS.append(fraction)
CAPS: list[float] = []  # the shares that this process was held to


class WhereSettings(Settings):
    folder: str
    pause_s: float = 0.0
    peers: int = 0  # processes that must be there, and seen in what is left of the node's GPUs


class One(EachStage[WhereSettings]):
    """Notes the node, what Ray has assigned, the cap, and what is left of the node's GPUs."""

    name = "one"
    Settings = WhereSettings

    def setup(self, device: torch.device) -> None:
        import ray

        context = ray.get_runtime_context()
        self.facts = {
            "stage": self.name,
            "node": context.get_node_id(),
            "gpu": context.get_assigned_resources().get("GPU", 0.0),
            "cards": context.get_accelerator_ids()["GPU"],
            "caps": CAPS,
            "device": device.type,
        }
        self._note()

    def process_one(self, item: Item) -> None:
        from ray._private.state import available_resources_per_node

        time.sleep(self.settings.pause_s)
        deadline = time.monotonic() + 120
        while self.settings.peers and "left" not in self.facts and time.monotonic() < deadline:
            time.sleep(0.1)
            free = available_resources_per_node().get(self.facts["node"], {}).get("GPU", 0.0)
            there = len(list(Path(self.settings.folder).glob("*.json")))
            if there == self.settings.peers and free <= 1 - self.settings.peers * self.facts["gpu"] + 1e-3:
                self.facts["left"] = free
        self._note()

    def _note(self) -> None:
        path = Path(self.settings.folder) / f"{self.name}-{os.getpid()}.json"
        path.with_suffix(".new").write_text(json.dumps(self.facts))
        path.with_suffix(".new").rename(path)


class Two(One):
    name = "two"


class Three(One):
    name = "three"


class Four(One):
    name = "four"


class Five(One):
    name = "five"
