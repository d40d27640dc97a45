"""What an answer depends on, as one hash: settings, products, limits, weights and the version.

Not the pools: how the work is spread must not change an answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import __version__
from ..stages.registry import stage_class
from .pipeline import PipelineConfig


def ingredients(config: PipelineConfig) -> dict[str, Any]:
    """Everything that goes into the fingerprint, as plain data.

    Raises:
        HairlineError: weights are missing, or are not the ones that the settings say.
    """
    from ..stages.networks.compiled import engine  # brings torch, which checking a file does without

    return {
        "version": __version__,
        "engine": engine(),
        "limits": config.limits.model_dump(mode="json"),
        "stages": {name: settings.model_dump(mode="json") for name, settings in config.stages.items()},
        "weights": {name: stage_class(name).weight_hashes(settings) for name, settings in config.stages.items()},
    }


def fingerprint(parts: dict[str, Any]) -> str:
    """SHA-256, hex, over canonical JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


PRODUCTS = "stages.products.products"  # which stands at the top of a file, as `products`


class Change(NamedTuple):
    """Where two sets of ingredients begin to differ: the first stage whose answers may differ, and what differs."""

    stage: str
    key: str


def first_change(before: Mapping[str, Any], now: Mapping[str, Any]) -> Change | None:
    """The first stage, in the order in which they run, whose answers may be others now; None if all are the same.

    Args:
        before, now: as `ingredients` gives them, `stages` in the order in which they ran.
    """
    first = next(iter(now["stages"]))
    before = {"engine": "torch", **before}  # which it was before there were others
    for part in ("version", "engine", "limits"):
        if before[part] != now[part]:
            return Change(first, _differing(part, before[part], now[part]))
    for (old, _), (name, settings) in zip(before["stages"].items(), now["stages"].items(), strict=False):
        if old != name:
            return Change(name, "pools: other stages, or in another order")
        for part, ours in (("stages", settings), ("weights", now["weights"][name])):
            if before[part][name] != ours:
                key = _differing(f"{part}.{name}", before[part][name], ours)
                return Change(name, "products" if key == PRODUCTS else key)
    if len(before["stages"]) != len(now["stages"]):
        return Change(list(now["stages"])[-1], "pools: other stages, or in another order")
    return None


def _differing(key: str, before: Any, now: Any) -> str:
    """The key, down to where exactly one thing differs."""
    if isinstance(before, dict) and isinstance(now, dict):
        differ = [name for name in before.keys() | now.keys() if before.get(name) != now.get(name)]
        if len(differ) == 1:
            return _differing(f"{key}.{differ[0]}", before.get(differ[0]), now.get(differ[0]))
    return key
