"""Shifts each class's scores so that four of five from 0.45 on are true: `python calibrate.py WEIGHTS OUT.json FOLDER...`.

FOLDERs are labelled pictures of cameras that no training saw. Classes with too few boxes there keep their scores.
"""

import json
import math
import sys
from pathlib import Path

import cv2
import numpy as np
import torch

from net import CLASSES, StreetNano, cells, decode, flatten
from pictures import GREY, corners, rows_of

ROWS, COLUMNS = 384, 640
SCORE_MIN, IOU_NMS, IOU_RIGHT = 0.03, 0.6, 0.5
BOXES_MIN, DETECTIONS_MIN = 100, 50
SCORE, SHARE_RIGHT = 0.45, 0.8


def ious(box, boxes):
    both = np.clip(np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]), 0, None).prod(1)
    sizes = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(1)
    return both, both / (np.prod(box[2:] - box[:2]) + sizes - both + 1e-9)


def found(model, bgr):
    """Boxes in pixels of the picture, logits and classes after suppression, best first."""
    ratio = min(COLUMNS / bgr.shape[1], ROWS / bgr.shape[0])
    small = cv2.resize(bgr, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_LINEAR)
    canvas = np.full((ROWS, COLUMNS, 3), GREY, np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small
    x = torch.from_numpy(np.ascontiguousarray(canvas[:, :, ::-1]).transpose(2, 0, 1))[None].float()
    with torch.no_grad():
        boxes, logits = decode(flatten(model(x)), *cells(ROWS, COLUMNS))
    boxes, logits = boxes[0].numpy() / ratio, logits[0].numpy()
    kept = []
    for kind in range(len(CLASSES)):
        order = np.nonzero(logits[:, kind] > math.log(SCORE_MIN / (1 - SCORE_MIN)))[0]
        order = order[np.argsort(-logits[order, kind])]
        while len(order):
            kept.append((kind, float(logits[order[0], kind]), boxes[order[0]]))
            order = order[1:][ious(boxes[order[0]], boxes[order[1:]])[1] < IOU_NMS]
    return sorted(kept, key=lambda k: -k[1])


def judged(model, folders):
    """Per class (logit, right) of every detection outside of unclear places."""
    rows = [[] for _ in CLASSES]
    for folder in folders:
        for label in sorted((folder / "labels").glob("*.txt")):
            bgr = cv2.imread(str(folder / "images" / f"{label.stem}.jpg"))
            height, width = bgr.shape[:2]
            truth, unclear = (corners(rows_of(folder / part / label.name), width, height) for part in ("labels", "unclear"))
            free = np.ones(len(truth), bool)
            for kind, logit, box in found(model, bgr):
                mine = np.nonzero(free & (truth[:, 0] == kind))[0]
                fits = ious(box, truth[mine, 1:5])[1] if len(mine) else np.zeros(0)
                right = len(fits) > 0 and fits.max() >= IOU_RIGHT
                if right:
                    free[mine[fits.argmax()]] = False
                else:
                    places = unclear[unclear[:, 0] == kind, 1:5]
                    if len(places) and ious(box, places)[0].max() >= 0.5 * np.prod(box[2:] - box[:2]):
                        continue
                rows[kind].append((logit, right))
    return [np.array(r, float).reshape(-1, 2) for r in rows]


def shift(rows):
    """Offset of the logits with which four of five detections from SCORE on are right."""
    rows = rows[np.argsort(-rows[:, 0])]
    right = np.cumsum(rows[:, 1]) / np.arange(1, len(rows) + 1)
    enough = np.nonzero(right >= SHARE_RIGHT)[0]
    # The fewest that are counted: a lucky first detection says nothing.
    last = max(int(enough[-1]) if len(enough) else 0, DETECTIONS_MIN - 1)
    return math.log(SCORE / (1 - SCORE)) - float(rows[last, 0])


def main():
    weights, out, folders = sys.argv[1], Path(sys.argv[2]), [Path(f) for f in sys.argv[3:]]
    torch.set_num_threads(1)
    model = StreetNano().eval()
    model.load_state_dict(torch.load(weights, map_location="cpu")["average"])
    offsets = []
    for name, rows in zip(CLASSES, judged(model, folders)):
        offsets.append(round(shift(rows), 4) if rows[:, 1].sum() >= BOXES_MIN else 0.0)
        print(f"{name}: {len(rows)} detections, {int(rows[:, 1].sum())} right; offset {offsets[-1]:.3f}")
    out.write_text(json.dumps({"offsets": offsets}) + "\n")


if __name__ == "__main__":
    main()
