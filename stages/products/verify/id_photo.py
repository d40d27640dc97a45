"""Judges an ID photo by an authority's rules, from the finished file alone: face, head and ground are measured anew.

The top of the hair is where the ground ends above the face; where the ground is not plain, it is not known, and the
rules that need it are `unknown`. The top of the head without hair is an estimate (see `faces.head`): a value that is
nearer to its bound than the estimate is sure, is `unknown` too.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...errors import PictureError
from ...faces.find import Face, find_faces
from ...faces.head import measure_head
from ...faces.looks import look_at
from ...limits import DEFAULT_LIMITS, Limits
from ...verdicts import Check, between
from ..id_layout import pixels_per, top_of
from ..id_rules import Bounds, HeadLength, IdRules, Length
from .files import check_file, read_file

U8 = NDArray[np.uint8]

PITCH = 8.0  # degrees that the mesh's line from forehead to chin is tipped where one looks straight ahead
SURE = 0.03  # of the head's height: how far off the skull's estimated top may be
RING = 0.04  # of the width: the frame in which the ground is looked for, at the top and both sides
SIDES = 0.4  # of the height: so far down the frame shows ground and no shoulders
NEAR = 9.0  # CIE L*a*b*: what is this near to the ground's colour is ground
PLAIN = 0.6  # of the frame must be, else the ground is not plain
UNITS = {"share": "", "px": "px", "mm": "mm"}
OF_FACE = ("head", "eyes", "above", "below", "face_width", "eye_distance", "centre", "roll", "yaw", "pitch")
LOOKS = ("light", "detail")


class Ground(NamedTuple):
    """The background: its colour, float32 [3], and unevenness, CIE L*a*b*; what is not it, uint8 [h, w], 0 or 255."""

    colour: NDArray[np.float32]
    spread: float
    subject: U8


def check_id(data: bytes, ending: str, rules: IdRules, limits: Limits = DEFAULT_LIMITS) -> list[Check]:
    """All rules, checked. ending: of the file's name, without the dot."""
    try:
        facts, picture = read_file(data, ending, limits)
        rgb = picture.rgb()
    except PictureError as error:
        return [Check("readable", error.reason, "a picture", "fail")]
    more: dict[str, tuple[float | None, str]] = {
        "density": (min(facts.dpi) if facts.dpi else None, "dpi"),
        "compression": (facts.width * facts.height * 3 / facts.bytes, ""),
    }
    return [*check_file(facts, rules, more), *check_pixels(rgb, rules)]


def check_pixels(rgb: U8, rules: IdRules) -> list[Check]:
    """The rules on what a photo shows, checked. rgb: uint8 [h, w, 3]."""
    faces = find_faces(rgb)
    ground = find_ground(rgb)
    checks = []
    if rules.faces:
        checks.append(between("faces", len(faces), rules.faces.min, rules.faces.max))
    if faces:
        checks += _of_face(faces[0], rgb, rules, ground)
    else:
        checks += [_judged(name, None, rule) for name in (*OF_FACE, *LOOKS) if (rule := getattr(rules, name))]
    found = {
        "ground": float(ground.colour[0]) if ground else None,
        "ground_tint": float(np.hypot(*ground.colour[1:])) if ground else None,
        "ground_spread": ground.spread if ground else None,
    }
    return checks + [_judged(name, value, rule) for name, value in found.items() if (rule := getattr(rules, name))]


def _of_face(face: Face, rgb: U8, rules: IdRules, ground: Ground | None) -> list[Check]:
    height, width = rgb.shape[:2]
    head = measure_head(face, ground.subject if ground else None)
    middle = face.middle
    tops = {name: top_of(head, getattr(rules, name)) for name in ("head", "above")}
    lengths: dict[str, float | None] = {
        "head": head.chin + tops["head"],
        "eyes": height - float(middle[1]),
        "above": float(middle[1]) - tops["above"],
        "below": height - float(middle[1]) - head.chin,
        "face_width": face.width,
        "eye_distance": face.eye_distance,
        "centre": abs(float(face.points[:, 0].min() + face.points[:, 0].max()) / 2 - width / 2),
    }
    checks = []
    for name, value in lengths.items():
        rule: Length | None = getattr(rules, name)
        if rule is None:
            continue
        unit = pixels_per(rule.unit, rules, height)
        unsure = 0.0
        if isinstance(rule, HeadLength):
            unsure = SURE * (head.chin + head.skull) / unit if rule.crown == "skull" else 0.0
            if rule.crown == "hair" and not head.known:
                value = None
        checks.append(_judged(name, None if value is None else value / unit, rule, unsure, UNITS[rule.unit]))
    look = look_at(face, rgb)
    angles = {"roll": abs(face.roll), "yaw": abs(face.yaw), "pitch": abs(face.pitch - PITCH)}
    for name, number in (angles | {"light": look.light, "detail": look.detail}).items():
        bounds: Bounds | None = getattr(rules, name)
        if bounds is not None:
            checks.append(_judged(name, number, bounds, unit="degrees" if name in angles else ""))
    return checks


def _judged(name: str, value: float | None, rule: Bounds, unsure: float = 0.0, unit: str = "") -> Check:
    """One rule; `unknown` where the measure does not decide it, and where a rule that is no must is missed."""
    if not unit and isinstance(rule, Length):
        unit = UNITS[rule.unit]
    check = between(name, value, rule.min, rule.max, unit)
    if value is not None and unsure:
        edges = [abs(value - edge) for edge in (rule.min, rule.max) if edge is not None]
        if min(edges, default=unsure) < unsure:
            check.verdict = "unknown"
    if rule.strictness == "should":
        check.bound = f"should be {check.bound}"
        if check.verdict == "fail":
            check.verdict = "unknown"
    return check


def find_ground(rgb: U8) -> Ground | None:
    """The background of a photo; None where its frame is not plain."""
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    height, width = lab.shape[:2]
    ring, down = max(2, round(RING * width)), round(SIDES * height)
    parts = [lab[:ring], lab[:down, :ring], lab[:down, -ring:]]
    frame = np.concatenate([part.reshape(-1, 3) for part in parts])
    colour = np.median(frame, 0)
    near = np.linalg.norm(frame - colour, axis=1) < NEAR
    if near.mean() < PLAIN:
        return None
    spread = float(np.percentile(np.linalg.norm(frame[near] - colour, axis=1), 95))
    away = cv2.GaussianBlur(np.linalg.norm(lab - colour, axis=2).astype(np.float32), (0, 0), 0.8) > NEAR
    _, labels = cv2.connectedComponents((~away).astype(np.uint8))
    reached = np.unique(np.concatenate([labels[0], labels[:down, 0], labels[:down, -1]]))
    ground = np.isin(labels, reached[reached > 0])
    return Ground(colour.astype(np.float32), spread, np.where(ground, 0, 255).astype(np.uint8))
