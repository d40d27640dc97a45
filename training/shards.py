"""`python -m hairline.training.shards pack|unpack`: the training pictures in files small enough to travel.

A machine with a GPU may be reached through a narrow door: so many MiB at a time. Packing shrinks the pictures to what
the recipes use, encodes them again and fills tar files up to a size; unpacking them, one after the other and in any
order, gives a folder for `HAIRLINE_DATA`.
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import cv2

from ..stages.errors import HairlineError
from . import data
from .command import run

MIB = 1 << 20
PACKING = "shards.json"  # beside the shards: name -> size and time of change
SIDE = {
    "foregrounds": 320,
    "photos_masks": 448,
    "backgrounds": 384,
    data.TEACHER: 448,
}  # longest side that a recipe asks for, pixels
QUALITY = {".webp": (cv2.IMWRITE_WEBP_QUALITY, 82), ".jpg": (cv2.IMWRITE_JPEG_QUALITY, 86)}  # alpha stays lossless


def pack(folder: Path, most: float) -> list[Path]:
    """Writes `shard-NN.tar`, each of at most `most` MiB, into a folder; all of labels.csv's pictures and masks.

    Shards of an earlier packing go: those that are as its list, `shards.json`, says. Raises HairlineError when there
    are no pictures, one is larger than a shard, or another file has the name of one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    packing = folder / PACKING
    before = _packed(packing)
    earlier = list(folder.glob("shard-*.tar"))
    for old in earlier:
        if before.get(old.name) != _stamp(old):
            raise HairlineError(f"{old} is there and was not packed here, or was changed since: name another folder")
    for old in earlier:  # and nothing else, whatever the list says
        old.unlink()
    packing.unlink(missing_ok=True)
    room = int(most * MIB) - tarfile.RECORDSIZE
    shards: list[Path] = []
    held: dict[str, bytes] = {}
    free = room
    for name, content in _files():
        size = tarfile.BLOCKSIZE * (2 + len(content) // tarfile.BLOCKSIZE)  # with its header and padding
        if size > room:
            raise HairlineError(f"{name} does not fit into a shard of {most:g} MiB: allow larger ones")
        if size > free:
            shards.append(_write(folder / f"shard-{len(shards):02}.tar", held))
            held, free = {}, room
        held[name] = content
        free -= size
    return [*shards, _write(folder / f"shard-{len(shards):02}.tar", held)]


def _packed(packing: Path) -> dict[str, list[int]]:
    try:
        before = json.loads(packing.read_text()) if packing.exists() else {}
    except ValueError:
        before = None
    if not isinstance(before, dict):
        raise HairlineError(f"{packing}: damaged, or no list of shards; move it away with its shards")
    return before


def _write(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as packed:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    packing = path.with_name(PACKING)
    listed = json.loads(packing.read_text()) if packing.exists() else {}
    packing.write_text(json.dumps({**listed, path.name: _stamp(path)}) + "\n")
    return path


def _stamp(path: Path) -> list[int]:
    """Size and time of change (ns): another file has others."""
    facts = path.stat()
    return [facts.st_size, facts.st_mtime_ns]


def unpack(shards: list[Path], folder: Path) -> None:
    """Lays the shards' files into a folder. Raises HairlineError where one is missing or damaged."""
    for shard in shards:
        try:
            with tarfile.open(shard) as packed:
                packed.extractall(folder, filter="data")
        except (OSError, tarfile.TarError) as error:
            raise HairlineError(f"cannot unpack {shard}: {error}; pack it again") from error


def _files() -> Iterator[tuple[str, bytes]]:
    """Every file of the data folder that training reads, under its path there; a teacher's masks, too."""
    root = data.folder()
    yield "labels.csv", (root / "labels.csv").read_bytes()
    for path in sorted(root.glob("detection/**/*.json")):
        yield str(path.relative_to(root)), path.read_bytes()
    for listed in (data.TEACHER + "/labels.csv", data.TEACHER + "/rejects.txt"):
        if (root / listed).is_file():
            yield listed, (root / listed).read_bytes()
    given: set[str] = set()
    for row in (*data.rows(), *data.taught_rows()):
        # boxes are in pixels of their picture: those of detection stay as they are
        side = SIDE.get(row.path.split("/")[0])
        for path in filter(None, (row.path, row.mask_path, row.weight_path)):
            if path not in given and not Path(path).is_absolute():  # labels that lie elsewhere travel by themselves
                given.add(path)
                yield path, _smaller(root / path, side) if side else (root / path).read_bytes()


def _smaller(path: Path, side: int) -> bytes:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise HairlineError(f"cannot read the training picture {path}")
    done, content = cv2.imencode(path.suffix, data.shrink(image, side), QUALITY.get(path.suffix, ()))
    if not done:
        raise HairlineError(f"cannot encode {path.name} as {path.suffix}")
    return min(bytes(content), path.read_bytes(), key=len) if max(image.shape[:2]) <= side else bytes(content)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m hairline.training.shards", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack", help="$HAIRLINE_DATA into shards")
    packing.add_argument("folder", type=Path)
    packing.add_argument("--mib", type=float, default=40, help="largest size of a shard (default: %(default)s)")
    unpacking = commands.add_parser("unpack", help="shards into a folder for HAIRLINE_DATA")
    unpacking.add_argument("shards", type=Path, nargs="+")
    unpacking.add_argument("--to", type=Path, required=True)
    args = parser.parse_args(argv)
    if args.command == "unpack":
        unpack(args.shards, args.to)
        return 0
    for shard in pack(args.folder, args.mib):
        print(f"{shard} {shard.stat().st_size / MIB:.1f} MiB")
    return 0


if __name__ == "__main__":
    run(main)
