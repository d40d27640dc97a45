"""The stages by name. Import strings, so that reading a job file does not import torch networks."""

from __future__ import annotations

from importlib import import_module

from .base import Settings, Stage

STAGES = {
    "filter": "filter:FilterStage",
    "classify": "classify:ClassifyStage",
    "detect": "detect:DetectStage",
    "coarse": "coarse:CoarseStage",
    "fine": "fine:FineStage",
    "products": "products.stage:ProductsStage",
}


def stage_class(name: str) -> type[Stage[Settings]]:
    """The class of a stage. Raises KeyError for a name that is none."""
    module, _, attribute = STAGES[name].partition(":")
    return getattr(import_module(f".{module}", __package__), attribute)  # type: ignore[no-any-return]
