"""Weights of an exported street-nano, also a smaller one, as a beginning: `python start.py street-nano.onnx OUT.pt DATA MIX`.

The old channels come first in each layer, new ones begin at random and are hardly heard by the old ones. Normalisation was
folded into the exported convolutions; it is set so that a batch of the mix's pictures passes as in the exported network.
"""

import sys

import onnx
import onnx.numpy_helper
import torch
from torch import nn

from net import Stage, StreetNano
from pictures import Mix, Pictures

NEW_TO_OLD = 0.1


def positions(module, old_inputs, new_inputs):
    """Where the old inputs of a convolution are among the new: the parts that a stage joins grow each for itself."""
    if isinstance(module, int):
        old_part, new_part = old_inputs // module, new_inputs // module
        return torch.cat([torch.arange(old_part) + part * new_part for part in range(module)])
    return torch.arange(old_inputs)


@torch.no_grad()
def grown(model, old):
    """Copies `old` (name -> tensor) into `model`; returns the old biases by the name of the normalisation behind them."""
    joins = {f"{name}.join.0": 2 + len(stage.pairs) for name, stage in model.named_modules() if isinstance(stage, Stage)}
    biases = {}
    for name, module in model.named_modules():
        if not isinstance(module, nn.Conv2d) or f"{name}.weight" not in old:
            continue
        weight, bias = old[f"{name}.weight"], old[f"{name}.bias"]
        outputs, inputs = weight.shape[:2]
        if name == "stem.0.0":
            weight = weight / model.input_scale
        where = positions(joins.get(name), inputs, module.in_channels)
        module.weight[:outputs] *= NEW_TO_OLD
        module.weight[:outputs, where] = weight
        if module.bias is not None:
            module.bias[:outputs] = bias
        else:
            biases[name[:-1] + "1"] = bias
    return biases


@torch.no_grad()
def normalised(model, biases, batch):
    """Sets every normalisation so that the old channels of `batch` pass as without it."""

    def before(name):
        def hook(module, inputs):
            variance, mean = torch.var_mean(inputs[0].float(), (0, 2, 3), unbiased=False)
            module.running_mean.copy_(mean)
            module.running_var.copy_(variance)
            if name in biases:
                old = len(biases[name])
                module.weight[:old] = (variance[:old] + module.eps).sqrt()
                module.bias[:old] = biases[name] + mean[:old]
        return hook

    hooks = [m.register_forward_pre_hook(before(n)) for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
    model.eval()
    model(batch)
    for hook in hooks:
        hook.remove()


def main():
    old_path, out, data, mix = sys.argv[1:5]
    old = {i.name: torch.tensor(onnx.numpy_helper.to_array(i)) for i in onnx.load(old_path).graph.initializer}
    torch.manual_seed(5)
    model = StreetNano()
    biases = grown(model, old)
    pictures = Pictures(Mix.read(mix, data), 3, 32)
    normalised(model, biases, torch.stack([pictures[n][0] for n in range(32)]).float())
    torch.save({"average": model.state_dict()}, out)
    print(f"{len(biases)} of {sum(isinstance(m, nn.BatchNorm2d) for m in model.modules())} layers begin as in {old_path}")


if __name__ == "__main__":
    main()
