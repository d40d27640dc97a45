"""Where a head goes in an ID photo: the scale and the place at which all rules hold, near their middles.

Every rule is linear in the scale (pixels of the photo for one of the picture) and in the height at which the eyes lie;
so for each scale there is one interval of heights, and the best pair is searched along the scale.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..faces.head import Head
from .id_rules import HeadLength, IdRules, Length

STEPS = 161  # scales that are tried
SPARE = 0.01  # of the height: so far within its bounds a length is to be, for whoever measures it measures otherwise
EYES = 0.55  # share of the height, where no rule says where a head is to lie


class Room(NamedTuple):
    """What there is of the picture from the middle between the eyes on, its own pixels; inf: as much as is wanted."""

    left: float
    up: float
    right: float
    down: float
    slant: float = 0.0  # by how much `down` shrinks for each pixel to a side, where the picture is turned


class Layout(NamedTuple):
    """Photo pixels for one of the picture, where in the photo the middle between the eyes lies, and its size."""

    scale: float
    x: float
    y: float
    width: int
    height: int


class Bound(NamedTuple):
    """low <= scale * of_scale + y * of_y + fixed <= high."""

    name: str
    of_scale: float
    of_y: float
    fixed: float
    low: float
    high: float
    must: bool

    def value(self, scale: float, y: float) -> float:
        return scale * self.of_scale + y * self.of_y + self.fixed

    def narrowed(self, inside: float) -> Bound:
        """With bounds further in, by at most a quarter of what lies between them."""
        step = min(inside, (self.high - self.low) / 4)
        return self._replace(low=self.low + step, high=self.high - step)


def layout(
    head: Head,
    rules: IdRules,
    size: tuple[int, int],
    room: Room,
    wish: tuple[float | None, float | None] = (None, None),
) -> Layout | str:
    """The place of a head, or why there is none.

    Args:
        size: of the photo, width, height.
        wish: wanted height of the head and of the eyes above the lower edge, shares of the height; None: the middle of
            what the rules allow.
    """
    width, height = size
    asked = bounds_of(head, rules, width, height)
    half = width / 2
    inf = float("inf")
    edges = [
        Bound("left", room.left, 0, 0, half, inf, True),
        Bound("right", room.right, 0, 0, half, inf, True),
        Bound("above", -room.up, 1, 0, -inf, 0, True),
        Bound("below", room.down, 1, -room.slant * half, height, inf, True),
    ]
    edges = [edge for edge in edges if np.isfinite(edge.of_scale)]
    targets = _targets(asked, wish, height, head, rules)
    musts = [bound for bound in asked if bound.must]
    inside = SPARE * height
    for wanted in ([bound.narrowed(inside) for bound in asked], [bound.narrowed(inside) for bound in musts], musts):
        found = _search(wanted + edges, targets, height)
        if found:
            return Layout(found[0], half, found[1], width, height)
    free = _search(musts, targets, height)
    if free is None:
        return "the rules cannot all be kept for a head of these proportions, such as with this much hair"
    scale, y = free
    short = {edge.name: edge for edge in edges if not edge.low - 1e-6 <= edge.value(scale, y) <= edge.high + 1e-6}
    gaps = {name: _missing(edge, scale, y) for name, edge in short.items()}
    told = ", ".join(f"{round(gap)} pixels {_WHERE[name]}" for name, gap in gaps.items())
    return f"the picture ends too near the head: {told or 'some pixels'} are missing"


_WHERE = {"left": "at the left", "right": "at the right", "above": "above it", "below": "below it"}


def _missing(edge: Bound, scale: float, y: float) -> float:
    value = edge.value(scale, y)
    return max(edge.low - value, value - edge.high) / scale


def bounds_of(head: Head, rules: IdRules, width: int, height: int) -> list[Bound]:
    """The rules on lengths as bounds in pixels of the photo."""
    face, found = head.face, []

    def add(name: str, of_scale: float, of_y: float = 0.0, fixed: float = 0.0) -> None:
        rule: Length | None = getattr(rules, name)
        if rule is None:
            return
        unit = pixels_per(rule.unit, rules, height)
        low = -float("inf") if rule.min is None else rule.min * unit
        high = float("inf") if rule.max is None else rule.max * unit
        found.append(Bound(name, of_scale, of_y, fixed, low, high, rule.strictness == "must"))

    add("head", head.chin + top_of(head, rules.head))
    add("eyes", 0, -1, height)
    add("above", -top_of(head, rules.above), 1)
    add("below", -head.chin, -1, height)
    add("face_width", face.width)
    add("eye_distance", face.eye_distance)
    return found


def top_of(head: Head, rule: HeadLength | None) -> float:
    """From the eyes up to where a rule measures the top of the head, pixels of the picture."""
    return head.hair if rule is not None and rule.crown == "hair" and head.known else head.skull


def pixels_per(unit: str, rules: IdRules, height: int) -> float:
    """Pixels of a photo for one of a unit. Raises ValueError: mm, and the rules name no paper."""
    if unit == "px":
        return 1.0
    if unit == "share":
        return float(height)
    if rules.paper is None:
        raise ValueError("a rule in mm needs the rule `paper`, the printed size")
    return height / rules.paper.height


def _targets(
    asked: list[Bound], wish: tuple[float | None, float | None], height: int, head: Head, rules: IdRules
) -> list[tuple[Bound, float, float]]:
    """What is aimed at: a bound, its best value, and what counts as far from it, pixels."""
    targets = []
    for bound in asked:
        low, high = bound.low, bound.high
        if np.isfinite(low) and np.isfinite(high):
            targets.append((bound, (low + high) / 2, max((high - low) / 2, 0.01 * height)))
    inf = float("inf")
    if wish[0] is not None:
        as_head = Bound("head", head.chin + top_of(head, rules.head), 0, 0, -inf, inf, False)
        targets = [each for each in targets if each[0].name not in ("head", "face_width")]
        targets.append((as_head, wish[0] * height, 0.05 * height))
    if wish[1] is not None or not any(bound.of_y for bound, _, _ in targets):
        as_eyes = Bound("eyes", 0, -1, height, -inf, inf, False)
        targets = [each for each in targets if not each[0].of_y]
        targets.append((as_eyes, (EYES if wish[1] is None else wish[1]) * height, 0.05 * height))
    return targets


def _search(bounds: list[Bound], targets: list[tuple[Bound, float, float]], height: int) -> tuple[float, float] | None:
    """The scale and the height of the eyes that come nearest to the targets within the bounds; None: there is none."""
    low, high = 0.0, float("inf")
    for bound in bounds:
        if bound.of_y == 0 and bound.of_scale > 0:
            low = max(low, (bound.low - bound.fixed) / bound.of_scale)
            high = min(high, (bound.high - bound.fixed) / bound.of_scale)
    lengths = [target / bound.of_scale for bound, target, _ in targets if bound.of_scale > 0 and not bound.of_y]
    low, high = max(low, 0.25 * min(lengths, default=1e-3)), min(high, 4 * max(lengths, default=1e3))
    best: tuple[float, float, float] | None = None
    for scale in np.linspace(low, high, STEPS) if low <= high else ():
        down, up = 0.0, float(height)
        for bound in bounds:
            if bound.of_y:
                base = bound.fixed + scale * bound.of_scale
                first, last = sorted((end - base) / bound.of_y for end in (bound.low, bound.high))
                down, up = max(down, first), min(up, last)
        if down > up:
            continue
        # The squared distances from the targets are a parabola in y: its lowest point, or the end nearest to it.
        pull = sum((bound.of_y / far) ** 2 for bound, _, far in targets)
        force = sum(bound.of_y * (want - bound.value(scale, 0)) / far**2 for bound, want, far in targets)
        y = min(max(force / pull if pull else (down + up) / 2, down), up)
        off = sum(((bound.value(scale, y) - want) / far) ** 2 for bound, want, far in targets)
        if best is None or off < best[0] - 1e-9:
            best = (off, float(scale), float(y))
    return best and (best[1], best[2])
