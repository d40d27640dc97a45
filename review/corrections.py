"""Corrected mattes of an output, with their pictures, as `training/corrections.py` and `hairline adapt` take them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from ..pipeline.decisions import REVIEW, Decisions, mark
from ..pipeline.ledger import RESULTS
from ..pipeline.names import output_name
from ..pipeline.outcome import Row, load_outcome
from ..pipeline.storage import Folder, is_local
from ..stages.errors import HairlineError, PictureError
from ..stages.item import U8, decode_alpha
from ..stages.limits import DEFAULT_LIMITS
from .pictures import source

SIDE = 1280  # longest side at which they are kept, pixels: more than any recipe looks at
AT_ONCE = 200  # rows of the ledger


def collect(output: str, folder: Path) -> None:
    """Makes a folder of corrections: `corrections.jsonl`, `pictures/`, `mattes/`.

    Raises:
        HairlineError: there is no such output, nothing was corrected there, or the folder cannot be written.
    """
    lines = []
    for row, alpha in _corrected(output):
        try:
            rgb = source(row, DEFAULT_LIMITS).small(SIDE)
        except PictureError as error:  # a source that is gone teaches nothing
            print(f"left out: {row['id']}: {error}", flush=True)
            continue
        matte = cv2.resize(alpha, rgb.shape[1::-1], interpolation=cv2.INTER_AREA)
        names = {name: f"{name}s/{mark(row['id'])}.png" for name in ("picture", "matte")}
        _write(folder / names["picture"], rgb[..., ::-1])
        _write(folder / names["matte"], matte)
        lines.append(json.dumps({"id": row["id"], "category": row["category"], "route": row["route"], **names}))
    _some(lines, output)
    try:
        (folder / "corrections.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise HairlineError(f"{folder}: cannot be written: {error.strerror}") from error


def write_mattes(output: str, folder: Path) -> None:
    """Puts corrected mattes alone into a folder, named as their pictures: `<id>.png`. Raises as `collect`."""
    written = []
    for row, alpha in _corrected(output):
        written.append(output_name("mattes", row["id"], "png").partition("/")[2])
        _write(folder / written[-1], alpha)
    _some(written, output)


def is_output(place: str) -> bool:
    """Whether a place is an output of a run, and no folder of masks."""
    return not is_local(place) or any(map(_folder(place).has, (RESULTS, REVIEW)))


def _corrected(output: str) -> Iterator[tuple[Row, U8]]:
    """The rows of the pictures whose mattes people corrected, with these."""
    place = _folder(output)
    outcome, decisions = load_outcome(place.root), Decisions(place)
    held = {id: standing.corrected for id, standing in decisions.pictures() if standing.corrected}
    ids = sorted(held)
    for start in range(0, len(ids), AT_ONCE):
        for row in outcome.full(ids[start : start + AT_ONCE]):
            correction = held[row["id"]]
            assert correction
            try:
                yield row, decode_alpha(place.read(correction.matte))
            except (OSError, ValueError, pa.ArrowException) as error:
                raise HairlineError(f"{place.uri(correction.matte)}: cannot be read: {error}") from error


def _folder(output: str) -> Folder:
    return Folder(str(Path(output).expanduser()) if is_local(output) else output)


def _some(found: list[str], output: str) -> None:
    if not found:
        raise HairlineError(f"corrections {output}: nothing was corrected there; see hairline review")


def _write(path: Path, pixels: np.ndarray) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", np.ascontiguousarray(pixels))[1].tobytes())
    except OSError as error:
        raise HairlineError(f"{path}: cannot be written: {error.strerror}") from error
