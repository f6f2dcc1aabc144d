"""Which cell answers for which box, and what it costs to be wrong.

Task-aligned assignment (Feng et al., "TOOD", ICCV 2021): a box is given to the cells that already fit it best, by
score^0.5 * IoU^6, and their target score is how well they fit. Boxes are held to complete IoU (Zheng et al. 2020).
"""

import math

import torch
from torch.nn import functional

CANDIDATES = 10
# A small box counts as this large when cells are looked for: at stride 8 it may hold no centre.
SIDE_MIN = 14.0
# A label's score from which on it counts as certain, and the least share of the target score that a label teaches.
SCORE_SURE, SCORE_LEAST = 0.7, 0.5


def iou(a, b, complete=False):
    """IoU of corner boxes, broadcast; complete: less the distance of the centres and the difference of the shapes."""
    left_top, right_bottom = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    both = (right_bottom - left_top).clamp(min=0).prod(-1)
    size_a, size_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    result = both / (size_a.prod(-1) + size_b.prod(-1) - both + 1e-7)
    if not complete:
        return result
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    apart = ((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) ** 2).sum(-1) / 4
    shape = (4 / math.pi**2) * (
        torch.atan(size_b[..., 0] / (size_b[..., 1] + 1e-7)) - torch.atan(size_a[..., 0] / (size_a[..., 1] + 1e-7))
    ) ** 2
    with torch.no_grad():
        weight = shape / (1 - result + shape + 1e-7)
    return result - apart / ((hull**2).sum(-1) + 1e-7) - weight * shape


@torch.no_grad()
def assign(boxes, logits, truth, classes, centres):
    """For one picture: index of the truth per cell (-1: none) and its target score, [cells] each."""
    cells = boxes.shape[0]
    owner = torch.full((cells,), -1, dtype=torch.long)
    target = torch.zeros(cells)
    if truth.shape[0] == 0:
        return owner, target
    middle = (truth[:, :2] + truth[:, 2:]) / 2
    half = ((truth[:, 2:] - truth[:, :2]) / 2).clamp(min=SIDE_MIN / 2)
    inside = ((centres[None] - middle[:, None]).abs() < half[:, None]).all(-1)
    overlap = iou(truth[:, None], boxes[None]) * inside
    score = logits.sigmoid()[:, classes].T
    fit = score.sqrt() * overlap**6 + 1e-9 * inside
    best, index = fit.topk(min(CANDIDATES, cells), 1)
    chosen = torch.zeros_like(inside).scatter_(1, index, best > 0)
    # A cell that several boxes want goes to the one that it overlaps most.
    wanted = chosen * (overlap + 1e-6)
    most, by = wanted.max(0)
    taken = most > 0
    owner[taken] = by[taken]
    held = torch.zeros_like(inside)
    held[by[taken], taken.nonzero()[:, 0]] = True
    fit, overlap = fit * held, overlap * held
    scaled = fit / (fit.amax(1, keepdim=True) + 1e-12) * overlap.amax(1, keepdim=True)
    target[taken] = scaled.max(0).values[taken].clamp(min=0.05)
    return owner, target


def loss(boxes, logits, batch, centres):
    """Mean loss of a batch: (sum, of boxes, of classes).

    `batch`: per picture a dict of truth [n, 4], classes [n], scores [n] (how sure the labels are), unclear [m, 4] and
    unclear_classes [m] (bit per class: may be there or not).
    """
    owners, wanted, weights = [], torch.zeros_like(logits), torch.ones_like(logits)
    for number, picture in enumerate(batch):
        owner, target = assign(boxes[number].detach(), logits[number].detach(), picture["truth"], picture["classes"], centres)
        if picture["unclear"].shape[0]:
            low, high = picture["unclear"][:, None, :2], picture["unclear"][:, None, 2:]
            inside = ((centres[None] >= low) & (centres[None] <= high)).all(-1)
            bits = (picture["unclear_classes"][:, None] >> torch.arange(logits.shape[-1])) & 1
            weights[number] *= 1 - (inside[:, :, None] & (bits[:, None] == 1)).any(0).float()
        mine = (owner >= 0).nonzero()[:, 0]
        sure = (picture["scores"][owner[mine]] / SCORE_SURE).clamp(SCORE_LEAST, 1.0)
        wanted[number, mine, picture["classes"][owner[mine]]] = target[mine] * sure
        weights[number, mine] = 1.0
        owners.append((mine, owner[mine], target[mine]))
    total = wanted.sum().clamp(min=1.0)
    classes = functional.binary_cross_entropy_with_logits(logits, wanted, weights, reduction="sum") / total
    of_boxes = boxes.new_zeros(())
    for number, (mine, truth, target) in enumerate(owners):
        if mine.numel():
            fit = iou(boxes[number, mine], batch[number]["truth"][truth], complete=True)
            of_boxes = of_boxes + ((1 - fit) * target).sum()
    of_boxes = of_boxes / total
    return 5.0 * of_boxes + classes, of_boxes.detach(), classes.detach()
