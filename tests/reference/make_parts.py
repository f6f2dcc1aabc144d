#!/usr/bin/env python3
"""Makes tests/goldens/detect/all_parts.onnx: a network of everything that the box's kernels know, with random weights.

    env/bin/pip install onnx numpy && env/bin/python tests/reference/make_parts.py tests/goldens/detect

Input 1x3x64x96; output as FastestDet has it, stride 16, two labels. Nothing in it depends on the input's size.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

random = np.random.default_rng(7)
nodes, constants = [], {}


def constant(value):
    name = f"c{len(constants)}"
    constants[name] = value
    return name


def node(kind, *inputs, **attributes):
    name = f"{kind.lower()}{len(nodes)}"
    nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
    return name


def convolution(x, inputs, outputs, side=3, stride=1, group=1):
    fan_in = inputs // group * side * side
    weight = random.standard_normal((outputs, inputs // group, side, side)) * (2 / fan_in) ** 0.5
    bias = random.standard_normal(outputs) * 0.1
    return node(
        "Conv", x, constant(weight.astype(np.float32)), constant(bias.astype(np.float32)),
        kernel_shape=[side] * 2, strides=[stride] * 2, pads=[side // 2] * 4, group=group,
    )


def number(value):
    return constant(np.array(value, np.float32))


def integers(*values):
    return constant(np.array(values, np.int64))


def silu(x):
    return node("Mul", x, node("Sigmoid", x))


def hard_swish(x):
    clipped = node("Clip", node("Add", x, number(3)), number(0), number(6))
    return node("Div", node("Mul", x, clipped), number(6))


def shuffle(x, channels):
    apart = node("Reshape", x, integers(0, 2, channels // 2, -1))
    mixed = node("Transpose", apart, perm=[0, 2, 1, 3])
    # The rows and columns are not known by number: they are taken from the map itself.
    shape = node("Concat", integers(1, channels), node("Slice", node("Shape", x), integers(2), integers(4)), axis=0)
    return node("Reshape", mixed, shape)


x = node("Relu", convolution("in", 3, 8, stride=2))
x = silu(convolution(x, 8, 12, stride=2))
x = node("MaxPool", x, kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1])
a = node("LeakyRelu", convolution(x, 12, 8, side=1), alpha=0.1)
b = hard_swish(convolution(x, 12, 8, side=1))
c = node("Add", b, node("Relu", convolution(node("Relu", convolution(b, 8, 8)), 8, 8)))
x = shuffle(node("Concat", a, b, c, axis=1), 24)
x, rest = (node("Slice", x, integers(at), integers(at + 12), integers(1)) for at in (0, 12))
x = node("Concat", rest, hard_swish(convolution(x, 12, 12, side=5, group=12)), axis=1)
gate = node("Relu", convolution(node("GlobalAveragePool", x), 24, 6, side=1))
gate = node("HardSigmoid", convolution(gate, 6, 24, side=1), alpha=1 / 6, beta=0.5)
x = node("Mul", x, gate)
fine = node("Relu", convolution(x, 24, 16, stride=2))
x = node("Relu", convolution(fine, 16, 16, stride=2, group=16))
x = node("Resize", x, "", constant(np.array([1, 1, 2, 2], np.float32)), mode="nearest",
         coordinate_transformation_mode="asymmetric", nearest_mode="floor")
x = node("Add", node("Relu", convolution(fine, 16, 16, side=1)), x)
x = convolution(node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 16, 7)
objectness, boxes, classes = (
    node("Slice", x, integers(first), integers(end), integers(1)) for first, end in ((0, 1), (1, 5), (5, 7))
)
nodes.append(helper.make_node("Concat", [node("Sigmoid", objectness), boxes, classes], ["out"], "out", axis=1))

graph = helper.make_graph(
    nodes,
    "parts",
    [helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, 3, 64, 96])],
    [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 7, 4, 6])],
    [numpy_helper.from_array(value, name) for name, value in constants.items()],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
onnx.checker.check_model(model)
onnx.save(model, Path(sys.argv[1]) / "all_parts.onnx")
