"""Pictures on white against the truth, and the verifier against planted faults.

    python benchmarks/white_background.py [--quick] [--sheets DIR]

Composites: subjects with their alpha and own colours, of pictures that no network was trained on ($HAIRLINE_DATA), over
photographs. The product is made with the true alpha, so that its own steps are judged: whether all ground is exactly
white, and the colour error where alpha is between 0 and 255, beside that of plain blending with the picture's colours.

Verifier: correct files, and files with one of 14 faults planted. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from record import record

from hairline.stages.decode.colours import srgb_profile
from hairline.stages.item import Item
from hairline.stages.products.base import Matte
from hairline.stages.products.preset_files import read_preset
from hairline.stages.products.spec import ProductSpec
from hairline.stages.products.verify.white_background import check_white
from hairline.stages.products.white_background import on_white
from hairline.training import data

U8 = NDArray[np.uint8]
SIDE = 700  # of the verifier's cases: the subjects are small, and enlarged ones would be told as such
PRESET = "google_merchant"
CASES = {"correct": 120, "each fault": 20}
KINDS = ("product_simple", "product_hollow", "portrait", "clothing", "animal", "food", "vehicle", "plant_hollow")


def subjects(count: int, rng: np.random.Generator) -> list[U8]:
    """uint8 [h, w, 4] each, kinds in turn, of the validation split."""
    groups = [list(found) for kind, found in sorted(data.foregrounds("val").items()) if kind.split(":")[0] in KINDS]
    for group in groups:
        rng.shuffle(group)  # type: ignore[arg-type]
    chosen = [group[k % len(group)].rgba for k in range(count) for group in groups][:count]
    return [_trimmed(rgba) for rgba in chosen]


def _trimmed(rgba: U8) -> U8:
    x, y, w, h = cv2.boundingRect((rgba[..., 3] > 12).astype(np.uint8))
    return rgba[y : y + h, x : x + w]


def composite(rgba: U8, ground: U8, margin: float = 0.15) -> tuple[U8, U8, U8]:
    """A picture, uint8 [h, w, 3], its alpha and its subject's colours."""
    pad = round(margin * max(rgba.shape[:2]))
    whole = cv2.copyMakeBorder(rgba, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    height, width = whole.shape[:2]
    scale = max(height / ground.shape[0], width / ground.shape[1])
    behind = cv2.resize(ground, None, fx=scale * 1.01, fy=scale * 1.01)[:height, :width].astype(np.float32)
    share = whole[..., 3:].astype(np.float32) / 255
    picture = np.rint(whole[..., :3] * share + behind * (1 - share)).astype(np.uint8)
    return picture, whole[..., 3].copy(), whole[..., :3].copy()


def matte_of(picture: U8, alpha: U8) -> Matte:
    item = Item("a", "a", data=_file(Image.fromarray(picture), "PNG"))
    item.alpha = alpha
    return Matte(item.picture, alpha, item)


def _file(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def against_truth(count: int, rng: np.random.Generator) -> dict[str, Any]:
    """Whether ground is white, and the error of colours in the band of half transparency."""
    grounds = [g for group in data.backgrounds("val").values() for g in group]
    product = ProductSpec.model_validate({"white_background": {"canvas": "keep", "srgb": True}}).build()
    white, plain_error, own_error = 0, [], []
    for rgba in subjects(count, rng):
        picture, alpha, colours = composite(rgba, grounds[rng.integers(len(grounds))])
        made = product.make(matte_of(picture, alpha))
        pixels = np.asarray(Image.open(io.BytesIO(made.data)).convert("RGB"))
        white += bool((pixels[alpha == 0] == 255).all())
        band = (alpha > 0) & (alpha < 255)
        if band.sum() < 50:
            continue
        truth = on_white(colours, alpha)[band].astype(np.float32)
        plain = on_white(picture, alpha)[band]
        plain_error.append(float(np.abs(plain - truth).mean()))
        own_error.append(float(np.abs(pixels[band] - truth).mean()))
    return {
        "composites": count,
        "exactly_white": white,
        "band_error_plain": round(float(np.mean(plain_error)), 3),
        "band_error": round(float(np.mean(own_error)), 3),
        "less": round(1 - float(np.mean(own_error)) / float(np.mean(plain_error)), 3),
    }


# A fault takes a correct canvas (uint8 [h, w, 3]), its alpha and the colours of the picture there; gives file, ending.
Fault = Callable[[U8, U8, U8, np.random.Generator], tuple[bytes, str]]


def png_file(pixels: U8) -> tuple[bytes, str]:
    return _file(Image.fromarray(pixels), "PNG", icc_profile=srgb_profile()), "png"


def grey_250(pixels: U8, alpha: U8, own: U8, rng: np.random.Generator) -> tuple[bytes, str]:
    return png_file(np.minimum(pixels, on_ground(pixels, alpha, 250)))


def on_ground(pixels: U8, alpha: U8, level: int) -> U8:
    rest = 1 - alpha[..., None].astype(np.float32) / 255
    return np.rint(pixels - rest * (255 - level)).clip(0, 255).astype(np.uint8)


def small(pixels: U8, alpha: U8, own: U8, rng: np.random.Generator) -> tuple[bytes, str]:
    side = round(len(pixels) * 0.6 / 0.85)
    pad = (len(pixels) - side) // 2
    part = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
    return png_file(np.pad(part, ((pad, len(pixels) - side - pad),) * 2 + ((0, 0),), constant_values=255))


def with_halo(pixels: U8, alpha: U8, own: U8, rng: np.random.Generator) -> tuple[bytes, str]:
    wide = cv2.GaussianBlur(cv2.dilate(alpha, np.ones((7, 7), np.uint8)), (0, 0), 0.8)
    return png_file(on_white(own, wide))


def off_centre(pixels: U8, alpha: U8, own: U8, rng: np.random.Generator) -> tuple[bytes, str]:
    ys, xs = np.nonzero(alpha > 12)
    room = [ys.min(), len(pixels) - 1 - ys.max(), xs.min(), len(pixels) - 1 - xs.max()]
    axis = 0 if max(room[:2]) > max(room[2:]) else 1
    way = room[2 * axis] if rng.random() < 0.5 else -room[2 * axis + 1]
    return png_file(shifted(pixels, round(way * 0.95), axis))


def shifted(pixels: U8, by: int, axis: int) -> U8:
    """Towards the start where `by` is positive; white comes in."""
    moved = np.roll(pixels, -by, axis)
    gone = [slice(None)] * 3
    gone[axis] = slice(len(pixels) - by, None) if by > 0 else slice(0, -by)
    moved[tuple(gone)] = 255
    return moved


def cut_through(pixels: U8, alpha: U8, own: U8, rng: np.random.Generator) -> tuple[bytes, str]:
    ys, xs = np.nonzero(alpha > 12)
    axis = int(rng.integers(2))
    at = (ys, xs)[axis]
    return png_file(shifted(pixels, int(at.min() + 0.2 * (at.max() - at.min())), axis))


def wrong_size(pixels: U8, alpha: U8, own: U8, rng: np.random.Generator) -> tuple[bytes, str]:
    return png_file(cv2.resize(pixels, (430, 430), interpolation=cv2.INTER_AREA))


def cmyk(pixels: U8, alpha: U8, own: U8, rng: np.random.Generator) -> tuple[bytes, str]:
    return _file(Image.fromarray(pixels).convert("CMYK"), "JPEG", quality=95), "jpg"


def no_profile(pixels: U8, alpha: U8, own: U8, rng: np.random.Generator) -> tuple[bytes, str]:
    return _file(Image.fromarray(pixels), "PNG"), "png"


def dark_shadow(pixels: U8, alpha: U8, own: U8, rng: np.random.Generator) -> tuple[bytes, str]:
    ys, xs = np.nonzero(alpha > 127)
    shade = np.zeros(alpha.shape, np.float32)
    middle, half = int(xs.mean()), int((xs.max() - xs.min()) * rng.uniform(0.4, 0.55))
    foot, deep = int(ys.max()), int(rng.uniform(0.03, 0.05) * len(pixels))
    cv2.ellipse(shade, (middle, foot), (half, deep), 0, 0, 360, float(rng.uniform(170, 220)), -1)
    shade = cv2.GaussianBlur(shade, (0, 0), 14)
    rest = 1 - alpha[..., None].astype(np.float32) / 255
    return png_file(np.rint(pixels - rest * shade[..., None]).clip(0, 255).astype(np.uint8))


def two(pixels: U8, alpha: U8, own: U8, rng: np.random.Generator) -> tuple[bytes, str]:
    return png_file(pixels)  # what makes it two is in `cases`


def low_resolution(pixels: U8, alpha: U8, own: U8, rng: np.random.Generator) -> tuple[bytes, str]:
    tiny = cv2.resize(pixels, None, fx=1 / 6, fy=1 / 6, interpolation=cv2.INTER_AREA)
    large = cv2.resize(tiny, pixels.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    large[cv2.dilate(alpha, np.ones((25, 25), np.uint8)) == 0] = 255
    return png_file(large)


def ripples(pixels: U8, alpha: U8, own: U8, rng: np.random.Generator) -> tuple[bytes, str]:
    image = Image.fromarray(pixels)
    return _file(image, "JPEG", quality=int(rng.integers(12, 40)), icc_profile=srgb_profile()), "jpg"


def wrong_ending(pixels: U8, alpha: U8, own: U8, rng: np.random.Generator) -> tuple[bytes, str]:
    return png_file(pixels)[0], "jpg"


def too_many_bytes(pixels: U8, alpha: U8, own: U8, rng: np.random.Generator) -> tuple[bytes, str]:
    return png_file(pixels)[0] + rng.bytes(16_000_000), "png"


FAULTS: dict[str, tuple[Fault, str]] = {  # fault -> (what plants it, the check that must fail)
    "grey 250": (grey_250, "white"),
    "60% fill": (small, "fill"),
    "halo": (with_halo, "halo"),
    "off centre": (off_centre, "off_centre"),
    "cut-off subject": (cut_through, "cut_off"),
    "wrong size": (wrong_size, "width"),
    "CMYK": (cmyk, "colours"),
    "ICC missing": (no_profile, "profile"),
    "shadow too dark": (dark_shadow, "shadow"),
    "two subjects": (two, "subjects"),
    "low resolution": (low_resolution, "blur"),
    "JPEG artefacts": (ripples, "artefacts"),
    "wrong extension": (wrong_ending, "ending"),
    "too many bytes": (too_many_bytes, "bytes"),
}


def verifier(correct: int, each: int, rng: np.random.Generator, sheets: Path | None) -> dict[str, Any]:
    rules = read_preset(PRESET).rules
    named = ["correct"] * correct + [name for name in FAULTS for _ in range(each)]
    product = ProductSpec.model_validate({"white_background": {"preset": PRESET, "canvas": [SIDE, SIDE]}}).build()
    grounds = [g for group in data.backgrounds("val").values() for g in group]
    found: Counter[tuple[str, str]] = Counter()
    missed: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for number, (name, rgba) in enumerate(zip(named, subjects(len(named), rng), strict=True)):
        large = enlarged(rgba)
        if name == "two subjects":
            large = beside(large, enlarged(subjects(len(named), rng)[number - 1]))
        picture, alpha, _ = composite(large, contrasting(large, grounds, rng))
        matte = matte_of(picture, alpha)
        made = product.make(matte)
        case = made.data, made.ext
        if name != "correct":
            pixels = np.asarray(Image.open(io.BytesIO(made.data)).convert("RGB"))
            canvas, at = product._place(matte, alpha)
            from hairline.stages.products.placing import place

            there = place(alpha, alpha, matte.box, canvas, at, ground=0)
            own = place(picture, np.full_like(alpha, 255), matte.box, canvas, at)
            case = FAULTS[name][0](pixels, there, own, rng)
        checks = check_white(*case, rules)
        failed = {check.name for check in checks if check.verdict == "fail"}
        found["planted" if name != "correct" else "correct", "failed" if failed else "not"] += 1
        if name != "correct" and FAULTS[name][1] not in failed:
            missed[name] += 1
        if name == "correct":
            wrong.update(failed)
        if sheets and (failed if name == "correct" else FAULTS[name][1] not in failed):
            sheets.mkdir(parents=True, exist_ok=True)
            told = " ".join(f"{check.name}={check.value}" for check in checks if check.name in OF_PIXELS)
            print(name, number, sorted(failed), told)
            (sheets / f"{name.replace(' ', '_')}-{number}.{case[1]}").write_bytes(case[0][:3_000_000])
    planted = sum(n for (what, _), n in found.items() if what == "planted")
    hits = planted - sum(missed.values())
    alarms = found["correct", "failed"]
    return {
        "cases": len(named),
        "recall": round(hits / planted, 4),
        "precision": round(hits / max(1, hits + alarms), 4),
        "false_alarms": alarms,
        "correct_passed": found["correct", "not"],
        "missed": dict(missed),
        "wrongly_failed": dict(wrong),
    }


OF_PIXELS = ("white", "fill", "halo", "shadow", "subjects", "blur", "artefacts", "cut_off", "off_centre")


def enlarged(rgba: U8) -> U8:
    scale = 0.9 * SIDE / max(rgba.shape[:2])
    return cv2.resize(rgba, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else rgba


def beside(first: U8, second: U8) -> U8:
    """Two subjects of one height with a gap between them."""
    height = min(len(first), len(second))
    parts = [cv2.resize(s, (max(1, round(s.shape[1] * height / len(s))), height)) for s in (first, second)]
    gap = np.zeros((height, max(8, height // 8), 4), np.uint8)
    return np.concatenate([parts[0], gap, parts[1]], 1)


def contrasting(rgba: U8, grounds: list[U8], rng: np.random.Generator) -> U8:
    """A background that is not like the subject: a halo of its own colours nobody could see."""
    rim = rgba[..., :3][rgba[..., 3] > 200].astype(np.float32).mean(0)
    tried = [grounds[k] for k in rng.integers(len(grounds), size=6)]
    return max(tried, key=lambda ground: float(np.abs(ground.reshape(-1, 3).mean(0) - rim).sum() - ground.mean()))


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--quick", action="store_true")
    options.add_argument("--sheets", type=Path)
    given = options.parse_args()
    rng = np.random.default_rng(7)
    figures = against_truth(30 if given.quick else 300, rng)
    correct, each = (24, 3) if given.quick else tuple(CASES.values())
    record({**figures, **verifier(correct, each, rng, given.sheets)})


if __name__ == "__main__":
    main()
