"""Networks compiled for the processor by OpenVINO, where it is installed: two to four times as fast as torch there.

A network is recorded, see `recorded`, and compiled when an image of a new shape comes; what was compiled is kept
beside downloaded weights, which makes the next start a second shorter. It computes in the precision that torch would
take, see `checkpoints.precision`, every image by itself and in one thread, so that an answer depends neither on what
shares its batch nor on how many cores there are. With several threads, several images are on their way.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .. import checkpoints, downloads

M = TypeVar("M", bound=nn.Module)
Function = Callable[[Tensor], Tensor]
Shape = tuple[int, ...]
ENGINE = "HAIRLINE_ENGINE"  # `torch` in this variable of the environment: nothing is compiled
KEPT = 32  # compiled networks in the cache, some ten megabytes each
_frozen: WeakKeyDictionary[nn.Module, Compiled] = WeakKeyDictionary()
_log = logging.getLogger(__name__)


@dataclass
class Compiled:
    """What is known of a network that is ready.

    Attributes:
        parts: of it, that run in the precision of the device; empty: all of it.
        requests: for each of its methods and each shape of image.
    """

    parts: tuple[nn.Module, ...]
    requests: dict[tuple[str, Shape], list[Any]] = field(default_factory=dict)


def ready(module: M, device: torch.device, *parts: nn.Module) -> M:
    """The network ready for inference on the device, in place; its weights must not change any more.

    Args:
        parts: those of its modules that run on the device in its precision; the others stay in float32 on the CPU. All
            where none are given.
    """
    if device.type == "cpu" and engine() != "torch":
        _frozen[module] = Compiled(parts)
    else:
        _for_torch(module, device, parts)
    return module.eval().requires_grad_(False)


def _for_torch(module: nn.Module, device: torch.device, parts: tuple[nn.Module, ...]) -> None:
    for part in parts or (module,):
        checkpoints.inference(part, device)


@lru_cache(maxsize=1)
def engine() -> str:
    """What computes networks on this machine's CPU: `torch`, or `openvino` with its version. Bytes depend on it."""
    if os.environ.get(ENGINE) == "torch":
        return "torch"
    try:
        return f"openvino {metadata.version('openvino')}"
    except metadata.PackageNotFoundError:
        return "torch"


def forward(function: Function, images: NDArray[np.uint8]) -> Tensor | None:
    """What a network that is `ready`, or a method of it, answers to images; None where it is not compiled.

    A network that OpenVINO cannot take, because it has an operation that `recorded` does not know or because OpenVINO
    does not load, is torch's from then on, and the log says so.

    Args:
        function: takes float32 [1, C, H, W], 0..1.
        images: uint8 [N, H, W, C].

    Returns:
        float32 [N, ...].
    """
    module = getattr(function, "__self__", function)
    if not isinstance(module, nn.Module) or (known := _frozen.get(module)) is None:
        return None
    key = getattr(function, "__name__", "forward"), images.shape[1:]
    if key not in known.requests:
        try:
            known.requests[key] = _requests(_compiled(module, *key))
        except (NotImplementedError, ImportError) as error:
            _log.warning("%s is computed by torch: %s", type(module).__name__, error)
            del _frozen[module]
            _for_torch(module, torch.device("cpu"), known.parts)
            return None
    return torch.from_numpy(_run(known.requests[key], images))


def _run(requests: list[Any], images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The answers to images, as many at a time as there are requests."""
    found: list[Any] = [None] * len(images)
    for start in range(0, len(images), len(requests)):
        part = list(zip(requests, range(start, len(images)), strict=False))
        for request, at in part:
            scaled = images[at][None].astype(np.float32) / np.float32(255)  # in bf16 a factor of 1 / 255 is .2 % wrong
            request.start_async([scaled], share_inputs=True)
        for request, at in part:
            request.wait()
            found[at] = request.get_output_tensor().data.copy()
    return np.concatenate(found)


def _requests(model: Any) -> list[Any]:
    return [model.create_infer_request() for _ in range(torch.get_num_threads())]


def _compiled(module: nn.Module, name: str, shape: Shape) -> Any:
    """The compiled network, from the cache where it is there."""
    threads = torch.get_num_threads()
    exact = checkpoints.precision(torch.device("cpu")) == torch.float32
    options = {
        "INFERENCE_PRECISION_HINT": "f32" if exact else "bf16",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": threads,
        "ENABLE_CPU_PINNING": False,  # the processes of a machine would all take the same core
    }
    file = f"{_digest(module, name, shape, options)}.blob"
    with suppress(Exception):  # not there, or damaged
        return _core().import_model(io.BytesIO((_folder() / file).read_bytes()), "CPU", options)
    from .recorded import record

    model = _core().compile_model(record(getattr(module, name), shape), "CPU", options)
    with suppress(OSError, RuntimeError):  # there is nowhere to keep it, no home even
        _keep(_folder() / file, model.export_model())
    return model


def _folder() -> Path:
    return downloads.folder() / "compiled"


def _keep(path: Path, data: Any) -> None:
    """Writes a file whole or not at all, and removes the oldest beside it: training makes ever new weights."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_bytes(data.getvalue() if isinstance(data, io.BytesIO) else data)
    part.replace(path)
    kept = sorted(path.parent.glob("*.blob"), key=lambda each: each.stat().st_mtime)
    for old in kept[:-KEPT]:
        old.unlink(missing_ok=True)


def _digest(module: nn.Module, name: str, shape: Shape, options: dict[str, Any]) -> str:
    """Of all that a compiled network depends on: weights, code, options, OpenVINO and the processor."""
    found = hashlib.sha256(_code() + repr((type(module).__qualname__, name, shape, sorted(options.items()))).encode())
    found.update(f"{engine()} {_core().get_property('CPU', 'FULL_DEVICE_NAME')} {torch.__version__}".encode())
    for key, tensor in module.state_dict().items():
        found.update(key.encode() + tensor.contiguous().numpy().tobytes())
    return found.hexdigest()[:32]


@lru_cache(maxsize=1)
def _code() -> bytes:
    """A hash of the code that networks are made of."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()


@lru_cache(maxsize=1)
def _core() -> Any:
    from .openvino_api import ov

    return ov.Core()
