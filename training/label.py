"""`hairline train label PHOTOS --model MODEL -o OUT`: masks for photographs by models that know more, for training.

Any segmentation model that the coarse stage takes can be a teacher, our own weights, too (self-training). Every model
looks at each photograph as it is, mirrored, and closely at what it found; the mean of these votes is the mask, what
they differ by its weight. OUT is a folder of labels as `training/data.py` reads it (`HAIRLINE_LABELS=OUT`):

    photos/ masks/ weights/   the photographs, made smaller, with their masks and weights
    labels.csv                a row for each
    rejects.txt               what training leaves out, `path<TAB>reason`: lines may be added and removed by hand
    sheets/                   photograph, cut-out and weight side by side, the least certain first: look before training

What lies in OUT is kept: only photographs that are new are labelled. Photographs in a folder below PHOTOS get its name
as their category.
"""

from __future__ import annotations

import argparse
import csv
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml
from pydantic import ValidationError

from ..stages import checkpoints, models
from ..stages.coarse import predict_alpha
from ..stages.decode.picture import Picture
from ..stages.documents import did_you_mean
from ..stages.errors import HairlineError, PictureError
from ..stages.networks.blocks import fold_bn
from ..stages.networks.coarse import CoarseNet
from ..stages.networks.user_model import FORMATS, UserModel, UserModelSettings
from .data import TEACHER, U8, shrink
from .data import rejects as rejected_in
from .matte import matte_of
from .sheets import write_image, write_sheets
from .synth.composite import F32

Teacher = Callable[[U8], F32]  # a picture uint8 [H, W, 3] to its alpha, float32 [h, w], 0..1, of any size
PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif"}
MIN_AREA, MAX_AREA = 0.002, 0.98  # share of the picture that a subject covers
CLOSE_UP_MARGIN = 0.15  # around the first mask's box in the close-up, as a share of its longer side
CLOSE_UP_MAX_AREA = 0.7  # share of the picture from which on a subject gets no close-up


@dataclass(frozen=True)
class Label:
    """A row of labels.csv; paths relative to its folder."""

    path: str
    mask_path: str
    category: str
    mask_kind: str
    doubt: float
    split: str
    licence: str
    source_repo: str
    source_path: str
    author: str
    weight_path: str


def teacher(name: str, device: torch.device, threads: int = 0) -> Teacher:
    """A model, ready to be asked.

    Args:
        name: a public model by its name, see `stages/models.yaml`, whose licence the caller has seen to; a model's
            file; a .yaml file with the keys of the coarse stage's `model`, among them its path, relative to the file;
            a .safetensors file with weights of the coarse network, or `builtin`.
        threads: of a model that is not ours; 0: as its settings say.

    Raises:
        HairlineError: it cannot be read or does not run.
    """
    path = Path(name).expanduser()
    if name == "builtin" or path.suffix == ".safetensors":
        found = checkpoints.find(name, "coarse-general.safetensors")
        network = checkpoints.inference(fold_bn(checkpoints.load(CoarseNet(), found)), device)
        return lambda rgb: predict_alpha(network, [rgb], device)[0][0].astype(np.float32) / 255
    settings = settings_of(name)
    model = UserModel(settings.model_copy(update={"threads": threads}) if threads else settings)
    model.setup(device)
    return model.predict


def settings_of(name: str) -> UserModelSettings:
    """The settings of a model that is not ours, see `teacher`. Raises HairlineError."""
    path = Path(name).expanduser()
    if name in models.catalogue():
        return UserModelSettings(name=name, accept_license=True)
    if path.suffix not in (".yaml", ".yml"):
        if path.suffix.lower() not in FORMATS:
            raise HairlineError(
                f"model {path}: the ending must be one of .yaml, .safetensors, {', '.join(FORMATS)}, and no public "
                f"model is called so{did_you_mean(name, models.catalogue())}"
            )
        return UserModelSettings(path=str(path))
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
        settings = UserModelSettings.model_validate(given)
    except OSError as error:
        raise HairlineError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise HairlineError(f"{path}: not valid YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise HairlineError(f"{path}: {'.'.join(map(str, first['loc'])) or 'model'}: {first['msg']}") from error
    return settings.model_copy(update={"path": str(path.parent / Path(settings.path).expanduser())})


def votes(rgb: U8, teachers: Sequence[Teacher]) -> F32:
    """What the teachers say of a picture, uint8 [H, W, 3]: float32 [n, H, W], 0..1, three votes each, or two."""
    found = []
    for ask_teacher in teachers:
        whole = fitted(ask_teacher(rgb), rgb)
        mirrored = fitted(ask_teacher(np.ascontiguousarray(rgb[:, ::-1])), rgb)[:, ::-1]
        found += [whole, mirrored]
        box = _close_up_box((whole + mirrored) / 2)
        if box:
            close = ((whole + mirrored) / 2).copy()
            close[box] = fitted(ask_teacher(np.ascontiguousarray(rgb[box])), rgb[box])
            found.append(close)
    return np.stack(found)


def combine_votes(found: F32) -> tuple[U8, U8, float]:
    """The mask, its weight and the doubt about it, from votes: uint8 [H, W] each, and 0..1 or more.

    A pixel's weight falls with the mean distance of the votes from their mean, from 255 to 0 at one half. The doubt is
    2 * sum(min(a, 1 - a)) / sum(a), to which votes that differ add.
    """
    mean = found.mean(0)
    weight = 1 - 2 * np.abs(found - mean).mean(0)
    doubt = 2 * float(np.minimum(mean, 1 - mean).sum()) / max(float(mean.sum()), 1.0)
    return to8(mean), to8(weight), doubt


def expected_error(found: F32) -> F32:
    """How far votes [n, H, W] are probably from the truth, float32 [H, W], 0..1: what they doubt, and differ by."""
    mean = found.mean(0)
    return np.asarray(np.minimum(2 * mean * (1 - mean) + np.abs(found - mean).mean(0), 1), np.float32)


def verdict(mask: U8, doubt: float, most: float) -> str:
    """Why a mask is not to be trained on; empty where it is."""
    share = float((mask > 127).mean())
    if share < MIN_AREA:
        return "no subject"
    if share > MAX_AREA:
        return "no background"
    return f"doubt {doubt:.2f}" if doubt > most else ""


def parser() -> argparse.ArgumentParser:
    """The options of `hairline train label`."""
    command = argparse.ArgumentParser(
        prog="hairline train label", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = command.add_argument
    kinds = "a teacher: the name of a public model, .onnx, .pt, .ts, .pt2, .yaml, .safetensors of ours, or builtin"
    add("photos", type=Path, help="a folder of photographs")
    add("--model", action="append", required=True, help=f"{kinds}; may be repeated")
    add("-o", "--output", type=Path, required=True, help="folder of the labels")
    add("--category", default="other", help="of photographs that lie in no folder (default: %(default)s)")
    add("--licence", default="", help="of the photographs")
    add("--mattes", action="store_true", help="masks are made mattes by the fine network: hair, holes and softness")
    add("--side", type=int, default=512, help="longest side that is kept, pixels (default: %(default)s)")
    add("--most-doubt", type=float, default=0.5, help="more is rejected (default: %(default)s)")
    add("--accept-license", action="store_true", help="where a public model's licence forbids commercial use")
    add("--validation", type=float, default=0.06, help="share for validation (default: %(default)s)")
    return command


def main(argv: list[str]) -> int:
    """Labels a folder. Raises HairlineError for a user's mistake."""
    given = parser().parse_args(argv)
    names = {Path(name).stem for name in given.model}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    photos = _find_photographs(given.photos, given.output)
    for name in set(given.model) & models.catalogue().keys():
        models.check_licence(name, given.accept_license, "say so with --accept-license")
    teachers = [teacher(name, device) for name in given.model]
    labels, rejects = read_labels(given.output), rejected_in(given.output)
    known = {label.source_path for label in labels}
    waiting = [photo for photo in photos if photo.relative_to(given.photos).as_posix() not in known]
    for number, photo in enumerate(waiting, 1):
        inside = photo.relative_to(given.photos)
        try:
            rgb = shrink(Picture(photo.read_bytes()).small(given.side), given.side)
        except (PictureError, OSError) as error:
            print(f"left out: {photo}: {error}", flush=True)
            continue
        found = votes(rgb, teachers)
        mask, weight, doubt = combine_votes(found)
        if given.mattes:
            mask = to8(matte_of(rgb, found.mean(0), expected_error(found)))
        name = name_of(inside.as_posix())
        label = keep(
            given.output,
            rgb,
            (mask, weight),
            inside.as_posix(),
            category=inside.parts[0] if len(inside.parts) > 1 else given.category,
            mask_kind=f"{TEACHER}_{'+'.join(sorted(names))}{'_matte' if given.mattes else ''}",
            doubt=round(doubt, 4),
            split="val" if zlib.crc32(name.encode()[::-1]) % 1000 < given.validation * 1000 else "train",
            licence=given.licence,
        )
        labels.append(label)
        if reason := verdict(mask, doubt, given.most_doubt):
            rejects.setdefault(label.path, reason)
        if not number % 20 or number == len(waiting):
            save(given.output, labels, rejects)
            print(f"{number} of {len(waiting)}", flush=True)
    save(given.output, labels, rejects)
    write_sheets(given.output, [label for label in labels if label.path not in rejects])
    kept = sum(label.path not in rejects for label in labels)
    print(f"{kept} of {len(labels)} labelled photographs are kept; the least certain come first on the sheets in")
    print(f"{given.output / 'sheets'}; what is wrong goes into {given.output / 'rejects.txt'}.")
    print(f"Train with HAIRLINE_LABELS={given.output}")
    return 0


def name_of(id: str) -> str:
    """What a photograph's files are called, from its path below PHOTOS."""
    return f"{Path(id).with_suffix('').as_posix().replace('/', '_')}_{zlib.crc32(id.encode()):08x}"


def keep(folder: Path, rgb: U8, made: tuple[U8, U8], id: str, **facts: Any) -> Label:
    """Writes a photograph, uint8 [H, W, 3], with its mask and weight, uint8 [H, W] each; returns its row.

    Args:
        folder: of the labels.
        id: its path below PHOTOS.
        facts: category, mask_kind, doubt, split and licence, see `Label`.
    """
    name = name_of(id)
    label = Label(
        path=f"photos/{name}.webp",
        mask_path=f"masks/{name}.png",
        weight_path=f"weights/{name}.png",
        source_repo="",
        source_path=id,
        author="",
        **{"licence": "", **facts},
    )
    write_image(folder / label.path, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_WEBP_QUALITY, 90))
    write_image(folder / label.mask_path, made[0])
    write_image(folder / label.weight_path, made[1])
    return label


def _find_photographs(folder: Path, output: Path) -> list[Path]:
    if not folder.is_dir():
        raise HairlineError(f"{folder} is no folder of photographs")
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES and p.is_file())
    found = [p for p in found if not p.resolve().is_relative_to(output.resolve())]
    if not found:
        raise HairlineError(f"there are no pictures in {folder}")
    return found


def read_labels(folder: Path) -> list[Label]:
    """What labels.csv of a folder lists; nothing where there is none. Raises HairlineError: it is another file."""
    path = folder / "labels.csv"
    if not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        try:
            return [Label(**{**row, "doubt": float(row["doubt"])}) for row in csv.DictReader(file)]
        except (TypeError, KeyError, ValueError) as error:
            raise HairlineError(f"{path} was not written by this command; choose another folder") from error


def save(folder: Path, labels: Sequence[Label], rejects: Mapping[str, str]) -> None:
    """Writes labels.csv and rejects.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "labels.csv.tmp"  # whole or not at all: a kill must not lose what a teacher took hours for
    with open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(Label.__dataclass_fields__))
        writer.writeheader()
        writer.writerows(asdict(label) for label in labels)
    part.replace(folder / "labels.csv")
    lines = (f"{path}\t{reason}\n" for path, reason in sorted(rejects.items()))
    (folder / "rejects.txt").write_text("".join(lines), encoding="utf-8")


def _close_up_box(alpha: F32) -> tuple[slice, slice] | None:
    """The box of what was found, grown; None where that is nothing or nearly the whole picture."""
    height, width = alpha.shape
    x, y, w, h = cv2.boundingRect((alpha > 0.5).astype(np.uint8))
    grow = int(CLOSE_UP_MARGIN * max(w, h)) + 1
    x0, y0, x1, y1 = max(x - grow, 0), max(y - grow, 0), min(x + w + grow, width), min(y + h + grow, height)
    if min(w, h) < 8 or (x1 - x0) * (y1 - y0) > CLOSE_UP_MAX_AREA * alpha.size:
        return None
    return np.s_[y0:y1, x0:x1]


def fitted(alpha: F32, rgb: U8) -> F32:
    """Alpha of any size, float32 0..1, at that of its picture."""
    size = rgb.shape[1::-1]
    shrinks = alpha.shape[0] > size[1]
    return cv2.resize(alpha, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR).astype(np.float32)


def to8(share: F32) -> U8:
    """0..1 as uint8."""
    return (np.clip(share, 0, 1) * 255 + 0.5).astype(np.uint8)
