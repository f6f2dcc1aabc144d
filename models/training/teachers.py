"""Public networks that label pictures: YOLOX-nano, PicoDet-S and NanoDet-Plus, decoded to COCO scores.

`Teachers(folder).views(bgr, mirror, tiles)` yields, per network and view of the picture, boxes [n, 4] (corners, 0..1 of the whole
picture) and scores [n, 80]. A view is the whole picture, its mirror image, or a tile at the picture's own resolution.
"""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime

SCORE_MIN = 0.1


def grid(columns, rows, strides, offset):
    """Cell positions [n, 2] in pixels and their strides [n, 1]; `offset` is 0 for corners, 0.5 for centres."""
    points, steps = [], []
    for stride in strides:
        y, x = np.mgrid[0 : -(-rows // stride), 0 : -(-columns // stride)]
        points.append((np.stack([x, y], -1).reshape(-1, 2) + offset) * stride)
        steps.append(np.full((points[-1].shape[0], 1), stride))
    return np.concatenate(points).astype(np.float32), np.concatenate(steps).astype(np.float32)


def distances(bins):
    """Mean of each side's distribution over 8 bins: [n, 32] -> [n, 4], in strides."""
    bins = bins.reshape(-1, 4, 8)
    bins = np.exp(bins - bins.max(-1, keepdims=True))
    return (bins / bins.sum(-1, keepdims=True)) @ np.arange(8, dtype=np.float32)


class Network:
    """One ONNX file on one thread. `name` says how its input is made and its output is read."""

    def __init__(self, name, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.name = name
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.rows, self.columns = self.session.get_inputs()[0].shape[2:]

    def __call__(self, bgr):
        """Boxes in fractions of the picture's sides, and the scores of COCO's 80 classes."""
        boxes, scores = getattr(self, self.name)(bgr)
        some = scores.max(1) >= SCORE_MIN
        return boxes[some], scores[some]

    def yolox(self, bgr):
        ratio = min(self.columns / bgr.shape[1], self.rows / bgr.shape[0])
        small = cv2.resize(bgr, (int(bgr.shape[1] * ratio + 1e-3), int(bgr.shape[0] * ratio + 1e-3)))
        x = np.full((self.rows, self.columns, 3), 114, np.float32)
        x[: small.shape[0], : small.shape[1]] = small
        out = self.session.run(None, {self.input: x.transpose(2, 0, 1)[None]})[0][0]
        corner, steps = grid(self.columns, self.rows, (8, 16, 32), 0.0)
        centre, half = out[:, :2] * steps + corner, np.exp(out[:, 2:4]) * steps / 2
        sides = np.tile((small.shape[1], small.shape[0]), 2)
        return np.concatenate([centre - half, centre + half], 1) / sides, out[:, 4:5] * out[:, 5:]

    def picodet(self, bgr):
        x = cv2.resize(bgr, (self.columns, self.rows))[:, :, ::-1].astype(np.float32)
        x = (x - (123.675, 116.28, 103.53)) / (58.395, 57.12, 57.375)
        outputs = self.session.run(None, {self.input: np.ascontiguousarray(x.transpose(2, 0, 1)[None], np.float32)})
        scores = np.concatenate([o[0] for o in outputs if o.shape[-1] == 80])
        far = distances(np.concatenate([o[0] for o in outputs if o.shape[-1] == 32]))
        return self.around(0.5, far), scores

    def nanodet(self, bgr):
        x = cv2.resize(bgr, (self.columns, self.rows)).astype(np.float32)
        x = (x - (103.53, 116.28, 123.675)) / (57.375, 57.12, 58.395)
        out = self.session.run(None, {self.input: np.ascontiguousarray(x.transpose(2, 0, 1)[None], np.float32)})[0][0]
        return self.around(0.0, distances(out[:, 80:])), out[:, :80]

    def around(self, offset, far):
        """Boxes from the distances of their sides to the cells."""
        points, steps = grid(self.columns, self.rows, (8, 16, 32, 64), offset)
        far = far * steps
        return np.concatenate([points - far[:, :2], points + far[:, 2:]], 1) / np.tile((self.columns, self.rows), 2)


class Teachers:
    """The three networks of a folder. Square inputs see square pictures, wide ones wide pictures."""

    def __init__(self, folder):
        folder = Path(folder)
        self.wide = [Network("yolox", folder / "yolox_nano_384x640.onnx"), Network("picodet", folder / "picodet_s_384x640.onnx")]
        self.square = [Network("yolox", folder / "yolox_nano_416.onnx"), Network("nanodet", folder / "nanodet_plus_m_416.onnx")]

    def views(self, bgr, mirror=False, tiles=False):
        """Yields (network, boxes, scores); networks of one family count as one."""
        height, width = bgr.shape[:2]
        networks = self.square + [self.wide[1]] if width < 1.4 * height else self.wide + [self.square[1]]
        for network in networks:
            yield network.name, *network(bgr)
            if mirror:
                boxes, scores = network(np.ascontiguousarray(bgr[:, ::-1]))
                yield network.name, np.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], 1), scores
        if tiles:
            yield from self.tiles(bgr)

    def tiles(self, bgr):
        """Overlapping parts of 0.58 of each side. Boxes that an inner edge cuts are dropped."""
        height, width = bgr.shape[:2]
        high, wide = int(0.58 * height), int(0.58 * width)
        for top in (0, height - high):
            for left in (0, width - wide):
                tile = np.ascontiguousarray(bgr[top : top + high, left : left + wide])
                for network in self.wide:
                    boxes, scores = network(tile)
                    x_cut = boxes[:, 0] < 0.01 if left else boxes[:, 2] > 0.99
                    y_cut = boxes[:, 1] < 0.01 if top else boxes[:, 3] > 0.99
                    whole = ~(x_cut | y_cut)
                    boxes = boxes[whole] * np.tile((wide, high), 2) + np.tile((left, top), 2)
                    yield network.name, boxes / np.tile((width, height), 2), scores[whole]
