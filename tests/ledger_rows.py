"""Rows of the ledger of pictures that were never worked on."""

from __future__ import annotations

from hairline.pipeline.ledger import row, write_part
from hairline.pipeline.storage import Folder
from hairline.stages.item import Box, Item


def item(id: str, status: str = "ok", etag: str = "e1") -> Item:
    done = Item(id, f"/in/{id}", etag=etag, width=640, height=480, category="animal", confidence=0.5, attempts=1)
    done.status = status  # type: ignore[assignment]
    done.reason = "" if status == "ok" else "too_dark"
    done.boxes = [Box(1, 2, 3, 4, "subject", 0.9)]
    done.quality, done.seconds = {"grey": 0.25}, {"filter": 0.5}
    return done


def write(folder: Folder, run: str, *items: Item, print_of: str = "f", partitions: int = 1) -> None:
    """One batch of a run."""
    outputs = {
        each.id: {"cutout": folder.uri(f"cutout/{each.id}.png")} if each.status == "ok" else {} for each in items
    }
    write_part(folder, [row(each, outputs[each.id], print_of, run) for each in items], partitions)
