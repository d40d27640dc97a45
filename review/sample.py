"""A random sample of an output's pictures: drawn once, kept by its ids, and walked in the order of the draw.

In that order every beginning of it is a random sample too, so that a review that ends early still gives a fair share.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..pipeline.decisions import SAMPLES
from ..pipeline.storage import Folder
from ..stages.errors import HairlineError
from .index import Filter, Index


@dataclass(frozen=True)
class Sample:
    """Pictures drawn at random. `places`: int64 [n], in the index, as drawn; `of`: how many there were."""

    places: NDArray[np.int64]
    of: int


def draw(output: Folder, index: Index, size: int, chosen: Filter) -> Sample:
    """The sample of that size of the pictures that a filter lets through: the one drawn before, or a new one.

    Raises:
        HairlineError: there are no such pictures, what is named as a sample is none, or nothing can be written.
    """
    key = hashlib.sha256(f"{size} {chosen.name()}".encode()).hexdigest()[:32]
    name = f"{SAMPLES}/{key}.json"
    with output.writing():
        try:
            return _kept(index, json.loads(output.read(name)))
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError) as error:
            raise HairlineError(f"{output.uri(name)}: damaged, or no sample, but named as one; move it away") from error
        population = np.flatnonzero(index.wanted(chosen))
        if not len(population):
            raise HairlineError(f"{output.root}: no picture of {chosen.name()} to draw a sample from")
        drawn = np.random.default_rng().choice(population, min(size, len(population)), replace=False)
        text = {"size": size, "filter": chosen.name(), "of": len(population), "ids": [index.id(n) for n in drawn]}
        if not output.create(name, json.dumps(text, ensure_ascii=False).encode()):  # somebody else has just drawn it
            return _kept(index, json.loads(output.read(name)))
        return Sample(drawn.astype(np.int64), len(population))


def _kept(index: Index, text: dict[str, object]) -> Sample:
    ids, of = text["ids"], text["of"]
    if not isinstance(ids, list) or not isinstance(of, int):
        raise ValueError("no sample")
    places = index.places([str(id) for id in ids])
    return Sample(places[places >= 0], of)
