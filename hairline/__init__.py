"""Hairline cuts the subject out of every picture in a catalog, down to the hair.

    import hairline

    hairline.cut("cat.jpg").save("cat.png")

    cutter = hairline.Cutter(stages={"filter": {"min_side": 200}}, device="cuda")
    for cutout in cutter.cut_many(paths):
        print(cutout.name, cutout.status, cutout.confidence)

`hairline.ray.Cutter` does the same in a pipeline of Ray Data. Importing this package imports nothing heavy: torch,
OpenCV and the others come with the first name that is used.

The code lives in the folders beside this one (`stages/`, `pipeline/`, ...); the links here only give
it one import name, `hairline.stages`, `hairline.pipeline`, so that nothing generic is installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Cutout", "Cutter", "HairlineError", "PictureError", "cut", "ray"]

if TYPE_CHECKING:
    from . import ray
    from .cutout import Cutout
    from .cutter import Cutter, cut
    from .stages.errors import HairlineError, PictureError

_HOMES = {
    "Cutout": "cutout",
    "Cutter": "cutter",
    "cut": "cutter",
    "HairlineError": "stages.errors",
    "PictureError": "stages.errors",
}  # name -> the module that it is imported from when it is first used


def __getattr__(name: str) -> Any:
    if name == "ray":
        return import_module(".ray", __name__)
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
