#!/usr/bin/env python3
"""The reference that crates/detector is held against: onnxruntime, OpenCV and numpy.

Written from the networks' published decoding rules, not from the Rust code, so that a mistake in one shows against
the other.

    python3 -m venv env && env/bin/pip install onnxruntime numpy opencv-python-headless pycocotools
    env/bin/python tests/reference/detect.py goldens SHARED tests/goldens/detect   # ten pictures per network
    env/bin/python tests/reference/detect.py eval SHARED [NETWORK ...]             # mAP by pycocotools
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

COCO = (
    "person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign parking_meter "
    "bench bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella handbag tie suitcase frisbee "
    "skis snowboard sports_ball kite baseball_bat baseball_glove skateboard surfboard tennis_racket bottle wine_glass "
    "cup fork knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair couch "
    "potted_plant bed dining_table toilet tv laptop mouse remote keyboard cell_phone microwave oven toaster sink "
    "refrigerator book clock vase scissors teddy_bear hair_drier toothbrush"
).split()
COCO = [name.replace("_", " ") for name in COCO]

IMAGENET_RGB = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
IMAGENET_BGR = ((103.53, 116.28, 123.675), (57.375, 57.12, 58.395))

# file, decoder, nms iou
NETWORKS = {
    "yolox_nano_416": ("yolox_nano_416.onnx", "yolox", 0.65),
    "yolox_nano_384x640": ("yolox_nano_384x640.onnx", "yolox", 0.65),
    "picodet_xs_416": ("picodet_xs_416_clean.onnx", "picodet", 0.6),
    "picodet_s_384x640": ("picodet_s_384x640.onnx", "picodet", 0.6),
    "nanodet_plus_m_416": ("nanodet_plus_m_416.onnx", "nanodet", 0.6),
    "fastestdet_352_original": ("FastestDet.onnx", "fastestdet", 0.45),
    "fastestdet_352": ("fastestdet_nosm_352.onnx", "fastestdet_nosm", 0.45),
}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def grid(height, width, strides, offset):
    """Cell centres (or corners) in input pixels and the stride of each anchor."""
    points, steps = [], []
    for stride in strides:
        rows, columns = -(-height // stride), -(-width // stride)
        y, x = np.mgrid[0:rows, 0:columns]
        points.append((np.stack([x, y], -1).reshape(-1, 2) + offset) * stride)
        steps.append(np.full((rows * columns, 1), stride))
    return np.concatenate(points).astype(np.float32), np.concatenate(steps).astype(np.float32)


def distances(dfl, steps):
    """[n, 32] logits -> left, top, right, bottom in input pixels: the expectation over 8 bins."""
    return (softmax(dfl.reshape(-1, 4, 8)) @ np.arange(8, dtype=np.float32)) * steps


def from_distances(points, d):
    return np.concatenate([points - d[:, :2], points + d[:, 2:]], 1)


def decode(kind, outputs, height, width):
    """Corner boxes in input pixels (0..1 for fastestdet) and [n, classes] scores."""
    if kind == "yolox":
        out = outputs[0][0]
        corner, steps = grid(height, width, (8, 16, 32), 0.0)
        centre = out[:, :2] * steps + corner
        size = np.exp(out[:, 2:4]) * steps
        return np.concatenate([centre - size / 2, centre + size / 2], 1), out[:, 4:5] * out[:, 5:]
    if kind == "picodet":
        scores = np.concatenate([o[0] for o in outputs if o.shape[-1] == 80])
        dfl = np.concatenate([o[0] for o in outputs if o.shape[-1] == 32])
        points, steps = grid(height, width, (8, 16, 32, 64), 0.5)
        return from_distances(points, distances(dfl, steps)), scores
    if kind == "nanodet":
        out = outputs[0][0]
        points, steps = grid(height, width, (8, 16, 32, 64), 0.0)
        return from_distances(points, distances(out[:, 80:], steps)), sigmoid(out[:, :80])
    out = outputs[0][0].reshape(85, -1).T
    rows, columns = outputs[0].shape[2:]
    classes = softmax(out[:, 5:]) if kind == "fastestdet_nosm" else out[:, 5:]
    y, x = np.mgrid[0:rows, 0:columns]
    cx = (x.reshape(-1) + np.tanh(out[:, 1])) / columns
    cy = (y.reshape(-1) + np.tanh(out[:, 2])) / rows
    w, h = sigmoid(out[:, 3]), sigmoid(out[:, 4])
    boxes = np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1)
    return boxes, out[:, :1] ** 0.6 * classes**0.4


def prepare(kind, bgr, height, width):
    """The input tensor, and what to divide input pixels by to get 0..1 of the picture."""
    h, w = bgr.shape[:2]
    if kind == "yolox":
        ratio = min(height / h, width / w)
        small = cv2.resize(bgr, (int(w * ratio), int(h * ratio)), interpolation=cv2.INTER_LINEAR)
        x = np.full((height, width, 3), 114, np.float32)
        x[: small.shape[0], : small.shape[1]] = small
        # Not w * ratio, h * ratio as the original does: the picture was resized to whole pixels.
        divisor = (small.shape[1], small.shape[0])
    else:
        x = cv2.resize(bgr, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
        divisor = (width, height)
        if kind == "picodet":
            x = (x[:, :, ::-1] - IMAGENET_RGB[0]) / IMAGENET_RGB[1]
        elif kind == "nanodet":
            x = (x - IMAGENET_BGR[0]) / IMAGENET_BGR[1]
        else:
            x, divisor = x / 255, (1, 1)
    return np.ascontiguousarray(x.transpose(2, 0, 1)[None], np.float32), divisor


def nms(boxes, scores, iou_max):
    order, kept = np.argsort(-scores, kind="stable"), []
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while order.size:
        best, order = order[0], order[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[order, :2])
        high = np.minimum(boxes[best, 2:], boxes[order, 2:])
        overlap = np.prod(np.clip(high - low, 0, None), 1)
        order = order[overlap / (area[best] + area[order] - overlap) <= iou_max]
    return kept


class Network:
    def __init__(self, models, name):
        file, self.kind, self.iou = NETWORKS[name]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(models / file), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0]

    def detect(self, bgr, score_min, most=100):
        """[(class, score, x0, y0, x1, y1)], best first, corners as fractions of the picture."""
        height, width = self.input.shape[2:]
        tensor, divisor = prepare(self.kind, bgr, height, width)
        boxes, scores = decode(self.kind, self.session.run(None, {self.input.name: tensor}), height, width)
        boxes = np.clip(boxes / np.array(divisor * 2), 0, 1)
        if self.kind not in ("picodet", "nanodet"):
            # One class per box: the others' scores are struck out.
            scores = np.where(np.arange(scores.shape[1]) == scores.argmax(1)[:, None], scores, 0)
        found = []
        for c in np.unique(np.nonzero(scores >= score_min)[1]):
            rows = np.nonzero(scores[:, c] >= score_min)[0]
            for i in nms(boxes[rows], scores[rows, c], self.iou):
                found.append((int(c), float(scores[rows[i], c]), *map(float, boxes[rows[i]])))
        return sorted(found, key=lambda d: -d[1])[:most]


def half_chroma(bgr):
    """The picture with one chroma sample for four pixels, as every camera's stream has it, and full range BT.601.

    Goldens are about decoding: without this the colour that 4:2:0 does not carry would be in them too.
    """
    h, w = bgr.shape[:2]
    b, g, r = (bgr[:, :, c].astype(np.float32) for c in range(3))
    y = np.round(0.299 * r + 0.587 * g + 0.114 * b)

    def mean(plane):
        even = np.pad(plane, ((0, h % 2), (0, w % 2)), mode="edge")
        return even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2).mean((1, 3))

    def spread(plane):
        return cv2.resize(np.round(plane), (w + w % 2, h + h % 2), interpolation=cv2.INTER_LINEAR)[:h, :w]

    luma = 0.299 * mean(r) + 0.587 * mean(g) + 0.114 * mean(b)
    u, v = spread((mean(b) - luma) / 1.772), spread((mean(r) - luma) / 1.402)
    halved = np.stack([y + 1.772 * u, y - (0.114 * 1.772 * u + 0.299 * 1.402 * v) / 0.587, y + 1.402 * v], -1)
    return np.clip(np.round(halved), 0, 255).astype(np.uint8)


def goldens(shared, out):
    pictures = sorted((shared / "datasets/coco_val128/images").glob("*.jpg"))[::12][:10]
    for name in NETWORKS:
        network = Network(shared / "models", name)
        rows = []
        for path in pictures:
            found = network.detect(half_chroma(cv2.imread(str(path))), 0.3)
            rows.append({
                "picture": path.name,
                "detections": [
                    {
                        "label": COCO[c],
                        "score": round(score, 4),
                        "box": [round(v, 5) for v in (x0, y0, x1 - x0, y1 - y0)],
                    }
                    for c, score, x0, y0, x1, y1 in found
                ],
            })
        (out / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n")
        print(name, sum(len(r["detections"]) for r in rows))


def evaluate(shared, names):
    from pycocotools.coco import COCO as Truth
    from pycocotools.cocoeval import COCOeval

    folder = shared / "datasets/coco_val128"
    truth, images, sizes = [], [], {}
    for number, path in enumerate(sorted((folder / "images").glob("*.jpg"))):
        height, width = cv2.imread(str(path)).shape[:2]
        images.append({"id": number, "file_name": path.name, "width": width, "height": height})
        sizes[number] = (path, width, height)
        label = folder / "labels" / (path.stem + ".txt")
        for line in label.read_text().splitlines() if label.exists() else []:
            c, cx, cy, w, h = map(float, line.split())
            w, h = w * width, h * height
            box = [cx * width - w / 2, cy * height - h / 2, w, h]
            truth.append({"id": len(truth) + 1, "image_id": number, "category_id": int(c), "bbox": box,
                          "area": w * h, "iscrowd": 0})
    coco = Truth()
    coco.dataset = {"images": images, "annotations": truth,
                    "categories": [{"id": i, "name": n} for i, n in enumerate(COCO)]}
    coco.createIndex()
    for name in names or NETWORKS:
        network = Network(shared / "models", name)
        found = []
        for number, (path, width, height) in sizes.items():
            for c, score, x0, y0, x1, y1 in network.detect(cv2.imread(str(path)), 0.01):
                box = [x0 * width, y0 * height, (x1 - x0) * width, (y1 - y0) * height]
                found.append({"image_id": number, "category_id": c, "bbox": box, "score": score})
        run = COCOeval(coco, coco.loadRes(found), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
        print(f"{name}: mAP50-95 {run.stats[0] * 100:.2f}  mAP50 {run.stats[1] * 100:.2f}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) >= 4 and sys.argv[1] == "goldens":
        goldens(Path(sys.argv[2]), Path(sys.argv[3]))
    elif len(sys.argv) >= 3 and sys.argv[1] == "eval":
        evaluate(Path(sys.argv[2]), sys.argv[3:])
    else:
        sys.exit(__doc__)
