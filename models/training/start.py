"""The public weights of YOLOX-nano as a beginning, narrower: `python start.py yolox_nano_384x640.onnx OUT.pt DATA MIX`.

The export holds its convolutions in the order in which they are computed. Normalisation was folded into them; it is set so
that pictures of the mix pass as in the export. The network learns the project's classes for some views. Then the channels
that change the loss least (Taylor expansion of the first order, Molchanov et al. 2019) are left out.
"""

import sys

import onnx
import onnx.numpy_helper
import torch
import torch_pruning
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

from loss import loss
from net import PUBLIC, SHIPPED, Rectifier, StreetNano, cells, decode, flatten
from pictures import Mix, Pictures, collate

# Classes of COCO that make up the project's: person; bicycle, motorcycle; car; bus, truck.
COCO = ((0,), (1, 3), (2,), (5, 7))
# A class's logit begins as this share of the sum of the public network's two: that a subject is here, and its class.
LOGIT_SHARE = 0.6
BATCH, LEARNT, WEIGHED, RATE = 16, 6_144, 2_048, 5e-4


def exported(path):
    """Weights and biases of all convolutions of a network, in the order of the graph."""
    graph = onnx.load(path).graph
    values = {i.name: torch.tensor(onnx.numpy_helper.to_array(i)) for i in graph.initializer}
    return [(values[node.input[1]], values[node.input[2]]) for node in graph.node if node.op_type == "Conv"]


@torch.no_grad()
def stem(weight, batch):
    """The public first layer [16, 12, 3, 3] as a 4x4 convolution of stride 2 over RGB, and what it adds to the bias.

    The public network puts every second row and column (top left, bottom left, top right, bottom right) into channels: that
    is a 6x6 convolution over BGR. The 4x4 convolution is fitted to its output on `batch` (least squares).
    """
    whole = weight.new_zeros(weight.shape[0], 3, 6, 6)
    for part, (y, x) in enumerate(((0, 0), (1, 0), (0, 1), (1, 1))):
        whole[:, :, y::2, x::2] = weight[:, 3 * part : 3 * part + 3]
    whole = whole[:, [2, 1, 0]]
    wanted = functional.conv2d(batch, whole, stride=2, padding=2).flatten(2).transpose(1, 2).flatten(0, 1)
    seen = functional.unfold(batch, 4, stride=2, padding=1).transpose(1, 2).flatten(0, 1)
    seen = torch.cat((seen, torch.ones(len(seen), 1)), 1).double()
    # The small term keeps the fit calm where neighbouring pixels are nearly equal.
    square = seen.T @ seen + 1e-3 * len(seen) * torch.eye(seen.shape[1], dtype=torch.double)
    fitted = torch.linalg.solve(square, seen.T @ wanted.double()).float()
    return fitted[:-1].T.reshape(weight.shape[0], 3, 4, 4), fitted[-1]


@torch.no_grad()
def copied(model, layers, batch):
    """Copies the public weights, fits the first layer to `batch`; returns the biases by normalisation."""
    # Of each level: its classes, its box, that a subject is here.
    predictions = iter([layer for layer in layers if layer[0].shape[0] in (80, 4, 1)])
    biases, layers = {}, iter([layer for layer in layers if layer[0].shape[0] not in (80, 4, 1)])
    for name, module in model.named_modules():
        if not isinstance(module, nn.Conv2d):
            continue
        if name.endswith("out"):
            (weight, bias), (boxes, at), (here, bias_here) = next(predictions), next(predictions), next(predictions)
            width = weight.shape[1]
            module.weight.zero_()
            module.weight[:4, width:] = boxes
            # Centres are relative to the cell's centre here, to its corner there.
            module.bias[:4] = at - torch.tensor([0.5, 0.5, 0.0, 0.0])
            for number, classes in enumerate(COCO):
                module.weight[4 + number, :width] = LOGIT_SHARE * weight[list(classes)].mean(0)
                module.weight[4 + number, width:] = LOGIT_SHARE * here[0]
                module.bias[4 + number] = LOGIT_SHARE * (bias[list(classes)].mean(0) + bias_here[0])
            continue
        weight, bias = next(layers)
        if name == "stem.0":
            weight, more = stem(weight, batch)
            weight, bias = weight / model.input_scale, bias + more
        module.weight.copy_(weight)
        biases[name[: -len("0")] + "1"] = bias
    assert next(layers, None) is None, "the export has more convolutions than YOLOX-nano"
    return biases


@torch.no_grad()
def normalised(model, biases, batch):
    """Sets every normalisation so that `batch` passes as without it."""

    def before(name):
        def hook(module, inputs):
            variance, mean = torch.var_mean(inputs[0].float(), (0, 2, 3), unbiased=False)
            module.running_mean.copy_(mean)
            module.running_var.copy_(variance)
            module.weight.copy_((variance + module.eps).sqrt())
            module.bias.copy_(biases[name] + mean)
        return hook

    hooks = [m.register_forward_pre_hook(before(n)) for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
    model.eval()
    model(batch)
    for hook in hooks:
        hook.remove()


def losses(model, mix, seed, views):
    """The loss of each batch, in turn."""
    pictures = DataLoader(Pictures(mix, seed, views), BATCH, collate_fn=collate, num_workers=1)
    centres, strides = cells(mix.rows, mix.columns)
    for bytes_, truth in pictures:
        x = bytes_.float().to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            flat = flatten(model(x))
        yield loss(*decode(flat, centres, strides), truth, centres)[0]


def narrowed(model, mix):
    """Leaves channels out until the widths are those of SHIPPED."""
    model.train()
    for value in losses(model, mix, 11, WEIGHED):
        value.backward()
    kept = [model.stem, model.stage4] + [head.out for head in model.heads]
    ratios = {}
    for module in kept[:2]:
        ratios.update({m: 0.0 for m in module.modules() if isinstance(m, nn.Conv2d)})
    head_ratio = 1 - SHIPPED.head / PUBLIC.head
    for head in model.heads:
        ratios.update({m: head_ratio for m in head.modules() if isinstance(m, nn.Conv2d)})
    pruner = torch_pruning.pruner.MetaPruner(
        model, torch.zeros(1, 3, mix.rows, mix.columns), importance=torch_pruning.importance.GroupTaylorImportance(),
        pruning_ratio=1 - SHIPPED.maps[-1] / PUBLIC.maps[-1], pruning_ratio_dict=ratios,
        ignored_layers=[head.out for head in model.heads])
    pruner.step()
    fitting = StreetNano()
    fitting.load_state_dict(model.state_dict())  # an error here: a width is not that of SHIPPED
    return fitting


def main():
    public, out, data, mix_path = sys.argv[1:5]
    torch.manual_seed(5)
    torch.set_num_threads(1)
    Rectifier.share = 0.0
    mix = Mix.read(mix_path, data)
    model = StreetNano(PUBLIC)
    pictures = Pictures(mix, 3, 64)
    batch = torch.stack([pictures[n][0] for n in range(64)]).float()
    normalised(model, copied(model, exported(public), batch[:16]), batch)
    model.to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    for step, value in enumerate(losses(model, mix, 9, LEARNT)):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 100)
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimiser.step()
        if step % 64 == 0:
            print(f"{step * BATCH}/{LEARNT} views, loss {float(value):.3f}", flush=True)
    optimiser.zero_grad()
    before = sum(p.numel() for p in model.parameters())
    model = narrowed(model, mix)
    torch.save({"average": model.state_dict()}, out)
    print(f"{before} parameters before, {sum(p.numel() for p in model.parameters())} after")


if __name__ == "__main__":
    main()
