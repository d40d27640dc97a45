"""(f) Weights of a route's own against the general ones, on subjects of that route.

Both go on from the general weights in the tree for the same minutes: one with subjects of the route alone, the other
with all. `general` is judged on the subjects of every route.
"""

from __future__ import annotations

from functools import lru_cache

from torch import nn

from ...stages import weights
from ...stages.networks.fine import FineNet
from .. import fine
from .run import Figures, Run, Variant

LR = 4e-4  # they have learned already
ROUTES = {
    "portrait": ("portrait", "person"),
    "product": ("product_simple", "clothing", "food", "vehicle"),
    "product_hollow": ("product_hollow", "plant_hollow"),
}


def sampler(split: str, route: str = "") -> fine.Sampler:
    """The fine recipe's pictures, with the foregrounds of one route alone if one is named."""
    made = fine.Sampler(split)
    if route:
        made.foregrounds = {name: group for name, group in made.foregrounds.items() if name in ROUTES[route]}
    return made


@lru_cache(maxsize=4)
def _validation(route: str) -> fine.Validation:
    return fine.Validation(60, sampler("val", route))


def start() -> nn.Module:
    return weights.load(FineNet(), weights.find("builtin", "fine-general.safetensors"))


def general(run: Run) -> Figures:
    model, _ = run.learn(start, sampler("train"), fine.loss, _validation(""), "score", lr=LR)
    return {f"{route} {k}": v for route in ROUTES for k, v in _errors(_validation(route)(model, run.folder)).items()}


def _route(route: str) -> Variant:
    def run(run: Run) -> Figures:
        _, figures = run.learn(start, sampler("train", route), fine.loss, _validation(route), "score", lr=LR)
        return {f"{route} {name}": value for name, value in _errors(figures).items()}

    return run


def untrained(run: Run) -> Figures:
    run.folder.mkdir(parents=True, exist_ok=True)
    model = start()
    return {f"{route} {k}": v for route in ROUTES for k, v in _errors(_validation(route)(model, run.folder)).items()}


def _errors(figures: Figures) -> Figures:
    return {name: figures[name] for name in ("hair", "plain")}


VARIANTS = {"shipped": untrained, "general": general} | {route: _route(route) for route in ROUTES}
