"""The network: the layout of YOLOX-nano (Ge et al. 2021), narrower, with ReLU and one output map per stride.

`start.py` takes the public weights of YOLOX-nano and prunes them. Batch normalisation is folded into the convolutions on
export.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

CLASSES = ("person", "two-wheeler", "car", "large-vehicle")
STRIDES = (8, 16, 32)


@dataclass(frozen=True)
class Widths:
    """Channels of the maps at strides 2 to 32, and of the head's towers."""

    maps: tuple
    head: int


# The public network, and the shipped one: at most 0.6 of its time at 640x384 on one core.
PUBLIC = Widths((16, 32, 64, 128, 256), 64)
SHIPPED = Widths((16, 32, 56, 112, 224), 48)


class Rectifier(nn.Module):
    """ReLU. While training, `share` goes from 0 (SiLU, as in the public network) to 1, for all layers at once."""

    share = 1.0

    def forward(self, x):
        if Rectifier.share >= 1.0:
            return functional.relu(x)
        return Rectifier.share * functional.relu(x) + (1.0 - Rectifier.share) * functional.silu(x)


def convolution(inputs, outputs, kernel=1, stride=1, groups=1, padding=None):
    """Convolution, normalisation, activation; rows and columns are divided by `stride`."""
    padding = kernel // 2 if padding is None else padding
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
        Rectifier(),
    )


def separable(inputs, outputs, stride=1):
    """3x3 per channel, then 1x1 over all channels."""
    return nn.Sequential(convolution(inputs, inputs, 3, stride, groups=inputs), convolution(inputs, outputs))


class Pair(nn.Module):
    """1x1, then 3x3 separable; added to the input where `add`."""

    def __init__(self, width, add):
        super().__init__()
        self.first = convolution(width, width)
        self.second = separable(width, width)
        self.add = add

    def forward(self, x):
        y = self.second(self.first(x))
        return x + y if self.add else y


class Cross(nn.Module):
    """Cross-stage block: one half through `pairs`, one half past them, joined."""

    def __init__(self, inputs, outputs, half, pairs, add):
        super().__init__()
        self.left = convolution(inputs, half)
        self.right = convolution(inputs, half)
        self.pairs = nn.Sequential(*(Pair(half, add) for _ in range(pairs)))
        self.join = convolution(2 * half, outputs)

    def forward(self, x):
        left, right = self.left(x), self.right(x)
        return self.join(torch.cat((self.pairs(left), right), 1))


class Pool(nn.Module):
    """Maxima over 5, 9 and 13 cells, beside the input."""

    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.first = convolution(inputs, hidden)
        self.last = convolution(hidden * 4, outputs)

    def forward(self, x):
        x = self.first(x)
        maxima = [functional.max_pool2d(x, side, 1, side // 2) for side in (5, 9, 13)]
        return self.last(torch.cat([x] + maxima, 1))


class Head(nn.Module):
    """One level's output: `stem`, a tower for classes and one for boxes, a 1x1 convolution over both."""

    def __init__(self, inputs, width):
        super().__init__()
        self.stem = convolution(inputs, width)
        self.classes = nn.Sequential(*(separable(width, width) for _ in range(2)))
        self.boxes = nn.Sequential(*(separable(width, width) for _ in range(2)))
        self.out = nn.Conv2d(2 * width, 4 + len(CLASSES), 1)

    def forward(self, x):
        x = self.stem(x)
        return self.out(torch.cat((self.classes(x), self.boxes(x)), 1))


class StreetNano(nn.Module):
    """[batch, 3, rows, columns] in 0..255, RGB -> per stride [batch, 4 + classes, rows / stride, columns / stride].

    Channels: centre x and y relative to the cell's centre and log width and height, in strides; one logit per class.
    Rows and columns must be multiples of 32.
    """

    def __init__(self, widths=SHIPPED):
        super().__init__()
        # None once it is folded into the first convolution. No mean is taken off: then the zeros around the picture would
        # mean another grey after folding than before.
        self.input_scale = 1 / 128
        w = widths.maps

        def cross(inputs, outputs, pairs, add):
            return Cross(inputs, outputs, outputs // 2, pairs, add)

        self.stem = convolution(3, w[0], 4, 2, padding=1)
        self.stage4 = nn.Sequential(separable(w[0], w[1], 2), cross(w[1], w[1], 1, True))
        self.stage8 = nn.Sequential(separable(w[1], w[2], 2), cross(w[2], w[2], 3, True))
        self.stage16 = nn.Sequential(separable(w[2], w[3], 2), cross(w[3], w[3], 3, True))
        self.stage32 = nn.Sequential(separable(w[3], w[4], 2), Pool(w[4], w[4] // 2, w[4]), cross(w[4], w[4], 1, False))
        self.lateral32 = convolution(w[4], w[3])
        self.down16 = cross(2 * w[3], w[3], 1, False)
        self.lateral16 = convolution(w[3], w[2])
        self.down8 = cross(2 * w[2], w[2], 1, False)
        self.to16 = separable(w[2], w[2], 2)
        self.up16 = cross(2 * w[2], w[3], 1, False)
        self.to32 = separable(w[3], w[3], 2)
        self.up32 = cross(2 * w[3], w[4], 1, False)
        self.heads = nn.ModuleList(Head(width, widths.head) for width in w[2:])

    def forward(self, x):
        x = self.stem(x if self.input_scale is None else x * self.input_scale)
        at8 = self.stage8(self.stage4(x))
        at16 = self.stage16(at8)
        at32 = self.lateral32(self.stage32(at16))
        up = functional.interpolate
        at16 = self.lateral16(self.down16(torch.cat((up(at32, scale_factor=2.0, mode="nearest"), at16), 1)))
        at8 = self.down8(torch.cat((up(at16, scale_factor=2.0, mode="nearest"), at8), 1))
        at16 = self.up16(torch.cat((self.to16(at8), at16), 1))
        at32 = self.up32(torch.cat((self.to32(at16), at32), 1))
        return [head(level) for head, level in zip(self.heads, (at8, at16, at32))]


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
