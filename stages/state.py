"""What is known of a picture between two stages, packed: a later run can start there instead of at the beginning."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from .item import Box, CoarseCrop, Facts, Item, Subject, decode_alpha, encode_alpha

# A picture on its way is pending, its time is over, and nothing is made of it yet.
NOT_KEPT = {"status", "reason", "stage", "detail", "verdicts", "seconds"}


@dataclass(frozen=True)
class State:
    """A picture on its way, packed.

    Attributes:
        facts: JSON: the facts found so far; the rectangles of crops and subjects; whether there is an alpha.
        images: PNGs, 8-bit grey, lossless: alpha, then alpha and uncertainty of each crop, then alpha of each subject.
    """

    facts: str
    images: tuple[bytes, ...]


def pack(item: Item) -> State:
    """What is known of a picture that has not ended; not what a stage of one's own puts elsewhere on an item."""
    facts: dict[str, Any] = {each.name: getattr(item, each.name) for each in fields(Facts) if each.name not in NOT_KEPT}
    facts["boxes"] = [asdict(box) for box in item.boxes]
    facts["crops"] = [crop.box for crop in item.crops]
    facts["subjects"] = [subject.box for subject in item.subjects]
    facts["has_alpha"] = item.alpha is not None
    arrays = [] if item.alpha is None else [item.alpha]
    for crop in item.crops:
        arrays += [crop.alpha, crop.uncertainty]
    arrays += [subject.alpha for subject in item.subjects]
    return State(json.dumps(facts, default=_number), tuple(encode_alpha(array) for array in arrays))


def unpack(item: Item, state: State) -> None:
    """Puts a state into a fresh item of the same picture.

    Raises:
        ValueError: it is none, or not whole.
    """
    try:
        facts = json.loads(state.facts)
        images = [decode_alpha(data) for data in state.images]
        found = {
            "alpha": images.pop(0) if facts.pop("has_alpha") else None,
            "crops": [CoarseCrop(_rect(box), images.pop(0), images.pop(0)) for box in facts.pop("crops")],
            "subjects": [Subject(_rect(box), images.pop(0)) for box in facts.pop("subjects")],
            "boxes": [Box(**box) for box in facts.pop("boxes")],
        }
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"no state of a picture: {error}") from error
    if images or set(facts) != {each.name for each in fields(Facts)} - NOT_KEPT - {"boxes"}:
        raise ValueError("other facts than ours")
    for name, value in (facts | found).items():
        setattr(item, name, value)


def _rect(box: Sequence[int]) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = box
    return x0, y0, x1, y1


def _number(value: Any) -> int | float:
    """NumPy's numbers as Python's; exact, for every float32 is a float64."""
    number: int | float = value.item()
    return number
