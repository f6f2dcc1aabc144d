"""Weights into the network that boxes run: `python export.py OUT/average.pt street-nano.onnx [calibration.json]`.

Folds normalisation, the input's scale and the calibration of scores (calibrate.py) into the convolutions, holds the result
against PyTorch on a random picture, and prints the file's sha256 for the manifest.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from net import STRIDES, StreetNano

ROWS, COLUMNS = 384, 640


def folded(module):
    """The same network without batch normalisation."""
    for name, child in module.named_children():
        if isinstance(child, nn.Sequential) and len(child) == 3 and isinstance(child[1], nn.BatchNorm2d):
            setattr(module, name, nn.Sequential(nn.utils.fuse_conv_bn_eval(child[0], child[1]), child[2]))
        else:
            folded(child)
    return module


@torch.no_grad()
def calibrated(model, calibration):
    """Shifts each class's logits by its offset in `calibration`, in the order of CLASSES."""
    for head in model.heads:
        head.out.bias[4:] += torch.tensor(calibration["offsets"])


def main():
    weights, out = Path(sys.argv[1]), Path(sys.argv[2])
    model = StreetNano()
    model.load_state_dict(torch.load(weights, map_location="cpu")["average"])
    model.eval()
    if len(sys.argv) > 3:
        calibrated(model, json.loads(Path(sys.argv[3]).read_text()))
    picture = torch.randint(0, 256, (1, 3, ROWS, COLUMNS)).float()
    with torch.no_grad():
        expected = model(picture)
    plain = folded(model)
    with torch.no_grad():
        plain.stem[0].weight *= plain.input_scale
    plain.input_scale = None
    names = [f"stride_{stride}" for stride in STRIDES]
    with torch.no_grad():
        torch.onnx.export(
            plain, (picture,), str(out), opset_version=13, input_names=["images"], output_names=names, dynamo=False)
    graph = onnx.load(out)
    onnx.checker.check_model(graph)
    onnx.save(graph, out)
    network = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    found = network.run(names, {"images": picture.numpy()})
    worst = max(float(np.abs(a - b.numpy()).max()) for a, b in zip(found, expected))
    assert worst < 1e-2, f"the exported network differs by {worst}"
    parameters = sum(p.numel() for p in plain.parameters())
    print(f"{parameters} parameters, {out.stat().st_size} bytes, differs from PyTorch by at most {worst:.1e}")
    print(hashlib.sha256(out.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
