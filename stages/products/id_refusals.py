"""Which pictures give no ID photo, and why. The thresholds were set on portraits with planted faults."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import Refused
from ..faces.find import Face
from ..faces.head import Head
from ..faces.looks import look_at
from .verify.id_photo import PITCH

U8 = NDArray[np.uint8]

OTHER = 0.35  # of the largest face's width: smaller ones are far behind, and no second person
KEPT_ROLL = 5.0  # degrees that the eyes' line may slant where a preset forbids turning
UP_OR_DOWN = 1.5  # of the degrees aside: it is measured less well
DARK = 14.0  # CIE L* of the face; skin of the darkest tones in fair light has about 28
CLIPPED = 0.3  # of the face at the brightest value there is
DETAIL = 0.05  # see `Look.detail`
TINT = 15.0  # CIE a*b* by which the mouth's surroundings may differ from the cheeks: a mask differs more
DARK_EYES = 0.45  # lightness about the eyes over that of the cheeks: dark glasses have less


def the_face(faces: Sequence[Face], alpha: U8 | None) -> Face:
    """The one face of a picture.

    Args:
        alpha: of the subject where the ground is replaced, so that faces in the ground do not count; else None.

    Raises:
        Refused: `no_face`, `several_faces`.
    """
    if alpha is not None and faces:
        faces = [face for face in faces if _solid(face, alpha)]
        if not faces:
            raise Refused("no_face", "the face that was found belongs to the background")
    if not faces:
        raise Refused("no_face", "no face was found, or none that looks at the camera")
    large = [face for face in faces if face.width >= OTHER * faces[0].width]
    if len(large) > 1:
        raise Refused("several_faces", f"{len(large)} faces; an ID photo shows one person")
    return faces[0]


def check_face(head: Head, size: tuple[int, int], max_turn: float, max_roll: float | None) -> None:
    """Whether a face can be an ID photo's.

    Args:
        size: of the picture, width and height.
        max_turn: degrees aside; up or down half as much again.
        max_roll: degrees; None: it cannot be turned upright.

    Raises:
        Refused: `eyes_outside`, `head_cut_off`, `face_turned`, `face_tilted`.
    """
    face, (width, height) = head.face, size
    if any(not (0 <= x < width and 0 <= y < height) for x, y in face.eyes):
        raise Refused("eyes_outside", "an eye lies outside of the picture")
    if head.cut:
        raise Refused("head_cut_off", "the picture's edge cuts the head or the chin off")
    roll = KEPT_ROLL if max_roll is None else max_roll
    if abs(face.roll) > roll:
        raise Refused("face_tilted", f"the head is tilted by {abs(face.roll):.0f} degrees; {roll:g} are allowed")
    turned = {"aside": (face.yaw, max_turn), "up or down": (face.pitch - PITCH, UP_OR_DOWN * max_turn)}
    for how, (angle, most) in turned.items():
        if abs(angle) > most:
            raise Refused("face_turned", f"the face is turned {abs(angle):.0f} degrees {how}; {most:g} are allowed")


def check_look(face: Face, rgb: U8) -> None:
    """Whether a face can be seen well enough.

    Raises:
        Refused: `face_too_dark`, `face_too_bright`, `face_blurred`, `face_occluded`.
    """
    look = look_at(face, rgb)
    if look.light < DARK:
        raise Refused("face_too_dark", f"the face's lightness is {look.light:.0f} of 100; {DARK:g} are needed")
    if look.clipped > CLIPPED:
        raise Refused("face_too_bright", f"{look.clipped:.0%} of the face are as bright as can be")
    if look.dark_eyes < DARK_EYES:
        raise Refused("face_occluded", "dark glasses or something else covers the eyes")
    if look.tint_below > TINT:
        raise Refused("face_occluded", "a mask or something else of another colour covers the mouth")
    if look.detail < DETAIL:
        raise Refused("face_blurred", "the eyes are out of focus")


def _solid(face: Face, alpha: U8) -> bool:
    x, y = (int(value) for value in face.middle)
    return 0 <= y < alpha.shape[0] and 0 <= x < alpha.shape[1] and bool(alpha[y, x] >= 128)
