"""The index: in which order pictures come, what filters let through, what is known of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hairline.pipeline.ledger import write_part
from hairline.pipeline.outcome import load_outcome
from hairline.review import index as module
from hairline.review.index import Filter, Index
from outputs import row
from review_kit import output


@pytest.fixture
def root(tmp_path: Path) -> str:
    made = output(tmp_path)
    more = [row("q.jpg", confidence=None, category="", route=""), row("a/b.jpg", confidence=0.7, route="portrait")]
    write_part(made.folder, more, 4)
    return made.folder.root


def test_the_least_certain_come_first(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOGETHER", 2)  # several packed batches
    found = Index(load_outcome(root))
    ids = found.ids.to_pylist()
    assert ids == ["a/b.jpg", *(f"p0{n}.jpg" for n in (5, 4, 3, 2)), "dark.jpg", "p01.jpg", "p00.jpg", "q.jpg"]
    known = found.confidence[~np.isnan(found.confidence)]
    assert (np.diff(known) >= 0).all() and np.isnan(found.confidence[-1])
    for place, id in enumerate(ids):
        assert found.row(place)["id"] == id == found.id(place) and found.place(id) == place
    assert found.row(found.place("p01.jpg"))["outputs"].keys() == {"cutout", "mask"}
    assert found.place("none") == -1
    assert found.places(["q.jpg", "none", "p05.jpg"]).tolist() == [ids.index("q.jpg"), -1, ids.index("p05.jpg")]


def test_filters(root: str) -> None:
    found = Index(load_outcome(root))

    def through(**chosen: str | None) -> set[str]:
        return {found.id(int(n)) for n in np.flatnonzero(found.wanted(Filter(**chosen)))}

    assert "dark.jpg" not in through() and len(through()) == 8
    assert through(reason="too_dark") == {"dark.jpg"} and len(through(reason=None)) == 9
    assert through(category="animal") == {"p00.jpg", "p02.jpg", "p04.jpg"}
    assert through(category="none") == {"q.jpg", "a/b.jpg"} and through(route="portrait") == {"a/b.jpg"}
    assert through(route="nowhere") == set()
    counts = found.counts(np.ones(len(found), bool))
    assert counts["reason"] == {"": 8, "too_dark": 1} and counts["route"] == {"general": 8, "portrait": 1}
