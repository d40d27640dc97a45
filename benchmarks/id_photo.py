"""ID photos of portraits: how many are made, how well head and eyes lie, whether faults are refused for what they are.

    python benchmarks/id_photo.py [--count N] [--preset NAME] [--sheets DIR]

Portraits with their masks, and pictures without people, are those of $HAIRLINE_DATA. A photo is made with the picture's
own mask, then measured anew as `hairline verify` does: the head's height and the eyes' line against what was aimed at,
shares of the photo's height. Small portraits are enlarged up to four times, which the product by itself does not do.
Faults are planted on portraits of which a photo is made. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import io
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hairline.stages.errors import Refused
from hairline.stages.faces.find import Face, find_faces
from hairline.stages.faces.head import measure_head
from hairline.stages.item import Item
from hairline.stages.products.base import Matte
from hairline.stages.products.id_layout import layout, top_of
from hairline.stages.products.id_photo import IdPhoto, IdPhotoSettings, room_around
from hairline.stages.products.verify.id_photo import find_ground

U8 = NDArray[np.uint8]
CLOSE = 0.02  # of the height
OTHERS = ("animal", "food", "product_simple", "vehicle")
FAULTS = {
    "dark": "face_too_dark",
    "blurred": "face_blurred",
    "dark glasses": "face_occluded",
    "blue mask": "face_occluded",
    "white mask": "face_occluded",
    "black mask": "face_occluded",
    "two people": "several_faces",
    "top cut off": "head_cut_off",
    "chin cut off": "head_cut_off",
    "tilted by 35 degrees": "face_tilted",
    "small": "face_too_small",
    "body alone": "no_face",
}
MASK = (
    234,
    93,
    132,
    58,
    172,
    136,
    150,
    149,
    176,
    148,
    152,
    377,
    400,
    378,
    379,
    365,
    397,
    288,
    361,
    323,
    454,
    280,
    5,
    50,
)


def read(path: Path, mode: str = "RGB") -> U8:
    return np.asarray(Image.open(path).convert(mode))


def matte_of(picture: U8, alpha: U8) -> Matte:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=1)
    item = Item("a", "a", data=file.getvalue())
    item.alpha = alpha
    return Matte(item.picture, alpha, item)


def planted(picture: U8, alpha: U8, face: Face, fault: str) -> tuple[U8, U8]:
    """The portrait with a fault."""
    width, (x, y) = face.width, face.middle
    colour = {"blue mask": (110, 170, 215), "white mask": (236, 236, 240), "black mask": (32, 30, 34)}.get(fault)
    made = picture.copy()
    if colour:
        cv2.fillPoly(made, [np.rint(face.points[list(MASK), :2]).astype(np.int32)], colour)
    elif fault == "dark":
        made = (picture * 0.12).astype(np.uint8)
    elif fault == "blurred":
        made = cv2.GaussianBlur(picture, (0, 0), 0.035 * width).astype(np.uint8)
    elif fault == "dark glasses":
        for eye in face.eyes:
            axes = round(0.2 * width), round(0.15 * width)
            cv2.ellipse(made, (round(float(eye[0])), round(float(eye[1]))), axes, 0, 0, 360, (22, 20, 24), -1)
    elif fault == "two people":
        return np.concatenate([picture, picture[:, ::-1]], 1), np.concatenate([alpha, alpha[:, ::-1]], 1)
    elif fault == "top cut off":
        top = max(0, int(y - 0.55 * width))
        return picture[top:], alpha[top:]
    elif fault == "chin cut off":
        end = int(face.chin[1] - 0.1 * width)
        return picture[:end], alpha[:end]
    elif fault == "body alone":
        return picture[int(face.chin[1]) :], alpha[int(face.chin[1]) :]
    elif fault == "small":
        size = max(1, round(picture.shape[1] * 25 / width)), max(1, round(picture.shape[0] * 25 / width))
        return tuple(cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (picture, alpha))  # type: ignore[return-value]
    else:
        matrix = cv2.getRotationMatrix2D((float(x), float(y)), -35, 1.0)
        size = picture.shape[1::-1]
        return tuple(cv2.warpAffine(one, matrix, size, borderMode=cv2.BORDER_REPLICATE) for one in (picture, alpha))  # type: ignore[return-value]
    return made, alpha


def tried(product: IdPhoto, picture: U8, alpha: U8) -> tuple[str, U8 | None, str]:
    """The reason why there is no photo, or empty; the photo; its verdict."""
    try:
        made = product.make(matte_of(np.ascontiguousarray(picture), np.ascontiguousarray(alpha)))
    except Refused as refused:
        return refused.reason, None, ""
    verdict = product.verify(made, "id_photo")
    return "", np.asarray(Image.open(io.BytesIO(made.data)).convert("RGB")), verdict.verdict if verdict else ""


def placed(product: IdPhoto, photo: U8) -> tuple[float, float, float]:
    """Of a finished photo: height of the head and of the eyes, shares of its own, and degrees that it leans."""
    (face, *_), ground = find_faces(photo), find_ground(photo)
    head = measure_head(face, ground.subject if ground else None)
    height = photo.shape[0]
    tall = head.chin + top_of(head, product.settings.asked.head)
    return tall / height, 1 - float(face.middle[1]) / height, face.roll


def aimed(product: IdPhoto, matte: Matte) -> tuple[float, float]:
    """Where head and eyes were to be, shares of the photo's height, by what was measured on the picture."""
    s, head = product.settings, measure_head(matte.faces[0], matte.alpha)
    place = layout(head, s.asked, s.size, room_around(head, matte, False, True))
    assert not isinstance(place, str)
    tall = place.scale * (head.chin + top_of(head, s.asked.head))
    return tall / place.height, 1 - place.y / place.height


def sheet(photos: list[U8], file: Path, lines: Callable[[U8], None] | None = None) -> None:
    """A contact sheet of photos, ten in a row."""
    tiles = []
    for photo in photos:
        tile = np.full((330, 250, 3), 120, np.uint8)
        scale = min(320 / photo.shape[0], 240 / photo.shape[1])
        size = round(photo.shape[1] * scale), round(photo.shape[0] * scale)
        small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        if lines:
            lines(small)
        tile[5 : 5 + size[1], 5 : 5 + size[0]] = small
        tiles.append(tile)
    tiles += [np.full_like(tiles[0], 120)] * (-len(tiles) % 10)
    rows = [np.concatenate(tiles[at : at + 10], 1) for at in range(0, len(tiles), 10)]
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows)).save(file)


def with_lines(photo: U8) -> None:
    """Draws the lines of the chin, the eyes and the skull's top, as measured."""
    for face in find_faces(photo)[:1]:
        ground = find_ground(photo)
        head, y = measure_head(face, ground.subject if ground else None), float(face.middle[1])
        for at, colour in ((y + head.chin, (255, 0, 0)), (y, (0, 160, 0)), (y - head.skull, (0, 0, 255))):
            cv2.line(photo, (0, round(at)), (photo.shape[1], round(at)), colour, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=120, help="portraits (default: %(default)s)")
    parser.add_argument("--preset", default="icao")
    parser.add_argument("--sheets", type=Path)
    options = parser.parse_args()
    folder = Path(os.environ["HAIRLINE_DATA"]) / "photos_masks"
    settings: dict[str, object] = {"preset": options.preset, "max_enlarge": 4}
    product = IdPhoto(IdPhotoSettings.model_validate(settings))
    rng = np.random.default_rng(0)
    paths = sorted((folder / "portrait").glob("*.jpg"))
    chosen = [paths[k] for k in rng.permutation(len(paths))[: options.count]]
    photos: list[U8] = []
    good: list[tuple[U8, U8]] = []
    reasons, verdicts = Counter[str](), Counter[str]()
    places: list[tuple[float, float, float]] = []
    aims: list[tuple[float, float]] = []
    for path in chosen:
        picture, alpha = read(path), read(path.with_suffix(".png"), "L")
        reason, photo, verdict = tried(product, picture, alpha)
        reasons[reason or "made"] += 1
        if photo is not None:
            verdicts[verdict] += 1
            photos.append(photo)
            good.append((picture, alpha))
            places.append(placed(product, photo))
            aims.append(aimed(product, matte_of(picture, alpha)))
    found = np.array(places)
    wanted = np.array(aims)
    errors = {"head": np.abs(found[:, 0] - wanted[:, 0]), "eyes": np.abs(found[:, 1] - wanted[:, 1])}
    others = [p for kind in OTHERS for p in sorted((folder / kind).glob("*.jpg"))[: max(3, options.count // 6)]]
    on_others = Counter(tried(product, read(p), np.full(read(p).shape[:2], 255, np.uint8))[0] or "made" for p in others)
    faults: dict[str, Counter[str]] = {}
    for fault in FAULTS:
        answers = faults[fault] = Counter[str]()
        for picture, alpha in good[: max(5, options.count // 6)]:
            face = find_faces(picture)[0]
            answers[tried(product, *planted(picture, alpha, face, fault))[0] or "made"] += 1
    if options.sheets and photos:
        sheet(photos[:20], options.sheets / f"{options.preset}.png")
        sheet(photos[:20], options.sheets / f"{options.preset}-lines.png", with_lines)
    told = {
        "portraits": len(chosen),
        "made": round(reasons["made"] / len(chosen), 3),
        "reasons": dict(reasons.most_common()),
        "verdicts": dict(verdicts),
        "within 2%": {name: round(float((each <= CLOSE).mean()), 3) for name, each in errors.items()},
        "median error": {name: round(float(np.median(each)), 4) for name, each in errors.items()},
        "lean, degrees, 95%": round(float(np.percentile(np.abs(found[:, 2]), 95)), 2),
        "without people": dict(on_others.most_common()),
        "right reason": {fault: f"{answers[FAULTS[fault]]}/{answers.total()}" for fault, answers in faults.items()},
        "other answers": {
            fault: {reason: n for reason, n in answers.items() if reason != FAULTS[fault]}
            for fault, answers in faults.items()
            if answers[FAULTS[fault]] < answers.total()
        },
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
