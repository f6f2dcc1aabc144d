"""Training pictures: drawn from labelled folders, cut, scaled, mixed and pasted; every one a function of the seed and its number."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from conditions import Conditions

CLASSES = 4
GREY = 114
# A subject of which less than this share is left in the crop, or that is smaller (pixels), may be seen or not.
LEFT_MIN, SIDE_MIN = 0.35, 5.0
# Heights that subjects are scaled to, in pixels of a canvas of 384 rows.
HEIGHT_MIN, HEIGHT_MAX = 9.0, 380.0
SCALE_MAX = 3.0
# From this free width or height of a window on (pixels), another picture fills it.
FREE_MIN = 96
MOSAIC, PASTE = 0.3, 0.15

cv2.setNumThreads(1)


@dataclass
class Source:
    """One set of pictures. `stretch`: bounds of the sideways stretch of pictures that were squeezed to a square, or None."""

    folder: Path
    share: float
    stretch: tuple | None = None
    rows_stretched: str = ""
    names: list = field(default_factory=list)


@dataclass
class Mix:
    """What one stage of the training draws: its canvas and its sets."""

    columns: int
    rows: int
    sources: list

    @staticmethod
    def read(path, data):
        """A stage's file; folders are below `data`. Sets that have no picture yet are left out."""
        written = tomllib.loads(Path(path).read_text())
        sources = []
        for row in written["set"]:
            source = Source(Path(data) / row["folder"], row["share"], row.get("stretch"), row.get("stretched", ""))
            source.names = sorted(p.stem for p in (source.folder / "labels").glob("*.txt"))
            if source.names:
                sources.append(source)
        return Mix(*written["canvas"], sources)


def rows_of(path):
    """Label rows [n, 6]: class, centre, size (0..1), score; five numbers have the score 1."""
    rows = [row.split() for row in path.read_text().splitlines()] if path.exists() else []
    rows = [row + ["1"] if len(row) == 5 else row for row in rows if len(row) in (5, 6)]
    return np.array(rows, np.float32).reshape(-1, 6)


def corners(rows, width, height):
    """Label rows as [n, 6]: class, corners in pixels, score."""
    boxes = rows.copy()
    boxes[:, 1:3] = rows[:, 1:3] - rows[:, 3:5] / 2
    boxes[:, 3:5] = rows[:, 1:3] + rows[:, 3:5] / 2
    boxes[:, 1:5] *= np.array([width, height, width, height], np.float32)
    return boxes


class Pictures(Dataset):
    """`count` pictures of a mix. Boxes are [n, 7]: class, corners, score, and 1 where the subject is certain, else 0."""

    def __init__(self, mix, seed, count, mosaic=MOSAIC):
        self.mix, self.seed, self.count, self.mosaic = mix, seed, count, mosaic
        self.conditions = Conditions()
        self.shares = np.array([source.share for source in mix.sources])
        self.shares = self.shares / self.shares.sum()

    def __len__(self):
        return self.count

    def __getitem__(self, number):
        random = np.random.default_rng((self.seed, int(number)))
        columns, rows = self.mix.columns, self.mix.rows
        canvas = np.full((rows, columns, 3), random.integers(0, 256) if random.random() < 0.3 else GREY, np.uint8)
        if random.random() < self.mosaic:
            x, y = int(random.uniform(0.3, 0.7) * columns), int(random.uniform(0.3, 0.7) * rows)
            quarters = [(0, 0, x, y), (x, 0, columns, y), (0, y, x, rows), (x, y, columns, rows)]
            boxes = np.concatenate([self.place(random, canvas, quarter) for quarter in quarters])
        else:
            boxes = self.place(random, canvas, (0, 0, columns, rows))
        if random.random() < PASTE:
            boxes = self.paste(random, canvas, boxes)
        canvas = self.conditions(random, canvas, boxes)
        return torch.from_numpy(np.ascontiguousarray(canvas[:, :, ::-1]).transpose(2, 0, 1)), torch.from_numpy(boxes)

    def draw(self, random):
        """A picture of the mix with its boxes, and its sideways stretch."""
        source = self.mix.sources[random.choice(len(self.mix.sources), p=self.shares)]
        name = source.names[random.integers(len(source.names))]
        picture = cv2.imread(str(source.folder / "images" / f"{name}.jpg"))
        height, width = picture.shape[:2]
        parts = [corners(rows_of(source.folder / part / f"{name}.txt"), width, height) for part in ("labels", "unclear")]
        boxes = np.concatenate([np.c_[part, np.full(len(part), 1.0 - number)] for number, part in enumerate(parts)])
        stretch = float(np.exp(random.normal(0, 0.07)))
        if source.stretch and name.startswith(source.rows_stretched):
            stretch *= float(np.sqrt(random.uniform(*source.stretch)))
        if random.random() < 0.5:
            picture = np.ascontiguousarray(picture[:, ::-1])
            boxes[:, [1, 3]] = width - boxes[:, [3, 1]]
        return picture, boxes.astype(np.float32), stretch

    def place(self, random, canvas, window):
        """Draws a picture into a window of the canvas, often so that one subject has a height drawn at random.

        Where it leaves most of a side free, other pictures fill that.
        """
        picture, boxes, stretch = self.draw(random)
        height, width = picture.shape[:2]
        x0, y0, x1, y1 = window
        fit = min(canvas.shape[1] / width, canvas.shape[0] / height)
        clear = np.nonzero(boxes[:, 6] > 0)[0]
        subject = None
        if len(clear) and random.random() < 0.65:
            # Classes by turns, so that the few persons of a street of cars are chosen as often as the cars.
            kind = random.choice(np.unique(boxes[clear, 0]))
            subject = boxes[random.choice(clear[boxes[clear, 0] == kind])]
            wanted = float(np.exp(random.uniform(np.log(HEIGHT_MIN), np.log(HEIGHT_MAX)))) * canvas.shape[0] / 384
            scale = float(np.clip(wanted / max(subject[4] - subject[2], 1.0), 0.3 * fit, SCALE_MAX))
        else:
            scale = fit * float(np.exp(random.uniform(np.log(0.6), np.log(2.0))))
        sx, sy = scale * stretch, scale / stretch
        others, first = [], random.random() < 0.5
        if (free := x1 - x0 - width * sx) > FREE_MIN:
            others.append(self.place(random, canvas, (x0, y0, x0 + int(free), y1) if first else (x1 - int(free), y0, x1, y1)))
            x0, x1 = (x0 + int(free), x1) if first else (x0, x1 - int(free))
        if (free := y1 - y0 - height * sy) > FREE_MIN:
            others.append(self.place(random, canvas, (x0, y0, x1, y0 + int(free)) if first else (x0, y1 - int(free), x1, y1)))
            y0, y1 = (y0 + int(free), y1) if first else (y0, y1 - int(free))
        dx = shift(random, x0, x1, width * sx, subject is not None and (subject[1] * sx, subject[3] * sx))
        dy = shift(random, y0, y1, height * sy, subject is not None and (subject[2] * sy, subject[4] * sy))
        if sx < 0.55:
            picture, halves = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), 2.0
        else:
            halves = 1.0
        # Half-pixel centres, as the box resizes.
        matrix = np.array([[sx * halves, 0, dx - x0 + 0.5 * sx * halves - 0.5], [0, sy * halves, dy - y0 + 0.5 * sy * halves - 0.5]], np.float32)
        cv2.warpAffine(
            picture, matrix, (x1 - x0, y1 - y0), dst=(view := np.ascontiguousarray(canvas[y0:y1, x0:x1])),
            flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
        canvas[y0:y1, x0:x1] = view
        boxes[:, [1, 3]] = boxes[:, [1, 3]] * sx + dx
        boxes[:, [2, 4]] = boxes[:, [2, 4]] * sy + dy
        whole = np.prod(boxes[:, 3:5] - boxes[:, 1:3], 1)
        boxes[:, 1:5] = boxes[:, 1:5].clip([x0, y0, x0, y0], [x1, y1, x1, y1])
        sides = boxes[:, 3:5] - boxes[:, 1:3]
        left = np.prod(sides, 1) / np.maximum(whole, 1e-6)
        boxes[(left < LEFT_MIN) | (np.max(sides, 1) < SIDE_MIN), 6] = 0.0
        return np.concatenate(others + [boxes[np.min(sides, 1) > 1.0]])

    def paste(self, random, canvas, boxes):
        """Puts one to three subjects of other pictures, with soft edges, where they cover no more than a third of a subject."""
        for _ in range(random.integers(1, 4)):
            picture, others, stretch = self.draw(random)
            clear = others[(others[:, 6] > 0) & (others[:, 0] <= 1) & (others[:, 4] - others[:, 2] >= 24)]
            if not len(clear):
                continue
            subject = clear[random.integers(len(clear))]
            x0, y0 = np.floor(subject[1:3]).astype(int).clip(0)
            x1, y1 = np.ceil(subject[3:5]).astype(int)
            cut = picture[y0:y1, x0:x1]
            high = int(np.exp(random.uniform(np.log(12), np.log(0.6 * canvas.shape[0]))))
            wide = int(high * stretch**2 * cut.shape[1] / cut.shape[0])
            if min(high, wide) < 4 or wide >= canvas.shape[1] or high > SCALE_MAX * cut.shape[0]:
                continue
            cut = cv2.resize(cut, (wide, high), interpolation=cv2.INTER_AREA if high < cut.shape[0] else cv2.INTER_LINEAR)
            x, y = int(random.integers(0, canvas.shape[1] - wide)), int(random.integers(0, canvas.shape[0] - high))
            new = np.array([subject[0], x, y, x + wide, y + high, subject[5], 1.0], np.float32)
            both = (np.minimum(boxes[:, 3:5], new[3:5]) - np.maximum(boxes[:, 1:3], new[1:3])).clip(0).prod(1)
            if len(boxes) and (both / np.maximum((boxes[:, 3:5] - boxes[:, 1:3]).prod(1), 1e-6)).max() > 0.33:
                continue
            v, u = np.mgrid[0:high, 0:wide]
            away = ((u - wide / 2 + 0.5) / (wide / 2)) ** 4 + ((v - high / 2 + 0.5) / (high / 2)) ** 4
            alpha = np.clip((1.15 - away) / 0.35, 0, 1)[:, :, None].astype(np.float32)
            place = canvas[y : y + high, x : x + wide]
            place[:] = (cut * alpha + place * (1 - alpha)).astype(np.uint8)
            boxes = np.concatenate([boxes, new[None]])
        return boxes


def shift(random, low, high, size, subject):
    """Where a picture of `size` begins on an axis: it fills low..high where it can, and shows most of the subject."""
    first, last = sorted((low, high - size))
    if subject:
        # The subject's middle is inside, or the whole of it where there is room.
        inside = min((subject[1] - subject[0]) * 0.5, (high - low) * 0.5)
        least, most = low + inside - (subject[0] + subject[1]) / 2, high - inside - (subject[0] + subject[1]) / 2
        first, last = min(max(first, least), most), max(min(last, most), least)
        first, last = sorted((first, last))
    return float(first + random.random() * (last - first))


def collate(batch):
    """Bytes [batch, 3, rows, columns], and what `loss.loss` wants of each picture."""
    pictures = []
    for _, boxes in batch:
        clear, unclear = boxes[boxes[:, 6] > 0], boxes[boxes[:, 6] == 0]
        pictures.append({
            "truth": clear[:, 1:5].float(),
            "classes": clear[:, 0].long(),
            "scores": clear[:, 5].float(),
            "unclear": unclear[:, 1:5].float(),
            "unclear_classes": 1 << unclear[:, 0].long(),
        })
    return torch.stack([picture for picture, _ in batch]), pictures
