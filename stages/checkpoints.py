"""Finding, checking and loading weights. Only safetensors are read: a pickle could run code."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file
from torch import nn

from . import downloads
from .errors import HairlineError

FOLDER = Path(__file__).parent / "weights"
EXPORT = "model.safetensors"  # in the folder of a classifier that `hairline autoclassify` has made
INDEX = FOLDER / "index.json"  # {file name: sha256} of the weights in the tree, written by training
M = TypeVar("M", bound=nn.Module)


def find(setting: str, builtin: str, sha256: str = "") -> Path:
    """The weight file that a setting names, its hash checked.

    Args:
        setting: `builtin`, a path, also of a folder with an `EXPORT` in it, or a URL, see downloads.py.
        builtin: the file name below `stages/weights/` that `builtin` stands for.
        sha256: the hash that the file must have, hex; empty: a file of the user's is not checked, one in the tree is
            checked against `stages/weights/index.json`. Behind a URL it is needed.

    Raises:
        HairlineError: the file is missing, or its hash is another one.
    """
    if downloads.is_url(setting):
        url, expected = downloads.named(setting, sha256)
        path = downloads.fetched(url, expected)
        return path if digest(path) == expected else downloads.fetched(url, expected, anew=True)
    path = FOLDER / builtin if setting == "builtin" else Path(setting).expanduser()
    path = path / EXPORT if path.is_dir() else path
    if not path.is_file():
        hint = "reinstall hairline-matting, or train it (see training/)" if setting == "builtin" else "check the path"
        raise HairlineError(f"weights not found: {path}: {hint}")
    expected = sha256 or (_index().get(builtin, "") if setting == "builtin" else "")
    if expected and (found := digest(path)) != expected.lower():
        raise HairlineError(
            f"weights {path} have sha256 {found[:12]}…, but {expected[:12]}… is expected: "
            "the file is damaged or another one; replace it or correct the sha256"
        )
    return path


def digest(path: Path, algorithm: str = "sha256") -> str:
    """A file's hash in hex; by default its SHA-256, 64 digits. Cached by path, size and time of change.

    Raises:
        OSError: the file cannot be read.
    """
    stat = path.stat()
    return _digest(str(path), algorithm, stat.st_size, stat.st_mtime_ns)


def load(module: M, path: Path) -> M:
    """The module with the weights of a safetensors file (fp16 on disk, fp32 in memory), in evaluation mode.

    The names of all parameters and buffers must be the same in both.

    Raises:
        HairlineError: the file is no safetensors, or belongs to another network.
    """
    try:
        tensors = load_file(path)
        own = {k: v.to(torch.float32 if v.is_floating_point() else v.dtype, copy=True) for k, v in tensors.items()}
        module.load_state_dict(own, assign=True)  # and not copied one by one, which takes four times as long
    except Exception as error:
        line = " ".join(str(error).split())[:300] or type(error).__name__
        raise HairlineError(f"weights {path} do not fit {type(module).__name__}: {line}") from error
    return module.eval()


def inference(module: M, device: torch.device) -> M:
    """The module made ready on a device, in place: channels last, in `precision(device)`, no gradients."""
    return module.to(device=device, dtype=precision(device), memory_format=torch.channels_last).requires_grad_(False)  # type: ignore[call-overload]


def precision(device: torch.device) -> torch.dtype:
    """In which precision networks run on a device: bf16 where the hardware multiplies it natively, else fp32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32


@lru_cache(maxsize=1)
def _index() -> dict[str, str]:
    return dict(json.loads(INDEX.read_text())) if INDEX.is_file() else {}


@lru_cache(maxsize=64)
def _digest(path: str, algorithm: str, size: int, mtime_ns: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def by_route(network: str, setting: str, routes: dict[str, str], sha256: str = "") -> dict[str, Path]:
    """The weight files of a network that has a set for each route: {route: path}, `general` always there.

    Args:
        setting: `builtin` or the path of the general weights.
        routes: {route: path} of weights for single routes; they win over those in the tree.
    """
    found = {"general": find(setting, f"{network}-general.safetensors", sha256)}
    if setting == "builtin":
        prefix = f"{network}-"
        for name in sorted(_index()):
            if name.startswith(prefix):
                found[name.removeprefix(prefix).removesuffix(".safetensors")] = find("builtin", name)
    found.update({route: find(path, "") for route, path in routes.items()})
    return found
