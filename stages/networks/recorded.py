"""What a network of torch computes, recorded operation by operation as a graph of OpenVINO's.

The network runs once under a dispatch mode of torch that sees every operation. So whatever a network's code looks like,
what it does with an input of one shape is what is recorded. An operation that is missing in `_NODES` raises
NotImplementedError.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from .openvino_api import op, ov

aten = torch.ops.aten
Node: TypeAlias = Any  # of OpenVINO: a node with one output


def record(function: Callable[[Tensor], Tensor], shape: Sequence[int]) -> ov.Model:
    """The graph of a function of pictures.

    Args:
        function: takes float32 [1, C, H, W], 0..1, on the CPU, and gives one tensor.
        shape: (H, W, C).

    Returns:
        A model that takes float32 [1, H, W, C], 0..1, and gives float32 of the function's shape.
    """
    height, width, channels = shape
    given = op.parameter([1, height, width, channels], np.float32)
    recorder = _Recorder()
    sample = torch.zeros(1, channels, height, width)
    recorder.note(sample, op.transpose(given, np.array([0, 3, 1, 2])))
    with torch.inference_mode(False), torch.no_grad(), recorder:  # in inference mode other operations are seen
        found = function(sample)
    return ov.Model([recorder.node(found)], [given])


class _Recorder(TorchDispatchMode):
    """Follows tensors by identity: each that it has not made itself is a constant, such as a weight."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._nodes: dict[int, Node] = {}
        self._kept: list[Tensor] = []  # else another tensor could get the identity of one that is gone

    def note(self, tensor: Tensor, node: Node) -> None:
        self._nodes[id(tensor)] = node
        self._kept.append(tensor)

    def node(self, value: Any) -> Node:
        """The node of a tensor or a number."""
        if not isinstance(value, Tensor):
            return op.constant(np.float32(value))
        if id(value) not in self._nodes:
            self.note(value, op.constant(value.detach().float().numpy()))
        return self._nodes[id(value)]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func not in _NODES:
            raise NotImplementedError(f"no node of OpenVINO for {func}")
        kwargs = kwargs or {}
        whole = func(*args, **kwargs)
        found = whole[0] if isinstance(whole, tuple) else whole  # a pool's places are not asked for
        self.note(found, _NODES[func](self.node, tuple(found.shape), *args, **kwargs))
        return whole


def _convolution(
    node: Any, shape: Any, x: Any, weight: Any, bias: Any, stride: Any, pad: Any, dilation: Any, *more: Any
) -> Node:
    groups, kernel = more[-1], node(weight)
    if groups > 1:
        outputs, inputs, *size = weight.shape
        kernel = op.constant(weight.detach().float().numpy().reshape(groups, outputs // groups, inputs, *size))
    make = op.group_convolution if groups > 1 else op.convolution
    found = make(node(x), kernel, list(stride), list(pad), list(pad), list(dilation))
    return found if bias is None else op.add(found, op.reshape(node(bias), np.array([1, -1, 1, 1]), False))


def _resized(mode: str) -> Callable[..., Node]:
    def resize(node: Any, shape: Any, x: Any, *_: Any, **__: Any) -> Node:
        half = "half_pixel" if mode == "linear_onnx" else "asymmetric"
        return op.interpolate(
            node(x),
            np.array(shape[2:], np.int64),
            mode,
            "sizes",
            coordinate_transformation_mode=half,
            nearest_mode="floor",
            axes=np.array([2, 3]),
        )

    return resize


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _average(
    node: Any, shape: Any, x: Any, kernel: Any, stride: Any = (), pad: Any = 0, ceil: bool = False, *_: Any
) -> Node:
    kernel = _pair(kernel)
    return op.avg_pool(
        node(x), _pair(stride or kernel), _pair(pad), _pair(pad), kernel, True, "ceil" if ceil else "floor"
    )


def _largest(node: Any, shape: Any, x: Any, kernel: Any, stride: Any = (), pad: Any = 0, *_: Any) -> Node:
    kernel = _pair(kernel)
    found = op.max_pool(node(x), _pair(stride or kernel), [1, 1], _pair(pad), _pair(pad), kernel)
    return found.output(0)


def _reduced(make: Callable[..., Node]) -> Callable[..., Node]:
    return lambda node, shape, x, axes, keep=False, **_: make(node(x), np.array(axes, np.int64), keep)


def _two(make: Callable[..., Node]) -> Callable[..., Node]:
    return lambda node, shape, a, b: make(node(a), node(b))


def _reshaped(node: Any, shape: Any, x: Any, *_: Any, **__: Any) -> Node:
    return op.reshape(node(x), np.array(shape, np.int64), False)


def _same(node: Any, shape: Any, x: Any, *_: Any, **__: Any) -> Node:
    return node(x)


def _part(node: Any, shape: Any, x: Any, axis: int = 0, start: int = 0, end: int = 1 << 60, step: int = 1) -> Node:
    return op.slice(node(x), *(np.array([v], np.int64) for v in (start, min(end, x.shape[axis]), step, axis)))


def _padded(node: Any, shape: Any, x: Any, pads: Any, value: float = 0.0) -> Node:
    pairs = list(zip(pads[::2], pads[1::2], strict=True))[::-1]  # torch names the last axis first
    pairs = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    before, after = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    return op.pad(node(x), before, after, "constant", op.constant(np.float32(value)))


_NODES: dict[Any, Callable[..., Node]] = {
    aten.convolution.default: _convolution,
    aten.relu.default: lambda node, shape, x: op.relu(node(x)),
    aten.relu_.default: lambda node, shape, x: op.relu(node(x)),
    aten.hardtanh_.default: lambda node, shape, x, low=-1.0, high=1.0: op.clamp(node(x), low, high),
    aten.sigmoid.default: lambda node, shape, x: op.sigmoid(node(x)),
    aten.add.Tensor: _two(op.add),
    aten.sub.Tensor: _two(op.subtract),
    aten.mul.Tensor: _two(op.multiply),
    aten.div.Tensor: _two(op.divide),
    aten.rsub.Scalar: lambda node, shape, x, number: op.subtract(node(number), node(x)),
    aten.addmm.default: lambda node, shape, bias, x, weight: op.add(
        op.matmul(node(x), node(weight), False, False), node(bias)
    ),
    aten.cat.default: lambda node, shape, parts, axis=0: op.concat([node(each) for each in parts], axis),
    aten.upsample_bilinear2d.default: _resized("linear_onnx"),
    aten.upsample_bilinear2d.vec: _resized("linear_onnx"),
    aten.upsample_nearest2d.default: _resized("nearest"),
    aten.upsample_nearest2d.vec: _resized("nearest"),
    aten.avg_pool2d.default: _average,
    aten._adaptive_avg_pool2d.default: lambda node, shape, x, size: op.adaptive_avg_pool(
        node(x), np.array(shape[2:], np.int64)
    ),
    aten.max_pool2d_with_indices.default: _largest,
    aten.mean.dim: _reduced(op.reduce_mean),
    aten.amax.default: _reduced(op.reduce_max),
    aten.pixel_unshuffle.default: lambda node, shape, x, block: op.space_to_depth(node(x), "depth_first", block),
    aten.pixel_shuffle.default: lambda node, shape, x, block: op.depth_to_space(node(x), "depth_first", block),
    aten.permute.default: lambda node, shape, x, axes: op.transpose(node(x), np.array(axes)),
    aten.t.default: lambda node, shape, x: op.transpose(node(x), np.array([1, 0])),
    aten.view.default: _reshaped,
    aten._unsafe_view.default: _reshaped,
    aten.clone.default: _same,
    aten.detach.default: _same,
    aten._to_copy.default: _same,
    aten.slice.Tensor: _part,
    aten.constant_pad_nd.default: _padded,
}
