"""The network: plain convolutions with ReLU, a top-down neck, one output map per stride.

Chosen by measuring on processors without a GPU: 3x3 and 1x1 convolutions without groups, nothing after the last
convolution, nothing that depends on the input's size. Batch normalisation is folded into the convolutions on export.
"""

import torch
from torch import nn
from torch.nn import functional

CLASSES = ("person", "two-wheeler", "car", "large-vehicle")
STRIDES = (8, 16, 32, 64)


def convolution(inputs, outputs, kernel=3, stride=1):
    """Convolution, normalisation, ReLU; rows and columns are divided by `stride`."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
        nn.ReLU(inplace=True),
    )


class Stage(nn.Module):
    """Halves rows and columns, then a cross-stage block (after C2f of YOLOv8): half-width pairs of 3x3, all of them joined."""

    def __init__(self, inputs, outputs, hidden, pairs):
        super().__init__()
        self.down = convolution(inputs, outputs, 3, 2)
        self.left = convolution(outputs, hidden, 1)
        self.right = convolution(outputs, hidden, 1)
        self.pairs = nn.ModuleList(
            nn.Sequential(convolution(hidden, hidden), convolution(hidden, hidden)) for _ in range(pairs)
        )
        self.join = convolution(hidden * (2 + pairs), outputs, 1)

    def forward(self, x):
        x = self.down(x)
        parts = [self.left(x), self.right(x)]
        for pair in self.pairs:
            parts.append(parts[-1] + pair(parts[-1]))
        return self.join(torch.cat(parts, 1))


class StreetNano(nn.Module):
    """[batch, 3, rows, columns] in 0..255, RGB -> per stride [batch, 4 + classes, rows / stride, columns / stride].

    Channels: centre x and y relative to the cell's centre and log width and height, in strides; one logit per class.
    Rows and columns must be multiples of 64.
    """

    def __init__(self, neck=56):
        super().__init__()
        # None once it is folded into the first convolution. No mean is taken off: then the zeros around the picture would
        # mean another grey after folding than before.
        self.input_scale = 1 / 128
        self.stem = nn.Sequential(convolution(3, 16, 3, 2), convolution(16, 32, 3, 2))
        self.stage8 = Stage(32, 64, 24, 2)
        self.stage16 = Stage(64, 112, 48, 2)
        self.stage32 = Stage(112, 144, 64, 2)
        self.stage64 = Stage(144, 96, 48, 1)
        self.lateral = nn.ModuleList(convolution(width, neck, 1) for width in (64, 112, 144, 96))
        self.smooth = nn.ModuleList(convolution(neck, neck) for _ in STRIDES)
        self.out = nn.ModuleList(nn.Conv2d(neck, 4 + len(CLASSES), 1) for _ in STRIDES)
        for out in self.out:
            nn.init.zeros_(out.bias)
            nn.init.constant_(out.bias[4:], -4.6)  # every class at 1 %, so that training begins quietly
            nn.init.normal_(out.weight, std=0.01)

    def forward(self, x):
        maps = [self.stage8(self.stem(x if self.input_scale is None else x * self.input_scale))]
        for stage in (self.stage16, self.stage32, self.stage64):
            maps.append(stage(maps[-1]))
        maps = [lateral(level) for lateral, level in zip(self.lateral, maps)]
        for level in range(len(maps) - 2, -1, -1):
            maps[level] = maps[level] + functional.interpolate(maps[level + 1], scale_factor=2.0, mode="nearest")
        return [out(smooth(level)) for out, smooth, level in zip(self.out, self.smooth, maps)]


def cells(rows, columns, device="cpu"):
    """Centres (x, y) in pixels and strides of all cells, in the order of `flatten`: [cells, 2], [cells]."""
    centres, strides = [], []
    for stride in STRIDES:
        y, x = torch.meshgrid(torch.arange(rows // stride), torch.arange(columns // stride), indexing="ij")
        centres.append((torch.stack((x, y), -1).reshape(-1, 2) + 0.5) * stride)
        strides.append(torch.full((centres[-1].shape[0],), float(stride)))
    return torch.cat(centres).to(device), torch.cat(strides).to(device)


def flatten(maps):
    """The output maps as [batch, cells, 4 + classes]."""
    return torch.cat([level.flatten(2).transpose(1, 2) for level in maps], 1)


def decode(flat, centres, strides):
    """Boxes [batch, cells, 4] (corners in pixels) and logits [batch, cells, classes]."""
    flat = flat.float()
    centre = centres + flat[..., 0:2] * strides[:, None]
    half = flat[..., 2:4].clamp(-6.0, 6.0).exp() * strides[:, None] / 2
    return torch.cat((centre - half, centre + half), -1), flat[..., 4:]
