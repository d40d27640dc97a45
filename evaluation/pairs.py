"""Which file belongs to which: predictions, truths and trimaps matched by name."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from ..stages.errors import HairlineError

PICTURES = frozenset({".png", ".webp", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".avif"})
SHOWN = 5  # names in a message


class Pair(NamedTuple):
    """A truth and what belongs to it. `predicted` is None where nothing was predicted."""

    name: str
    predicted: Path | None
    truth: Path
    trimap: Path | None


def match(predicted: Path, truth: Path, trimaps: Path | None = None, missing_is_empty: bool = False) -> list[Pair]:
    """Every truth below a folder with its prediction, by relative path without its ending.

    The prediction of `shoes/a.png` may be called `shoes/a.png`, `shoes/a.webp` or, as products are,
    `shoes/a.jpg.png`. Predictions without a truth are left out.

    Args:
        missing_is_empty: a truth without a prediction counts as one that found nothing, instead of being a mistake.

    Raises:
        HairlineError: a folder is missing or empty, a name fits twice, a prediction or a trimap is missing.
    """
    truths = by_name(truth)
    predictions, maps = by_name(predicted), by_name(trimaps) if trimaps else {}
    pairs, lost = [], []
    for name, path in sorted(truths.items()):
        own = _find(predictions, name)
        if own is None and not missing_is_empty:
            lost.append(name)
        pairs.append(Pair(name, own, path, _find(maps, name)))
    if lost:
        raise HairlineError(
            f"{len(lost)} of {len(pairs)} truths have no prediction in {predicted}: {listed(lost)}; "
            "--missing empty counts them as pictures in which nothing was found"
        )
    if trimaps and (without := [pair.name for pair in pairs if pair.trimap is None]):
        raise HairlineError(f"{len(without)} of {len(pairs)} truths have no trimap in {trimaps}: {listed(without)}")
    return pairs


def listed(names: Collection[str]) -> str:
    """Some names for a message: `a, b, c and 7 more`."""
    shown = sorted(names)[:SHOWN]
    return ", ".join(shown) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def by_name(folder: Path) -> dict[str, Path]:
    """The pictures below a folder by their relative paths without endings. Raises HairlineError: none, or one twice."""
    if not folder.is_dir():
        raise HairlineError(f"{folder} is no folder")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICTURES and path.is_file():
            stem = path.relative_to(folder).with_suffix("").as_posix()
            if stem in found:
                raise HairlineError(f"{path} and {found[stem]} have the same name but for their ending")
            found[stem] = path
    if not found:
        raise HairlineError(f"there are no pictures in {folder}")
    return found


def _find(files: dict[str, Path], name: str) -> Path | None:
    if name in files:
        return files[name]
    longer = [files[name + ending] for ending in PICTURES if name + ending in files]
    if len(longer) > 1:
        raise HairlineError(f"{longer[0]} and {longer[1]} both fit {name}")
    return longer[0] if longer else None
