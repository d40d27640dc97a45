"""The public Python objects, from their docstrings, by mkdocstrings."""

from __future__ import annotations

from importlib import import_module

import hairline

from .markdown import page

SECTIONS = {
    "In your own program": tuple(f"hairline.{name}" for name in getattr(hairline, "__all__", ())),
    "A stage of your own": (
        "hairline.stages.base.Stage",
        "hairline.stages.base.EachStage",
        "hairline.stages.base.Settings",
        "hairline.stages.networks.stage.NetworkStage",
        "hairline.stages.networks.stage.NetworkSettings",
        "hairline.stages.item.Item",
        "hairline.stages.item.Box",
        "hairline.stages.item.CoarseCrop",
        "hairline.stages.item.Subject",
        "hairline.stages.item.Output",
        "hairline.stages.decode.picture.Picture",
        "hairline.stages.limits.Limits",
    ),
    "A product of your own": (
        "hairline.stages.products.base.Product",
        "hairline.stages.products.base.ProductSettings",
        "hairline.stages.products.base.Matte",
        "hairline.stages.products.encode",
    ),
    "Stages in your own program": (
        "hairline.stages.base.run_stage",
        "hairline.stages.base.run_stages",
        "hairline.stages.registry.stage_class",
    ),
    "Figures": ("hairline.evaluation.matte", "hairline.evaluation.boxes", "hairline.evaluation.labels"),
}


def page_of_objects() -> str:
    parts = [
        "# Python",
        "What may be imported. Arrays are numpy's, height first; colours are RGB; boxes are pixels of the upright "
        "picture with exclusive ends. What is not listed here may change in any version.",
    ]
    for title, names in ((title, names) for title, names in SECTIONS.items() if names):
        parts.append(f"## {title}")
        for name in names:
            _check(name)
            parts.append(f"::: {name}")
    return page(*parts)


def _check(name: str) -> None:
    """Raises if there is no such object, which mkdocstrings tells less clearly."""
    module, _, attribute = name.rpartition(".")
    if not hasattr(import_module(module), attribute):
        import_module(name)
