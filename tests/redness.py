"""A small network that calls red the subject, as ONNX: a teacher, or a model of a user's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SIDE = 64  # of what the small model takes, pixels


def save_onnx(path: Path, side: int = SIDE, bias: float = -6.0, outputs: tuple[str, ...] = ("alpha",)) -> None:
    """A network as ONNX, 1x3xSxS to 1x1xSxS after a sigmoid, that calls red the subject.

    Args:
        outputs: their names, that of alpha first; one called `logits` is what alpha is made of.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = np.array([20, -20, 0], np.float32).reshape(1, 3, 1, 1)
    nodes = [
        helper.make_node("Conv", ["input", "weight", "bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], [outputs[0]]),
    ]
    graph = helper.make_graph(
        nodes,
        "redness",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, side, side]) for name in outputs],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(np.array([bias], np.float32), "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, str(path))


def redness(path: Path, bias: float = -6.0) -> str:
    """Such a network at 64 pixels, and the .yaml that describes it."""
    save_onnx(path, bias=bias)
    described = path.with_suffix(".yaml")
    described.write_text(f"path: {path.name}\nsize: {SIDE}\nmean: [0, 0, 0]\nstd: [1, 1, 1]\n")
    return str(described)
