"""The architectures of U²-Net as ONNX with random weights: as fast as the trained ones, and of no other use.

After Qin et al., U²-Net: Going Deeper with Nested U-Structure for Salient Object Detection (2020), arXiv:2005.09007:
`u2net` has 44.0 million parameters and `u2netp` 1.1 million. Batch norms are folded into the convolutions, as an export
for inference leaves them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 320  # of the square image that it takes
# of each stage on the way down and up again: levels (0: four at one size, dilated), channels in between and out
Stage = tuple[int, int, int]
STAGES: dict[str, tuple[list[Stage], list[Stage]]] = {
    "u2net": (
        [(7, 32, 64), (6, 32, 128), (5, 64, 256), (4, 128, 512), (0, 256, 512), (0, 256, 512)],
        [(0, 256, 512), (4, 128, 256), (5, 64, 128), (6, 32, 64), (7, 16, 64)],
    ),
    "u2netp": (
        [(levels, 16, 64) for levels in (7, 6, 5, 4, 0, 0)],
        [(levels, 16, 64) for levels in (0, 4, 5, 6, 7)],
    ),
}


class Graph:
    """An ONNX graph that grows; a tensor is its name, and `side` and `channels` know its shape."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.side, self.channels = {"image": SIDE}, {"image": 3}
        self._rng = np.random.default_rng(0)

    def add(self, kind: str, inputs: list[str], side: int, channels: int, **attributes: object) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        self.side[name], self.channels[name] = side, channels
        return name

    def weight(self, values: np.ndarray) -> str:
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def conv(self, x: str, out: int, dilation: int = 1, kernel: int = 3, relu: bool = True) -> str:
        shape = (out, self.channels[x], kernel, kernel)
        weights = self._rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)
        inputs = [x, self.weight(weights), self.weight(np.zeros(out, np.float32))]
        pads = [dilation * (kernel // 2)] * 4
        y = self.add("Conv", inputs, self.side[x], out, dilations=[dilation] * 2, pads=pads, kernel_shape=[kernel] * 2)
        return self.add("Relu", [y], self.side[x], out) if relu else y

    def half(self, x: str) -> str:
        side, channels = -(-self.side[x] // 2), self.channels[x]
        return self.add("MaxPool", [x], side, channels, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)

    def resized(self, x: str, side: int) -> str:
        if self.side[x] == side:
            return x
        sizes = self.weight(np.array([1, self.channels[x], side, side], np.int64))
        return self.add("Resize", [x, "", "", sizes], side, self.channels[x], mode="linear")

    def beside(self, *x: str) -> str:
        return self.add("Concat", list(x), self.side[x[0]], sum(self.channels[each] for each in x), axis=1)

    def stage(self, x: str, levels: int, middle: int, out: int) -> str:
        """A residual U-block of so many levels, or the one of four without pooling."""
        first = self.conv(x, out)
        dilations = [1, 2, 4, 8] if not levels else [1] * (levels - 1) + [2]
        down, y = [], first
        for number, dilation in enumerate(dilations):
            if levels and 0 < number < levels - 1:
                y = self.half(y)
            y = self.conv(y, middle, dilation)
            down.append(y)
        for number in reversed(range(len(down) - 1)):
            y = self.beside(self.resized(y, self.side[down[number]]), down[number])
            y = self.conv(y, middle if number else out, dilations[number])
        return self.add("Add", [y, first], self.side[y], out)


def write(name: str, path: Path) -> int:
    """Writes `u2net` or `u2netp` and returns how many parameters it has."""
    graph = Graph()
    sides, down, x = [], [], "image"
    for number, (levels, middle, out) in enumerate(STAGES[name][0]):
        x = graph.stage(graph.half(x) if number else x, levels, middle, out)
        down.append(x)
    sides.append(x)
    for (levels, middle, out), other in zip(STAGES[name][1], reversed(down[:-1]), strict=True):
        x = graph.stage(graph.beside(graph.resized(x, graph.side[other]), other), levels, middle, out)
        sides.append(x)
    maps = [graph.resized(graph.conv(each, 1, relu=False), SIDE) for each in reversed(sides)]
    maps.insert(0, graph.conv(graph.beside(*maps), 1, kernel=1, relu=False))
    outputs = [graph.add("Sigmoid", [each], SIDE, 1) for each in maps]
    made = helper.make_graph(
        graph.nodes,
        name,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(each, TensorProto.FLOAT, [1, 1, SIDE, SIDE]) for each in outputs],
        graph.weights,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return sum(int(np.prod(each.dims)) for each in graph.weights if each.data_type == TensorProto.FLOAT)
