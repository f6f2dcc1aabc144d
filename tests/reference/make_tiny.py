#!/usr/bin/env python3
"""Makes tests/goldens/detect/tiny_yolox.onnx: a YOLOX-like network of one convolution that boxes bright cells.

    env/bin/pip install onnx numpy && env/bin/python tests/reference/make_tiny.py tests/goldens/detect

Input 1x3x32x32, BGR 0-255; one stride of 8, two labels: 16 rows of x, y, w, h, objectness, red, blue. Objectness is
sigmoid((mean of the cell - 127.5) / 10); x = y = 0.5, w = h = log 1; red and blue compare the channels.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

weight = np.zeros((7, 3, 8, 8), np.float32)
bias = np.zeros(7, np.float32)
bias[:2] = 0.5
weight[4] = 1 / (3 * 64 * 10)
bias[4] = -12.75
for channel, (plus, minus) in {5: (2, 0), 6: (0, 2)}.items():
    weight[channel, plus] = 1 / (64 * 10)
    weight[channel, minus] = -1 / (64 * 10)

nodes = [
    helper.make_node("Conv", ["in", "weight", "bias"], ["map"], kernel_shape=[8, 8], strides=[8, 8]),
    helper.make_node("Split", ["map", "parts"], ["boxes", "scores"], axis=1),
    helper.make_node("Sigmoid", ["scores"], ["certain"]),
    helper.make_node("Concat", ["boxes", "certain"], ["both"], axis=1),
    helper.make_node("Reshape", ["both", "rows"], ["flat"]),
    helper.make_node("Transpose", ["flat"], ["out"], perm=[0, 2, 1]),
]
constants = {
    "weight": weight,
    "bias": bias,
    "parts": np.array([4, 3], np.int64),
    "rows": np.array([1, 7, 16], np.int64),
}
graph = helper.make_graph(
    nodes,
    "tiny",
    [helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, 3, 32, 32])],
    [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 16, 7])],
    [numpy_helper.from_array(value, name) for name, value in constants.items()],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
onnx.checker.check_model(model)
onnx.save(model, Path(sys.argv[1]) / "tiny_yolox.onnx")
