"""Networks that OpenVINO has compiled answer as torch does, and the same whatever else is going on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hairline.stages import checkpoints
from hairline.stages.networks import compiled
from hairline.stages.networks.batch import forward_images
from hairline.stages.networks.blocks import ConvBN, fold_bn
from hairline.stages.registry import stage_class

pytest.importorskip("openvino")
CPU = torch.device("cpu")
# stage -> role, method, side, channels
NETWORKS = {
    "filter": ("quality", "pool", 256, 3),
    "classify": ("classify", "forward", 224, 3),
    "detect": ("detect", "forward", 384, 3),
    "coarse": ("general", "forward", 224, 3),
    "fine": ("general", "maps", 256, 5),
}


@pytest.fixture(scope="module", autouse=True)
def openvino() -> Iterator[None]:
    """All tests here have the engine that is chosen where OpenVINO is installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(compiled.ENGINE, raising=False)
        compiled.engine.cache_clear()
        yield
    compiled.engine.cache_clear()


class Small(nn.Module):
    """A network with nothing special, of which a test may have its own."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvBN(3, 16), ConvBN(16, 16, stride=2), nn.Conv2d(16, 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)

    def sorted(self, x: Tensor) -> Tensor:
        return x.sort().values


def small() -> Small:
    torch.manual_seed(0)
    return compiled.ready(fold_bn(Small().eval()), CPU)  # type: ignore[return-value]


def pictures(count: int, side: int = 64, channels: int = 3) -> np.ndarray:
    """Blobs: what networks see of noise is no measure."""
    rng = np.random.default_rng(1)
    coarse = torch.from_numpy(rng.random((count, channels, 8, 8), np.float32))
    smooth = nn.functional.interpolate(coarse, (side, side), mode="bilinear")
    return (smooth.permute(0, 2, 3, 1).numpy() * 255).astype(np.uint8)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_about_as_near_to_float32_as_torch_is(name: str) -> None:
    role, method, side, channels = NETWORKS[name]
    stage = stage_class(name)(stage_class(name).Settings())
    stage.setup(CPU)
    network = stage.networks[role]  # type: ignore[attr-defined]
    function: Callable[[Tensor], Tensor] = network if method == "forward" else getattr(network, method)
    images = pictures(1, side, channels)
    found = forward_images(function, images, CPU)
    torchs = checkpoints.inference(copy.deepcopy(network), CPU)
    rounded = forward_images(torchs if method == "forward" else getattr(torchs, method), images, CPU)
    with torch.inference_mode():
        exact = function(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)
    assert found.shape == exact.shape and found.dtype == torch.float32
    error, usual = ((answer - exact).abs().mean() for answer in (found, rounded))
    assert error <= 2 * usual + 1e-4 * exact.std()  # it rounds in other places: on one image less, on another more


def test_an_answer_depends_neither_on_its_batch_nor_on_threads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HAIRLINE_CACHE", str(tmp_path))
    images, found = pictures(5), []
    for threads in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        network = small()
        found += [forward_images(network, images, CPU)]
        found += [torch.cat([forward_images(network, images[k : k + 1], CPU) for k in range(5)])]
    assert all(torch.equal(found[0], other) for other in found[1:])


def test_what_was_compiled_is_kept_and_used_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HAIRLINE_CACHE", str(tmp_path))
    images = pictures(1)
    first = forward_images(small(), images, CPU)
    (kept,) = (tmp_path / "compiled").iterdir()
    with monkeypatch.context() as patch:
        patch.setattr("hairline.stages.networks.recorded.record", lambda *_: pytest.fail("compiled again"))
        assert torch.equal(forward_images(small(), images, CPU), first)
    kept.write_bytes(b"damaged")
    assert torch.equal(forward_images(small(), images, CPU), first)
    changed = small()
    changed.body[2].bias.data += 1.0  # other weights have another file
    assert not torch.equal(forward_images(changed, images, CPU), first)
    monkeypatch.setenv("HAIRLINE_CACHE", "/dev/null/nowhere")
    assert torch.equal(forward_images(small(), images, CPU), first)


def test_torch_computes_where_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        compiled.engine.cache_clear()
        patch.setenv(compiled.ENGINE, "torch")
        assert compiled.engine() == "torch"
        network = small()
        assert compiled.forward(network, pictures(1)) is None
        assert forward_images(network, pictures(2), CPU).shape == (2, 2, 32, 32)
    compiled.engine.cache_clear()
    assert compiled.engine().startswith("openvino ")


def test_a_network_that_may_change_is_not_compiled() -> None:
    network = fold_bn(copy.deepcopy(Small()).eval())
    assert compiled.forward(network, pictures(1)) is None  # type: ignore[arg-type]


def test_torch_computes_what_has_an_unknown_operation(caplog: pytest.LogCaptureFixture) -> None:
    network = small()
    found = forward_images(network.sorted, pictures(2), CPU)
    assert "Small is computed by torch: no node of OpenVINO for aten.sort" in caplog.text
    assert next(network.parameters()).dtype == checkpoints.precision(CPU)
    assert compiled.forward(network, pictures(1)) is None  # all of it is torch's now, in torch's precision
    assert torch.equal(forward_images(network.sorted, pictures(2), CPU), found)
