"""Training pictures: read once, then cropped, scaled, mixed and re-lit; every one a function of the seed and its number."""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

ROWS, COLUMNS = 384, 640
CLASSES = 4
WIDTH_MAX = 960
GREY = 114
# A subject of which less than this is left in the crop, or that is smaller (pixels), may be seen or not.
LEFT_MIN, SIDE_MIN = 0.35, 5.0

cv2.setNumThreads(1)


def rows_of(path):
    if not path.exists():
        return np.zeros((0, 5), np.float32)
    rows = [row.split() for row in path.read_text().splitlines()]
    return np.array([row for row in rows if len(row) == 5], np.float32).reshape(-1, 5)


def corners(rows, width, height):
    """Label rows as [n, 5]: class and corners in pixels."""
    boxes = rows.copy()
    boxes[:, 1:3] = rows[:, 1:3] - rows[:, 3:5] / 2
    boxes[:, 3:5] = rows[:, 1:3] + rows[:, 3:5] / 2
    return boxes * np.array([1, width, height, width, height], np.float32)


class Pictures(Dataset):
    """`folders`: (folder with images/, labels/ and perhaps unclear/, its share of what is drawn)."""

    def __init__(self, folders, seed, count, plain_from):
        self.seed, self.count, self.plain_from = seed, count, plain_from
        self.sources, shares = [], []
        for folder, share in folders:
            source = [self.read(picture) for picture in sorted(Path(folder).glob("images/*.jpg"))]
            if source:
                self.sources.append(source)
                shares.append(share)
        self.shares = np.array(shares) / sum(shares)

    @staticmethod
    def read(path):
        picture = cv2.imread(str(path))
        if picture.shape[1] > WIDTH_MAX:
            ratio = WIDTH_MAX / picture.shape[1]
            picture = cv2.resize(picture, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
        height, width = picture.shape[:2]
        known, unclear = (
            corners(rows_of(path.parent.parent / part / f"{path.stem}.txt"), width, height) for part in ("labels", "unclear")
        )
        return picture, np.concatenate([np.c_[known, np.ones(len(known))], np.c_[unclear, np.zeros(len(unclear))]]).astype(np.float32)

    def __len__(self):
        return self.count

    def __getitem__(self, number):
        random = np.random.default_rng((self.seed, number))
        canvas = np.full((ROWS, COLUMNS, 3), GREY, np.uint8)
        if random.random() < 0.3 and number < self.plain_from:
            x, y = int(random.uniform(0.3, 0.7) * COLUMNS), int(random.uniform(0.3, 0.7) * ROWS)
            quarters = [(0, 0, x, y), (x, 0, COLUMNS, y), (0, y, x, ROWS), (x, y, COLUMNS, ROWS)]
            boxes = np.concatenate([self.place(random, canvas, quarter, 0.45, 1.4) for quarter in quarters])
        elif random.random() < 0.5:
            boxes = self.place(random, canvas, (0, 0, COLUMNS, ROWS), 0.95, 1.05)
        else:
            boxes = self.place(random, canvas, (0, 0, COLUMNS, ROWS), 0.6, 2.2)
        canvas = relit(random, canvas)
        return torch.from_numpy(np.ascontiguousarray(canvas[:, :, ::-1]).transpose(2, 0, 1)), torch.from_numpy(boxes)

    def place(self, random, canvas, window, low, high):
        """Draws a picture, scaled by `low`..`high` of what just fits the whole canvas, into a window of the canvas."""
        source = self.sources[random.choice(len(self.sources), p=self.shares)]
        picture, boxes = source[random.integers(len(source))]
        height, width = picture.shape[:2]
        x0, y0, x1, y1 = window
        fit = min(COLUMNS / width, ROWS / height)
        scale = fit * float(np.exp(random.uniform(np.log(low), np.log(high))))
        stretch = float(np.exp(random.normal(0, 0.06)))
        sx, sy = scale * stretch, scale / stretch
        slack_x, slack_y = (x1 - x0) - width * sx, (y1 - y0) - height * sy
        dx, dy = x0 + random.random() * slack_x, y0 + random.random() * slack_y
        if random.random() < 0.5:
            picture, boxes = picture[:, ::-1], boxes.copy()
            boxes[:, [1, 3]] = width - boxes[:, [3, 1]]
        view = canvas[y0:y1, x0:x1]
        # Half-pixel centres, as the box resizes.
        matrix = np.array([[sx, 0, dx - x0 + 0.5 * sx - 0.5], [0, sy, dy - y0 + 0.5 * sy - 0.5]], np.float32)
        flags = cv2.INTER_LINEAR if scale > 0.55 else cv2.INTER_AREA
        if flags == cv2.INTER_AREA:
            half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            matrix[:, :2] *= 2
            picture = half
        drawn = cv2.warpAffine(
            np.ascontiguousarray(picture), matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR, borderValue=(GREY,) * 3
        )
        view[:] = drawn
        boxes = boxes.copy()
        boxes[:, [1, 3]] = boxes[:, [1, 3]] * sx + dx
        boxes[:, [2, 4]] = boxes[:, [2, 4]] * sy + dy
        whole = np.prod(boxes[:, 3:5] - boxes[:, 1:3], 1)
        boxes[:, 1:5] = boxes[:, 1:5].clip([x0, y0, x0, y0], [x1, y1, x1, y1])
        sides = boxes[:, 3:5] - boxes[:, 1:3]
        boxes = boxes[np.min(sides, 1) > 1.0]
        left = np.prod(sides, 1) / np.maximum(whole, 1e-6)
        doubtful = ((left < LEFT_MIN) | (np.max(sides, 1) < SIDE_MIN))[np.min(sides, 1) > 1.0]
        boxes[doubtful, 5] = 0.0
        return boxes


def relit(random, picture):
    """Another hour, another camera: gain, gamma, contrast, colour, infra-red, noise, softness."""
    if random.random() < 0.8:
        levels = np.arange(256) / 255.0
        curve = levels ** float(np.exp(random.normal(0, 0.25))) * random.uniform(0.65, 1.35) + random.uniform(-0.08, 0.08)
        tints = random.normal(1, 0.04, 3)
        table = (np.stack([curve * tint for tint in tints], -1) * 255).clip(0, 255).astype(np.uint8)
        picture = cv2.LUT(picture, table[None])
    chance = random.random()
    if chance < 0.12:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    elif chance < 0.5:
        grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        colour = random.uniform(0.3, 1.5)
        picture = cv2.addWeighted(picture, colour, grey, 1 - colour, 0)
    if random.random() < 0.15:
        picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.4, 1.2))
    if random.random() < 0.35:
        noise = np.empty(picture.shape[:2], np.int16)
        cv2.setRNGSeed(int(random.integers(1 << 30)))
        cv2.randn(noise, 0, random.uniform(1, 8))
        picture = cv2.add(picture, cv2.merge([noise] * 3), dtype=cv2.CV_8U)
    return picture


def collate(batch):
    """Bytes [batch, 3, rows, columns], and what `loss.loss` wants of each picture."""
    pictures = []
    for _, boxes in batch:
        clear, unclear = boxes[boxes[:, 5] > 0], boxes[boxes[:, 5] == 0]
        pictures.append({
            "truth": clear[:, 1:5].float(),
            "classes": clear[:, 0].long(),
            "unclear": unclear[:, 1:5].float(),
            "unclear_classes": 1 << unclear[:, 0].long(),
            "labelled": torch.ones(CLASSES),
        })
    return torch.stack([picture for picture, _ in batch]), pictures
