"""Light, weather, lens, sensor and encoder: what a street camera's picture goes through, drawn at random."""

import cv2
import numpy as np


class Conditions:
    """`Conditions()(random, bgr, boxes)` gives another picture of the same scene. Boxes are [n, 7], as in pictures.py."""

    def __call__(self, random, picture, boxes):
        night = random.random() < 0.15
        if random.random() < 0.7:
            picture = exposure(random, picture)
        if night:
            picture = darkened(random, picture, boxes)
        elif random.random() < 0.12:
            picture = tinted(random, picture)
        chance = random.random()
        if chance < 0.25:
            picture = infra_red(random, picture)
        elif chance < 0.5:
            picture = coloured(random, picture)
        chance = random.random()
        if chance < 0.07:
            picture = equalised(random, picture)
        elif chance < 0.17:
            picture = low_contrast(random, picture)
        elif chance < 0.23:
            picture = fog(random, picture)
        if random.random() < 0.05:
            picture = rain(random, picture)
        chance = random.random()
        if chance < 0.13:
            picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.4, 2.2) * picture.shape[0] / 384)
        elif chance < 0.19:
            picture = moved(random, picture)
        if night or random.random() < 0.25:
            picture = noise(random, picture, 12.0 if night else 7.0)
        if random.random() < 0.3:
            picture = encoded(random, picture)
        return picture


def grey(picture):
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


def by_table(picture, curve):
    """A picture through a curve [256] or [256, 3] of levels 0..1."""
    table = (np.asarray(curve) * 255).clip(0, 255).astype(np.uint8)
    return cv2.LUT(picture, table.reshape(1, 256, -1) if table.ndim > 1 else table)


LEVELS = np.arange(256) / 255.0


def exposure(random, picture):
    curve = LEVELS ** float(np.exp(random.normal(0, 0.3))) * random.uniform(0.6, 1.4) + random.uniform(-0.08, 0.08)
    return by_table(picture, np.stack([curve * tint for tint in random.normal(1, 0.05, 3)], -1))


def tinted(random, picture):
    """Dusk is blue, sodium lamps are orange, old white balance is green."""
    blue, green, red = ((1.35, 1.0, 0.7), (0.5, 0.85, 1.25), (0.85, 1.15, 0.9))[random.integers(3)]
    strength = random.uniform(0.4, 1.0)
    gains = [1 + (gain - 1) * strength for gain in (blue, green, red)]
    return by_table(picture, np.stack([LEVELS * gain for gain in gains], -1) * random.uniform(0.5, 1.0))


def coloured(random, picture):
    colour = random.uniform(0.2, 1.6)
    return cv2.addWeighted(picture, colour, grey(picture), 1 - colour, 0)


def infra_red(random, picture):
    """Grey by any weights of the colours; now and then lit from the camera: bright in the middle."""
    weights = random.dirichlet((1.0, 1.0, 1.0)).astype(np.float32)
    single = cv2.transform(picture, weights[None])
    if random.random() < 0.3:
        rows, columns = single.shape[:2]
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
        x0, y0, reach = columns * random.uniform(0.3, 0.7), rows * random.uniform(0.3, 0.8), columns * random.uniform(0.3, 0.8)
        single = (single * (0.25 + 0.9 * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / reach**2))).clip(0, 255).astype(np.uint8)
    return cv2.merge([single] * 3)


def darkened(random, picture, boxes):
    """Night: little light, lamps above, headlights on vehicles that dazzle."""
    picture = by_table(picture, LEVELS ** random.uniform(1.0, 1.6) * random.uniform(0.15, 0.55))
    lights = []
    for box in boxes[(boxes[:, 0] >= 1) & (boxes[:, 6] > 0)]:
        if random.random() < 0.4:
            high = box[4] - box[2]
            for _ in range(1 if box[0] == 1 else 2):
                lights.append((random.uniform(box[1], box[3]), random.uniform(box[2] + 0.4 * high, box[4]), random.uniform(0.06, 0.45) * high))
    for _ in range(random.integers(0, 4)):
        lights.append((random.uniform(0, picture.shape[1]), random.uniform(0, 0.6 * picture.shape[0]), random.uniform(2, 30)))
    if not lights:
        return picture
    # Lamps are wide: a quarter of the resolution is enough.
    rows, columns = picture.shape[0] // 4, picture.shape[1] // 4
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) * 4 + 2
    glow = np.zeros((rows, columns), np.float32)
    for cx, cy, radius in lights:
        glow += np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * max(radius, 2.0) ** 2)) * random.uniform(0.6, 1.6)
    glow = cv2.resize(glow, (picture.shape[1], picture.shape[0]))[:, :, None] * 255
    warm = np.array([random.uniform(0.7, 1.1), 0.95, 1.0], np.float32)
    return (picture + glow * warm).clip(0, 255).astype(np.uint8)


def equalised(random, picture):
    lab = cv2.cvtColor(picture, cv2.COLOR_BGR2LAB)
    lab[:, :, 0] = cv2.createCLAHE(random.uniform(1.5, 5.0), (8, 8)).apply(lab[:, :, 0])
    return cv2.cvtColor(lab, cv2.COLOR_LAB2BGR)


def low_contrast(random, picture):
    kept, middle = random.uniform(0.25, 0.7), random.uniform(0.2, 0.7)
    return by_table(picture, middle + (LEVELS - middle) * kept)


def fog(random, picture):
    """Thicker at the top, where the street is far."""
    rows = picture.shape[0]
    thick = np.linspace(random.uniform(0.4, 0.85), random.uniform(0.0, 0.4), rows, dtype=np.float32)[:, None, None]
    return (picture * (1 - thick) + random.uniform(120, 220) * thick).astype(np.uint8)


def rain(random, picture):
    rows, columns = picture.shape[:2]
    drops = np.zeros((rows, columns), np.uint8)
    count = int(random.uniform(0.0005, 0.004) * rows * columns)
    drops[random.integers(0, rows, count), random.integers(0, columns, count)] = 255
    length = int(random.integers(5, 16))
    kernel = np.zeros((length, length), np.float32)
    lean = random.uniform(-0.3, 0.3) * length
    cv2.line(kernel, (int(length / 2 - lean / 2), 0), (int(length / 2 + lean / 2), length - 1), 1.0)
    streaks = cv2.filter2D(drops, cv2.CV_32F, kernel) * random.uniform(0.15, 0.6)
    return (picture * random.uniform(0.7, 1.0) + streaks[:, :, None].clip(0, 140)).clip(0, 255).astype(np.uint8)


def moved(random, picture):
    length = int(random.integers(3, 10))
    kernel = np.zeros((length, length), np.float32)
    angle = random.uniform(0, np.pi)
    middle = (length - 1) / 2
    ends = [(int(round(middle + s * middle * np.cos(angle))), int(round(middle + s * middle * np.sin(angle)))) for s in (-1, 1)]
    cv2.line(kernel, *ends, 1.0)
    return cv2.filter2D(picture, -1, kernel / kernel.sum())


def noise(random, picture, most):
    cv2.setRNGSeed(int(random.integers(1 << 30)))
    single = random.random() < 0.6
    grain = np.empty(picture.shape[:2] if single else picture.shape, np.int16)
    cv2.randn(grain, 0, random.uniform(1, most))
    return cv2.add(picture, cv2.merge([grain] * 3) if single else grain, dtype=cv2.CV_8U)


def encoded(random, picture):
    """Blocks and lost detail as of a low bit rate: fewer samples now and then, coarse quantisation, smoothing after it."""
    rows, columns = picture.shape[:2]
    if random.random() < 0.3:
        ratio = random.uniform(0.45, 0.9)
        picture = cv2.resize(picture, (int(columns * ratio), int(rows * ratio)), interpolation=cv2.INTER_AREA)
    quality = int(random.uniform(8, 60))
    picture = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    if random.random() < 0.4:
        picture = cv2.bilateralFilter(picture, 5, 25, 3)
    return picture if picture.shape[:2] == (rows, columns) else cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_LINEAR)
