"""(f) Weights of a route's own against the general ones, on subjects of that route.

Both go on from the general weights in the tree for the same minutes: one with subjects of the route alone, the other
with all. `general` is judged on the subjects of every route.
"""

from __future__ import annotations

from functools import lru_cache

from torch import nn

from ...stages import checkpoints
from ...stages.networks.fine import FineNet
from .. import fine
from .run import Figures, Run, Variant

LR = 4e-4  # they have learned already


@lru_cache(maxsize=4)
def _validation(route: str) -> fine.Validation:
    return fine.Validation(60, fine.Sampler("val", route))


def start() -> nn.Module:
    return checkpoints.load(FineNet(), checkpoints.find("builtin", "fine-general.safetensors"))


def general(run: Run) -> Figures:
    model, _ = run.learn(start, fine.Sampler("train"), fine.loss, _validation(""), "score", lr=LR)
    return _on_all_routes(model, run)


def _route(route: str) -> Variant:
    def run(run: Run) -> Figures:
        _, figures = run.learn(start, fine.Sampler("train", route), fine.loss, _validation(route), "score", lr=LR)
        return {f"{route} {name}": value for name, value in _errors(figures).items()}

    return run


def untrained(run: Run) -> Figures:
    run.folder.mkdir(parents=True, exist_ok=True)
    return _on_all_routes(start(), run)


def _on_all_routes(model: nn.Module, run: Run) -> Figures:
    judged = {route: _validation(route)(model, run.folder) for route in fine.ROUTES}
    return {f"{route} {name}": value for route, found in judged.items() for name, value in _errors(found).items()}


def _errors(figures: Figures) -> Figures:
    return {name: figures[name] for name in ("hair", "plain")}


VARIANTS = {"shipped": untrained, "general": general} | {route: _route(route) for route in fine.ROUTES}
