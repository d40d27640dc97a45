"""One picture on its way through the stages: what is known of it so far, and how it ended."""

from __future__ import annotations

import traceback
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from .errors import PictureError
from .imaging.png import encode_png
from .limits import DEFAULT_LIMITS, Limits
from .request import RequestSpec
from .verdicts import Check, Verdict

if TYPE_CHECKING:
    from .decode.picture import Picture
    from .state import State

Status = Literal["pending", "ok", "filtered", "failed"]
U8 = NDArray[np.uint8]
Rect = tuple[int, int, int, int]  # x0, y0, x1, y1: whole pixels of the upright picture, x1 and y1 exclusive


@dataclass
class Box:
    """A detection. Corners in pixels of the upright picture (EXIF orientation applied), x1 and y1 exclusive."""

    x0: float
    y0: float
    x1: float
    y1: float
    label: Annotated[str, Field(description="subject, text or logo")]
    score: Annotated[float, Field(description="0 to 1")]


@dataclass
class CoarseCrop:
    """What the coarse stage found in one crop of the picture.

    Attributes:
        box: the crop.
        alpha: uint8 [h, w], 0..255, coarse alpha at the size of the network's output.
        uncertainty: uint8 [h, w], 0..255, expected absolute error of `alpha`, on the same scale.
    """

    box: Rect
    alpha: U8
    uncertainty: U8


@dataclass
class Subject:
    """One of several subjects. alpha: uint8 [y1 - y0, x1 - x0], 0..255, of its box alone, at full size."""

    box: Rect
    alpha: U8


@dataclass
class Output:
    """One finished product: the encoded file, its ending (without the dot), and what its product says of it.

    `checks` are what cannot be told from the file alone: measured when it was made, for its verdict.
    """

    data: bytes
    ext: str
    facts: dict[str, int] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)


@dataclass(kw_only=True)
class Facts:
    """What is known of a picture in the end, stated once: each field is a column of a run's results, and stands in the
    service's answers and in their description."""

    status: Annotated[Status, Field(description="how the picture ended")] = "pending"
    reason: Annotated[str, Field(description="a short code; empty if ok")] = ""
    stage: Annotated[str, Field(description="the stage that ended it; empty if ok")] = ""
    detail: Annotated[str, Field(description="what exactly, for a person")] = ""
    width: Annotated[int, Field(description="of the upright picture, pixels")] = 0
    height: Annotated[int, Field(description="of the upright picture, pixels")] = 0
    quality: Annotated[
        dict[str, float], Field(description="the signals that the filter stage judges by, by their names")
    ] = field(default_factory=dict)
    category: Annotated[str, Field(description="what the subject is")] = ""
    category_score: Annotated[float, Field(description="its probability, 0 to 1")] = 0.0
    boxes: Annotated[list[Box], Field(description="subjects, text and logos")] = field(default_factory=list)
    route: Annotated[str, Field(description="the matting weights that it was cut out with")] = "general"
    confidence: Annotated[float | None, Field(description="of the alpha, 0 to 1; null where there is none")] = None
    verdicts: Annotated[list[Verdict], Field(description="whether products keep the rules of their presets")] = field(
        default_factory=list
    )
    seconds: Annotated[dict[str, float], Field(description="by stage")] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """The facts as plain data, {field: value}; boxes and verdicts as dicts."""
        found = {each.name: getattr(self, each.name) for each in fields(Facts)}
        verdicts = [asdict(verdict) for verdict in self.verdicts]
        return found | {"boxes": [asdict(box) for box in self.boxes], "verdicts": verdicts}


@dataclass
class Item(Facts):
    """One picture: where it came from, the facts found so far and its status.

    `picture` is the decoded picture; it never leaves the process. `alpha` crosses processes as PNG, so that
    between pools only encoded bytes and small arrays travel. What is found of it are its `Facts`.

    Attributes:
        id: names its products; the path below the input, or the manifest's id.
        uri: where it was read from.
        data: the file's bytes; empty once the picture has ended.
        etag: tells another version of the file.
        category_hint: the category that a manifest or a request names, or empty.
        columns: values of the manifest's other columns, those that products ask for.
        crops: what the coarse stage found, crop by crop.
        alpha: uint8 [H, W], 0..255, of the upright picture, or None until the fine stage.
        subjects: single subjects, where there are several.
        outputs: {product: file}.
        attempts: how often a process began on it.
        limits: what is refused before it is decoded.
        request: what one request wants otherwise than the settings say, or None.
        dropped: whether nobody waits for it any more; the stages leave it alone.
        done: stages whose facts an earlier run has found; they leave it alone.
        states: what is kept of it for later runs: stage -> what was known before it.
    """

    id: str
    uri: str
    data: bytes = b""
    etag: str = ""
    category_hint: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    crops: list[CoarseCrop] = field(default_factory=list)
    alpha: U8 | None = None
    subjects: list[Subject] = field(default_factory=list)
    outputs: dict[str, Output] = field(default_factory=dict)
    attempts: int = 0
    limits: Limits = DEFAULT_LIMITS
    request: RequestSpec | None = None
    dropped: bool = False
    done: frozenset[str] = frozenset()
    states: dict[str, State] = field(default_factory=dict)
    _picture: Picture | None = field(default=None, repr=False, compare=False)

    @property
    def picture(self) -> Picture:
        """The picture, or the region of it that a request names; decoded when first needed and only to the size
        asked for.

        Raises:
            PictureError: the bytes are no picture, or one that the limits refuse.
        """
        if self._picture is None:
            self._picture = self.whole()
            if self.request and self.request.region:
                from .region import part

                self._picture = part(self._picture, self.request.region, self.limits)
            self.width, self.height = self._picture.width, self._picture.height
        return self._picture

    def whole(self) -> Picture:
        """The whole picture, whatever a request names. Raises PictureError as `picture`."""
        from .decode.picture import Picture

        return Picture(self.data, self.limits)

    def forget_pixels(self) -> None:
        """Drops the decoded picture; it is decoded again when it is needed again."""
        self._picture = None

    @property
    def ended(self) -> bool:
        """Whether stages leave the picture alone: it is `ok`, `filtered` or `failed`, or it was dropped."""
        return self.status != "pending" or self.dropped

    def filter(self, stage: str, reason: str, detail: str = "") -> None:
        """A judgement about the picture: it is read and understood, but not worth cutting out."""
        self._end("filtered", stage, reason, detail)

    def fail(self, stage: str, error: Exception) -> None:
        """Something broke. A `PictureError` brings its reason; anything else is `internal_error`."""
        if isinstance(error, PictureError):
            self._end("failed", stage, error.reason, error.detail)
        else:
            self._end("failed", stage, "internal_error", f"{type(error).__name__}: {error}"[:500] + _origin(error))

    def finish(self) -> None:
        """Marks a picture that went through all stages."""
        if not self.ended:
            self.status = "ok"

    def release(self) -> None:
        """Drops what is no longer needed once the products are made."""
        self.data, self._picture, self.alpha, self.request = b"", None, None, None
        self.subjects, self.crops, self.states = [], [], {}

    def _end(self, status: Status, stage: str, reason: str, detail: str) -> None:
        self.status, self.stage, self.reason, self.detail = status, stage, reason, detail
        self.outputs, self.verdicts = {}, []
        self.release()

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__, _picture=None)
        state["alpha"] = encode_alpha(self.alpha) if self.alpha is not None else None
        state["subjects"] = [(s.box, encode_alpha(s.alpha)) for s in self.subjects]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.alpha = decode_alpha(state["alpha"]) if state["alpha"] is not None else None
        self.subjects = [Subject(box, decode_alpha(data)) for box, data in state["subjects"]]


def _origin(error: Exception) -> str:
    """The innermost line of this package that an error came through, as ` (fine.py:88)`."""
    here = str(Path(__file__).resolve().parent)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if str(Path(f.filename).resolve()).startswith(here)]
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def encode_alpha(alpha: U8) -> bytes:
    """uint8 [H, W] as a PNG, lossless and fast."""
    return encode_png(alpha)


def decode_alpha(png: bytes) -> U8:
    """The uint8 [H, W] that `encode_alpha` packed. Raises ValueError: these bytes are none."""
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError("no PNG")
    return image.astype(np.uint8, copy=False)
