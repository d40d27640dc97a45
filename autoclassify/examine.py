"""One pass over all pictures on Ray Data: decoded once, measured, and described by the encoders.

Each part of the pictures becomes one Parquet file, written whole; a run that was killed goes on with what no file
holds.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from ..stages.classify import network_input
from ..stages.decode.picture import ANALYSIS_SIDE, Picture
from ..stages.errors import HairlineError, PictureError
from ..stages.networks.batch import forward_images
from ..stages.networks.blocks import fold_bn
from ..stages.networks.classifier import ClassifierNet
from ..stages.networks.exported import pooled
from ..stages.networks.lite import LiteEncoder
from . import files

PART = 256  # pictures of one file
THUMBNAIL = 256  # long side of the small copy that searches and pages use, pixels
SIZE = 224  # side at which the encoders see a picture, pixels
STARTS = ("imagenet", "builtin")  # encoders to start from: ImageNet's, and that of the built-in classifier
FEATURES = sum(LiteEncoder().widths)
MEASURES = ("dark", "light", "blurry", "low_information", "odd_aspect_ratio", "odd_size")
FACTS = pa.schema(
    [
        ("uri", pa.string()),
        ("etag", pa.string()),
        ("error", pa.string()),  # why it cannot be read; empty if it can
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("phash", pa.uint64()),
        *((measure, pa.float32()) for measure in MEASURES),  # cleanvision's scores, 0 (bad) to 1; odd_size in pixels
        *((f"features_{start}", pa.list_(pa.float16())) for start in STARTS),
        ("thumbnail", pa.binary()),  # JPEG
    ]
)


def encoder(start: str) -> LiteEncoder:
    """An encoder with the weights that a start names, in training mode.

    Raises:
        HairlineError: what carries ImageNet's weights is not installed.
    """
    if start == "builtin":
        from ..stages import checkpoints

        network = checkpoints.load(ClassifierNet(), checkpoints.find("builtin", "classify.safetensors"))
        return network.encoder.train()
    try:
        from ..training.pretrained import load_imagenet
    except ModuleNotFoundError as missing:
        raise HairlineError(
            f"autoclassify needs {missing.name}: pip install 'hairline-matting[autoclassify]'"
        ) from missing
    holder = nn.Module()
    holder.encoder = LiteEncoder()
    load_imagenet(holder)
    return holder.encoder.train()


class Examine:
    """Examines a part of the pictures and writes its file; a class, so that a process loads the encoders once.

    Args:
        folder: where the files go.
        starts: the encoders that describe the pictures.
        read: reads the bytes behind a uri.
    """

    def __init__(self, folder: str, starts: Sequence[str], read: Callable[[str], bytes] = files.read) -> None:
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        self.folder, self.read = Path(folder), read
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.encoders = {start: self._ready(start) for start in starts}
        self.measures = _measures()

    def _ready(self, start: str) -> Callable[[Tensor], Tensor]:
        from ..stages import checkpoints

        network = checkpoints.inference(fold_bn(encoder(start).eval()), self.device)
        return lambda x: pooled(network, x)

    def __call__(self, batch: pa.Table) -> pa.Table:
        rows = [
            self._examine(uri, etag) for uri, etag in zip(*(batch[c].to_pylist() for c in ("uri", "etag")), strict=True)
        ]
        readable = [row for row in rows if not row["error"]]
        if readable:
            images = np.stack([row.pop("input") for row in readable])
            for start, forward in self.encoders.items():
                found = forward_images(forward, images, self.device).numpy().astype(np.float16)
                for row, features in zip(readable, found, strict=True):
                    row[f"features_{start}"] = features
        files.write_table(self.folder / f"{uuid.uuid4().hex}.parquet", pa.Table.from_pylist(rows, schema=FACTS))
        return pa.table({"done": [len(rows)], "unreadable": [len(rows) - len(readable)]})

    def _examine(self, uri: str, etag: str) -> dict[str, Any]:
        row: dict[str, Any] = {"uri": uri, "etag": etag, "error": ""}
        try:
            data = self.read(uri)
            picture = Picture(data)
            row |= self._measure(picture)
        except PictureError as error:
            return row | {"error": f"{error.reason}: {error.detail}"}
        except Exception as error:  # the system's and the storage client's: the row says it
            line = getattr(error, "strerror", "") or " ".join(str(error).split())[:200] or type(error).__name__
            return row | {"error": f"cannot be read: {line}"}
        return row | {"sha256": hashlib.sha256(data).hexdigest()}

    def _measure(self, picture: Picture) -> dict[str, Any]:
        import imagehash

        rgb = picture.small(ANALYSIS_SIDE)
        image = Image.fromarray(rgb)
        bits = imagehash.phash(image).hash.flatten()
        small = picture.small(THUMBNAIL)
        thumbnail = cv2.imencode(".jpg", np.ascontiguousarray(small[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        return {
            "width": picture.width,
            "height": picture.height,
            "phash": int(np.packbits(bits).view(">u8")[0]),
            **self.measures(image),
            "odd_size": float(np.sqrt(picture.width * picture.height)),
            "odd_aspect_ratio": min(picture.width / picture.height, picture.height / picture.width),
            "thumbnail": thumbnail.tobytes(),
            "input": network_input(picture, SIZE),
        }


def _measures() -> Callable[[Image.Image], dict[str, float]]:
    """cleanvision's scores of single pictures, for each issue between 0 (certain) and 1 (none)."""
    import pandas as pd
    from cleanvision.issue_managers.image_property_issue_manager import ImagePropertyIssueManager

    manager = ImagePropertyIssueManager()
    properties = {issue: manager.image_properties[issue] for issue in ("dark", "light", "blurry", "low_information")}

    def measure(image: Image.Image) -> dict[str, float]:
        found = {}
        for issue, of in properties.items():
            settings = {key: value for key, value in manager.params[issue].items() if key != "threshold"}
            scores = of.get_scores(pd.DataFrame([of.calculate(image)]), issue, **settings)
            found[issue] = float(scores.iloc[0, 0])
        return found

    return measure


def known(folder: Path, columns: Sequence[str], uris: pa.ChunkedArray | None = None) -> pa.Table:
    """What the files hold of every picture examined so far, or of those named, in these columns."""
    chosen = None if uris is None else pc.field("uri").isin(uris.combine_chunks())
    paths = sorted(folder.glob("*.parquet"))
    tables = [pq.read_table(path, columns=list(columns), filters=chosen) for path in paths]
    return pa.concat_tables(tables) if tables else FACTS.empty_table().select(list(columns))


def features(folder: Path, start: str, pictures: pa.Table) -> NDArray[np.float16]:
    """What an encoder says of pictures, [N, P], in their order. Read file by file: they are in memory once.

    Args:
        folder: where the files are; what they hold of other pictures is passed over.
        start: one of `STARTS`.
        pictures: columns uri and etag.

    Raises:
        HairlineError: pictures were examined without that encoder.
    """
    column, paths = f"features_{start}", sorted(folder.glob("*.parquet"))
    rows = places(known(folder, ["uri", "etag"]), pictures)
    found, there = np.empty((len(pictures), FEATURES), np.float16), np.zeros(len(pictures), bool)
    for path in paths:
        part = pq.read_table(path, columns=[column])[column].combine_chunks()
        mine, rows = rows[: len(part)], rows[len(part) :]
        mine = mine[part.is_valid().to_numpy(zero_copy_only=False)]
        values = part.flatten().to_numpy(zero_copy_only=False).reshape(-1, FEATURES)
        found[mine[mine >= 0]] = values[mine >= 0]
        there[mine[mine >= 0]] = True
    if not there.all():
        raise HairlineError(
            f"{folder}: {(~there).sum()} pictures were examined without the encoder {start}; name the --encoders of "
            "before, or give another folder"
        )
    return found


def places(pictures: pa.Table, others: pa.Table) -> NDArray[np.int64]:
    """The row that each picture has among the others, in the same version; -1: none. Both have uri and etag."""
    rows = pc.index_in(_versions(pictures), value_set=_versions(others).combine_chunks())
    found: NDArray[np.int64] = pc.fill_null(rows, -1).to_numpy().astype(np.int64)
    return found


def _versions(table: pa.Table) -> pa.ChunkedArray:
    """What tells one version of a picture from all others."""
    return pc.binary_join_element_wise(table["uri"], table["etag"], "\x00")


def examine(listed: pa.Table, folder: Path, starts: Sequence[str], tell: Callable[[int, int], None]) -> None:
    """Examines the pictures that no file holds yet, in the Ray session that is there.

    Args:
        listed: columns uri and etag.
        folder: where the files are.
        tell: is given how many of how many pictures are done, now and then.
    """
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)  # its progress is told here

    done = known(folder, ["uri", "etag"])
    todo = listed.filter(pc.invert(pc.is_in(_versions(listed), value_set=pc.unique(_versions(done).combine_chunks()))))
    before, count = len(listed) - len(todo), len(listed)
    tell(before, count)
    if not len(todo):
        return
    folder.mkdir(parents=True, exist_ok=True)
    processes = max(1, min(int(ray.cluster_resources().get("CPU", 1)), -(-len(todo) // PART)))
    gpus = {"num_gpus": 1} if ray.cluster_resources().get("GPU") else {}
    todo = todo.select(["uri", "etag"])  # in blocks: a repartition would wait for a core, and the pool has them all
    pictures = ray.data.from_arrow([todo.slice(at, PART) for at in range(0, len(todo), PART)])
    answers = pictures.map_batches(
        Examine,
        fn_constructor_kwargs={"folder": str(folder), "starts": tuple(starts)},
        batch_size=PART,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=processes, max_tasks_in_flight_per_actor=2),
        num_cpus=1,
        **gpus,
    )
    for batch in answers.iter_batches(batch_size=None, batch_format="pyarrow"):
        before += sum(batch["done"].to_pylist())
        tell(before, count)
