"""Labels for pictures that have none, or none of some classes, by two public networks (YOLOX-nano and PicoDet-S).

    python pseudo.py SHARED OUT

Writes OUT/clips_train and OUT/clips_rest (frames of SHARED/clips, in turns of four seconds: what is in the second folder
no training sees), OUT/junction (SHARED/datasets/vn_vehicles/train) and OUT/photos (openimages_vehicles), each with
images/, labels/ (class, centre, size) and unclear/ (the same: may be there or not; such places teach nothing).
"""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

SURE, MAYBE = 0.5, 0.15
SIZE = (640, 384)
# COCO's classes that matter -> person, two-wheeler, car, large-vehicle.
OURS = {0: 0, 1: 1, 3: 1, 2: 2, 5: 3, 7: 3}
FPS, TURN_SECONDS = 4, 4


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def grid(strides, offset):
    points, steps = [], []
    for stride in strides:
        y, x = np.mgrid[0 : SIZE[1] // stride, 0 : SIZE[0] // stride]
        points.append((np.stack([x, y], -1).reshape(-1, 2) + offset) * stride)
        steps.append(np.full((points[-1].shape[0], 1), stride))
    return np.concatenate(points).astype(np.float32), np.concatenate(steps).astype(np.float32)


def yolox(network, bgr):
    ratio = min(SIZE[0] / bgr.shape[1], SIZE[1] / bgr.shape[0])
    small = cv2.resize(bgr, (int(bgr.shape[1] * ratio + 1e-3), int(bgr.shape[0] * ratio + 1e-3)))
    x = np.full((SIZE[1], SIZE[0], 3), 114, np.float32)
    x[: small.shape[0], : small.shape[1]] = small
    out = network.run(None, {network.get_inputs()[0].name: x.transpose(2, 0, 1)[None]})[0][0]
    corner, steps = grid((8, 16, 32), 0.0)
    centre, size = out[:, :2] * steps + corner, np.exp(out[:, 2:4]) * steps
    scale = np.tile((small.shape[1], small.shape[0]), 2)
    return np.concatenate([centre - size / 2, centre + size / 2], 1) / scale, out[:, 4:5] * out[:, 5:]


def picodet(network, bgr):
    x = cv2.resize(bgr, SIZE)[:, :, ::-1].astype(np.float32)
    x = (x - (123.675, 116.28, 103.53)) / (58.395, 57.12, 57.375)
    x = np.ascontiguousarray(x.transpose(2, 0, 1)[None], np.float32)
    outputs = network.run(None, {network.get_inputs()[0].name: x})
    scores = np.concatenate([o[0] for o in outputs if o.shape[-1] == 80])
    bins = np.concatenate([o[0] for o in outputs if o.shape[-1] == 32]).reshape(-1, 4, 8)
    bins = np.exp(bins - bins.max(-1, keepdims=True))
    points, steps = grid((8, 16, 32, 64), 0.5)
    far = (bins / bins.sum(-1, keepdims=True)) @ np.arange(8, dtype=np.float32) * steps
    return np.concatenate([points - far[:, :2], points + far[:, 2:]], 1) / np.tile(SIZE, 2), scores


def overlap(a, b):
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    return float(np.prod(np.clip(high - low, 0, None)))


def area(box):
    return float(np.prod(np.clip(box[2:] - box[:2], 0, None)))


def iou(a, b):
    both = overlap(a, b)
    return both / (area(a) + area(b) - both + 1e-9)


def sits_on(rider, mount):
    """As src/track/merge.rs."""
    width, height = (lambda b: b[2] - b[0]), (lambda b: b[3] - b[1])
    beside = abs(rider[0] + rider[2] - mount[0] - mount[2]) / 2
    ends = (rider[3] - mount[1]) / (height(mount) + 1e-9)
    shared = overlap(rider, mount) / (min(area(rider), area(mount)) + 1e-9)
    return (
        beside < 0.3 * max(width(mount), width(rider))
        and 0.45 <= ends < 1.06
        and shared > 0.3
        and 0.35 <= height(rider) / (height(mount) + 1e-9) < 2.2
    )


def look(networks, bgr):
    """[(class, score, box)], best first; what both networks see counts once, riders are part of what they ride."""
    found = []
    for of, network in networks:
        boxes, scores = of(network, bgr)
        for theirs, mine in OURS.items():
            found += [(mine, float(scores[i, theirs]), boxes[i].clip(0, 1)) for i in np.nonzero(scores[:, theirs] >= MAYBE)[0]]
    found.sort(key=lambda f: -f[1])
    kept = []
    for new in found:
        if area(new[2]) > 0 and all(k[0] != new[0] or iou(k[2], new[2]) < 0.55 for k in kept):
            kept.append(new)
    mounts = [k for k in kept if k[0] == 1]
    for mount in mounts:
        riders = [k for k in kept if k[0] == 0 and sits_on(k[2], mount[2])]
        if riders:
            kept = [k for k in kept if k is not mount and not any(k is r for r in riders)]
            boxes = np.stack([mount[2]] + [r[2] for r in riders])
            kept.append((1, mount[1], np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)])))
    # A car that is also a bus or a truck: the surer word is the truth, the other is not held against anybody.
    kept.sort(key=lambda k: -k[1])
    return kept


def line(kind, box):
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return f"{kind} {x:.6f} {y:.6f} {box[2] - box[0]:.6f} {box[3] - box[1]:.6f}\n"


def write(folder, name, jpeg, truth, unclear):
    for part, content in (("images", jpeg), ("labels", "".join(truth).encode()), ("unclear", "".join(unclear).encode())):
        (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / part / f"{name}{'.jpg' if part == 'images' else '.txt'}").write_bytes(content)


def read(path):
    """[(class, box)] of a label file."""
    rows = [list(map(float, row.split())) for row in path.read_text().splitlines() if len(row.split()) == 5] if path.exists() else []
    return [(int(c), np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])) for c, x, y, w, h in rows]


def split_four_wheelers(found):
    """A four-wheeler that is also called the other kind is unclear as that."""
    kept, doubt = [], []
    for new in found:
        twice = new[0] >= 2 and any(k[0] >= 2 and k[0] != new[0] and iou(k[2], new[2]) > 0.6 for k in kept)
        (doubt if twice else kept).append(new)
    return kept, doubt


def clips(networks, shared, out):
    for clip in sorted((shared / "clips").glob("*.mp4")):
        size = subprocess.run(
            ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "stream=width,height", "-of", "csv=p=0", clip],
            check=True, capture_output=True, text=True).stdout.strip().split(",")[:2]
        width, height = map(int, size)
        raw = subprocess.run(
            ["ffmpeg", "-v", "error", "-i", clip, "-vf", f"fps={FPS}", "-f", "rawvideo", "-pix_fmt", "bgr24", "-"],
            check=True, capture_output=True).stdout
        frames = np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)
        for number, frame in enumerate(frames):
            found, doubt = split_four_wheelers(look(networks, frame))
            folder = out / ("clips_rest" if number // (FPS * TURN_SECONDS) % 2 else "clips_train")
            jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
            truth = [line(k, b) for k, s, b in found if s >= SURE]
            unclear = [line(k, b) for k, s, b in found if s < SURE] + [line(k, b) for k, _, b in doubt]
            write(folder, f"{clip.stem}_{number:04}", jpeg, truth, unclear)


def labelled(networks, pictures, out, theirs, persons):
    """Keeps a data set's own labels (`theirs`: class -> ours); of what they leave out, adds sure persons if `persons`."""
    for picture in sorted((pictures / "images").glob("*.jpg")):
        known = [(theirs[c], b) for c, b in read(pictures / "labels" / f"{picture.stem}.txt") if c in theirs]
        truth, unclear = [line(k, b) for k, b in known], []
        for kind, score, box in look(networks, cv2.imread(str(picture))):
            explained = any(iou(box, b) > 0.4 or overlap(box, b) > 0.7 * area(box) for _, b in known)
            if kind == 0 and persons and score >= SURE and not explained:
                truth.append(line(kind, box))
            elif kind == 0 or (not explained and (persons or score >= 0.4)):
                unclear.append(line(kind, box))
        write(out, picture.stem, picture.read_bytes(), truth, unclear)


def main():
    shared, out = Path(sys.argv[1]), Path(sys.argv[2])
    networks = [
        (yolox, session(shared / "models/yolox_nano_384x640.onnx")),
        (picodet, session(shared / "models/picodet_s_384x640.onnx")),
    ]
    clips(networks, shared, out)
    data = shared / "datasets"
    labelled(networks, data / "openimages_vehicles/valid", out / "photos", {0: 3, 1: 3, 2: 2, 3: 1, 4: 3}, True)
    labelled(networks, data / "vn_vehicles/train", out / "junction", {0: 1, 1: 2, 2: 3, 3: 3}, False)


if __name__ == "__main__":
    main()
