"""A segmentation model of the user's, from configuration alone: ONNX, TorchScript or an exported program.

The model sees one picture at a time, [1, 3, H, W], and answers with a map that holds the subject's alpha.
Not covered: models that need prompts, boxes or several inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator

from .. import checkpoints, models
from ..base import Settings
from ..downloads import FRAGMENT, suffix
from ..errors import HairlineError

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
Triple = tuple[float, float, float]
FORMATS = {".onnx": "onnx", ".pt": "torchscript", ".ts": "torchscript", ".pt2": "exported"}


class UserModelSettings(Settings):
    """Which model, and how its input is made and its output read."""

    name: str = Field(
        "", description="a public model by its name, see `hairline models list`; the keys below come with it"
    )
    accept_license: bool = Field(
        False, exclude=True, description="needed where the licence of a public model forbids commercial use"
    )
    path: str = Field("", description="or a file, a path or URL: .onnx, .pt or .ts (TorchScript), .pt2 (torch.export)")
    sha256: str = Field(
        "", description="hash that the file must have; a model is a program, so name it; needed behind a URL"
    )
    size: int | tuple[int, int] = Field(320, description="what the model takes, pixels: a side, or [height, width]")
    mean: Triple = Field((0.485, 0.456, 0.406), description="subtracted from RGB in 0..1")
    std: Triple = Field((0.229, 0.224, 0.225), description="then divided by")
    keep_aspect: bool = Field(False, description="true: letterbox into the size; false: stretch to it")
    output: int | str = Field(0, description="which output holds the alpha: its number, or its name (ONNX)")
    activation: Literal["none", "sigmoid", "softmax"] = Field("none", description="what is still to be applied")
    channel: int | None = Field(
        None, ge=0, description="channel of the output that is the subject's; needed where there are several"
    )
    normalise: Literal["none", "minmax"] = Field(
        "none",
        description="minmax stretches each answer to 0..1 as some reference codes do: an empty picture is then no "
        "longer empty",
    )
    threads: int = Field(1, ge=1, description="threads of the model; the pools share out the cores already")

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, given: Any) -> Any:
        """A name alone stands for the model; what is known of it holds unless something else is given."""
        given = {"name": given} if isinstance(given, str) else given
        if not (isinstance(given, dict) and given.get("name")):
            return given
        try:
            return {**models.known(str(given["name"])).model, **given}
        except HairlineError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _is_one(self) -> UserModelSettings:
        if bool(self.name) == bool(self.path):
            raise ValueError("give either the name of a public model or the path of a file")
        if self.name:
            try:
                models.check_licence(self.name, self.accept_license, "set accept_license: true beside its name")
            except HairlineError as error:
                raise ValueError(str(error)) from error
        return self

    @property
    def called(self) -> str:
        """What messages call it."""
        return self.name or self.path

    @property
    def kind(self) -> str:
        """What the ending says that it is. Raises HairlineError: of an unknown kind."""
        ending = suffix(models.known(self.name).file if self.name else self.path.partition(FRAGMENT)[0])
        if ending not in FORMATS:
            raise HairlineError(f"model {self.called}: unknown kind; the ending must be one of {', '.join(FORMATS)}")
        return FORMATS[ending]

    def file(self) -> Path:
        """Where it lies on this machine, its hash checked.

        Raises:
            HairlineError: the file is missing, of another hash or of an unknown kind.
        """
        _ = self.kind  # before anything is fetched
        return models.find(self.name) if self.name else checkpoints.find(self.path, "", self.sha256)

    def check(self) -> str:
        """The model's sha256. Raises HairlineError as `file` does."""
        return checkpoints.digest(self.file())


class UserModel:
    """The user's model, ready to be run once it is set up.

    Args:
        settings: which file, and how its input is made and its output read.
    """

    def __init__(self, settings: UserModelSettings) -> None:
        self.settings = settings
        self.size = (settings.size, settings.size) if isinstance(settings.size, int) else settings.size
        self._run: Callable[[F32], Any] | None = None

    def setup(self, device: torch.device) -> None:
        """Loads the model onto the device and runs it once.

        Raises:
            HairlineError: it cannot be loaded, or does not answer as the settings say.
        """
        kind, file = self.settings.kind, str(self.settings.file())
        try:
            self._run = self._onnx(file, device) if kind == "onnx" else self._torch(kind, file, device)
            self._probe()
        except HairlineError:
            raise
        except Exception as error:
            line = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise HairlineError(f"model {self.settings.called} does not run: {line[:300]}") from error

    def predict(self, rgb: U8) -> F32:
        """Alpha of a picture.

        Args:
            rgb: uint8 [h, w, 3].

        Returns:
            float32 [h', w'], 0..1, at the model's size, without the letterbox's margins.
        """
        assert self._run is not None, "setup first"
        square, (height, width) = self._resize(rgb)
        output = np.asarray(self._run(self._normalise(square)), np.float32)
        alpha = self._activate(output)
        rows = max(1, round(alpha.shape[0] * height / self.size[0]))
        columns = max(1, round(alpha.shape[1] * width / self.size[1]))
        alpha = alpha[:rows, :columns]
        if self.settings.normalise == "minmax":
            alpha = (alpha - alpha.min()) / max(float(alpha.max() - alpha.min()), 1e-6)
        return np.clip(np.nan_to_num(alpha), 0, 1).astype(np.float32)

    def _probe(self) -> None:
        """Runs the model once on noise: all that can be wrong with shapes, names and activation shows there."""
        assert self._run is not None
        noise = np.random.default_rng(0).integers(0, 256, (*self.size, 3), np.uint8)
        output = self._activate(np.asarray(self._run(self._normalise(noise)), np.float32))
        low, high = float(output.min()), float(output.max())
        if self.settings.normalise == "none" and (low < -0.05 or high > 1.05):
            raise HairlineError(
                f"model {self.settings.called}: answers {low:.3g} to {high:.3g} where 0 to 1 is expected; "
                "set activation to sigmoid or softmax, or another output"
            )

    def _normalise(self, square: U8) -> F32:
        mean, std = (np.array(x, np.float32) for x in (self.settings.mean, self.settings.std))
        normal = (square.astype(np.float32) / 255 - mean) / std
        return np.ascontiguousarray(normal.transpose(2, 0, 1)[None])

    def _resize(self, rgb: U8) -> tuple[U8, tuple[int, int]]:
        """The picture at the model's size, and how much of it (height, width) the picture fills."""
        height, width = self.size
        if self.settings.keep_aspect:
            scale = min(height / rgb.shape[0], width / rgb.shape[1])
            height, width = max(1, round(rgb.shape[0] * scale)), max(1, round(rgb.shape[1] * scale))
        shrinks = height < rgb.shape[0] and width < rgb.shape[1]
        small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        if (height, width) == self.size:
            return small.astype(np.uint8, copy=False), self.size
        square = np.empty((*self.size, 3), np.uint8)
        square[:] = np.clip(np.rint(np.array(self.settings.mean) * 255), 0, 255)  # about 0 to the model
        square[:height, :width] = small
        return square, (height, width)

    def _activate(self, output: F32) -> F32:
        """The answer [1, C, h, w], [C, h, w] or [h, w] as one map, float32 [h, w]."""
        maps = output.reshape(-1, *output.shape[-2:]) if output.ndim >= 2 else output
        channel = self.settings.channel
        if channel is None and maps.ndim == 3 and len(maps) == 1:
            channel = 0
        if maps.ndim != 3 or channel is None or channel >= len(maps):
            wish = "no channel was named; set channel" if channel is None else f"there is no channel {channel}"
            raise HairlineError(
                f"model {self.settings.called}: output {self.settings.output} has the shape {list(output.shape)}, and "
                f"{wish}, or another output"
            )
        if maps.shape[1] * self.size[1] != maps.shape[2] * self.size[0]:
            raise HairlineError(
                f"model {self.settings.called}: output {self.settings.output} has the shape {list(output.shape)}; "
                f"a map [1, channels, height, width] in the proportions of {list(self.size)} is expected"
            )
        if self.settings.activation == "softmax":
            raised = np.exp(maps - maps.max(0))
            maps = raised / raised.sum(0)
        one: F32 = maps[channel]
        if self.settings.activation == "sigmoid":
            one = (1 / (1 + np.exp(-np.clip(one, -60, 60)))).astype(np.float32)
        return one

    def _onnx(self, file: str, device: torch.device) -> Callable[[F32], Any]:
        try:
            import onnxruntime
        except ImportError as error:
            raise HairlineError("ONNX models need onnxruntime; run: pip install 'hairline-matting[onnx]'") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = self.settings.threads
        options.log_severity_level = 3
        providers = ["CUDAExecutionProvider"] if device.type == "cuda" else []
        available = [p for p in providers if p in onnxruntime.get_available_providers()]
        session = onnxruntime.InferenceSession(file, options, [*available, "CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        name = self.settings.output
        if isinstance(name, int):
            name = names[name] if name < len(names) else str(name)
        if name not in names:
            raise HairlineError(f"model {self.settings.called}: no output {name}; it has {', '.join(names)}")
        model_input = session.get_inputs()[0]
        dtype = np.float16 if model_input.type == "tensor(float16)" else np.float32
        return lambda x: session.run([name], {model_input.name: x.astype(dtype, copy=False)})[0]

    def _torch(self, kind: str, file: str, device: torch.device) -> Callable[[F32], Any]:
        if kind == "exported":
            module = torch.export.load(file).module().to(device)
        else:
            module = torch.jit.load(file, map_location=device).eval()  # type: ignore[no-untyped-call]
        name: Any = self.settings.output

        @torch.inference_mode()
        def run(x: F32) -> Any:
            found = module(torch.from_numpy(x).to(device))
            if isinstance(found, (tuple, list, dict)):
                try:
                    found = found[name]
                except (KeyError, IndexError, TypeError) as error:
                    raise HairlineError(f"model {self.settings.called}: no output {name}") from error
            return found.float().cpu().numpy()

        return run
