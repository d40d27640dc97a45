"""The stages by name. Import strings, so that reading a job file does not import torch networks.

A stage of your own goes into a job file as `package.module:Class`.
"""

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
    """The class of a stage.

    Args:
        name: a name from `STAGES`, or `package.module:Class`.

    Raises:
        KeyError: the name is none.
        ImportError, AttributeError: there is no such module, or no such class in it.
    """
    own = ":" in name
    module, _, attribute = (name if own else STAGES[name]).partition(":")
    return getattr(import_module(module if own else f".{module}", __package__), attribute)
