"""Labels pictures with an ensemble of public networks: `python labels.py MODELS OUT FOLDER [--known 1,2]
    [--classes 0=1,1=2] [--mirror] [--tiles] [--part K/N]`.

FOLDER has images/ and perhaps labels/ and unclear/ (rows: class, centre x and y, width, height; 0..1 of the picture).
`--known` names the classes that FOLDER labels completely: there its own labels win. `--classes` maps the set's numbers. OUT gets images/ (links), labels/ and
unclear/: places where a subject may be or not, which teach nothing. Label rows carry the ensemble's score as a sixth number
(1 where the set itself says so). Pictures that OUT has are skipped, so that a stopped run goes on.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from teachers import Teachers

# COCO's classes that matter -> person, two-wheeler, car, large-vehicle.
OURS = {0: 0, 1: 1, 3: 1, 2: 2, 5: 3, 7: 3}
# A train may be a tram: no label, but nothing is held against a large vehicle there.
DOUBTFUL = {6: 3}
FAMILIES = 3
# From this mean score over the networks on a subject is labelled; from SCORE_UNCLEAR on its place is unclear.
SCORE_LABEL, SCORE_UNCLEAR = 0.36, 0.09
IOU_SAME = 0.55


def area(box):
    return float(np.prod(np.clip(box[2:] - box[:2], 0, None)))


def overlap(a, b):
    return float(np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)))


def iou(a, b):
    both = overlap(a, b)
    return both / (area(a) + area(b) - both + 1e-12)


def ious(box, boxes):
    """IoU of one box with [n, 4]."""
    both = np.clip(np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]), 0, None).prod(1)
    sizes = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(1)
    return both / (area(box) + sizes - both + 1e-12)


def fused(views):
    """Boxes of all views as clusters: [(class, score, box)], best first.

    A cluster's box is the mean of its members weighted by score; its score is the mean over the network families of each
    family's best score.
    """
    rows = []
    for family, (name, boxes, scores) in enumerate(views):
        for theirs, mine in {**OURS, **DOUBTFUL}.items():
            for index in np.nonzero(scores[:, theirs] >= 0.1)[0]:
                rows.append((theirs in DOUBTFUL, mine, float(scores[index, theirs]), boxes[index].clip(0, 1), name, family))
    rows.sort(key=lambda r: -r[2])
    found = []
    for kind in range(4):
        mine = [r for r in rows if r[1] == kind and not r[0] and area(r[3]) > 0]
        clusters, middles = [], np.zeros((0, 4))
        for row in mine:
            fits = ious(row[3], middles) if len(clusters) else np.zeros(0)
            best = int(fits.argmax()) if len(fits) else -1
            if best >= 0 and fits[best] > IOU_SAME:
                clusters[best].append(row)
                weights = np.array([r[2] for r in clusters[best]])
                middles[best] = (np.stack([r[3] for r in clusters[best]]) * weights[:, None]).sum(0) / weights.sum()
            else:
                clusters.append([row])
                middles = np.concatenate([middles, row[3][None]])
        for cluster, box in zip(clusters, middles):
            best = {}
            for row in cluster:
                best[row[4]] = max(best.get(row[4], 0.0), row[2])
            found.append((kind, sum(best.values()) / FAMILIES, box))
    found += [(r[1], SCORE_UNCLEAR, r[3]) for r in rows if r[0] and r[2] > 0.3]
    return sorted(found, key=lambda f: -f[1])


def sits_on(rider, mount):
    """A person box that belongs to a machine below it: the same limits as the box's own merging of riders."""
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


def with_riders(found):
    """Machines and who sits on them become one two-wheeler; the rider is no person of its own."""
    mounts = [f for f in found if f[0] == 1 and f[1] >= SCORE_UNCLEAR]
    gone, joined = set(), []
    for mount in mounts:
        riders = [f for f in found if f[0] == 0 and f[1] >= 0.15 and id(f) not in gone and sits_on(f[2], mount[2])]
        if riders:
            gone.update(id(r) for r in riders)
            gone.add(id(mount))
            boxes = np.stack([mount[2]] + [r[2] for r in riders])
            score = max(mount[1], min(0.8 * max(r[1] for r in riders), 0.35 + mount[1]))
            joined.append((1, score, np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)])))
    return sorted([f for f in found if id(f) not in gone] + joined, key=lambda f: -f[1])


def sorted_out(found):
    """(labels, unclear) of what the ensemble found: doubles and second names are unclear."""
    labels, unclear = [], []
    for new in found:
        kind, score, box = new
        if score < SCORE_UNCLEAR:
            continue
        twice = any(
            (k[0] == kind and (iou(k[2], box) > 0.5 or overlap(k[2], box) > 0.85 * area(box)))
            or (k[0] >= 2 and kind >= 2 and iou(k[2], box) > 0.5)
            or ({k[0], kind} == {0, 1} and iou(k[2], box) > 0.45)
            for k in labels
        )
        (labels if score >= SCORE_LABEL and not twice else unclear).append(new)
    return labels, unclear


def read(path, classes):
    """[(class, score, box)] of a label file; a file that is missing has none. Classes that the map leaves out are dropped."""
    rows = [list(map(float, row.split())) for row in path.read_text().splitlines()] if path.exists() else []
    return [
        (classes[int(r[0])], 1.0, np.array([r[1] - r[3] / 2, r[2] - r[4] / 2, r[1] + r[3] / 2, r[2] + r[4] / 2]))
        for r in rows if len(r) >= 5 and int(r[0]) in classes
    ]


def line(kind, score, box):
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return f"{kind} {x:.5f} {y:.5f} {box[2] - box[0]:.5f} {box[3] - box[1]:.5f} {score:.2f}\n"


def combined(found, own, own_unclear, known):
    """The set's own labels, and of the ensemble's what they leave open."""
    labels, unclear = list(own), list(own_unclear)
    extra, doubt = sorted_out(found)
    for new in extra:
        explained = any(iou(new[2], k[2]) > 0.4 or overlap(new[2], k[2]) > 0.7 * area(new[2]) for k in own)
        (labels if new[0] not in known and not explained else unclear).append(new)
    if known:
        # Where the set is complete, an object that it does not name is none: only what it labels itself may be doubted.
        unclear = [u for u in unclear if u[0] not in known or any(u is o for o in own_unclear) or u[1] >= 0.2]
    return labels, unclear + doubt


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--known", default="", help="classes that the set labels completely")
    parser.add_argument("--classes", default="0=0,1=1,2=2,3=3", help="the set's class numbers = ours")
    parser.add_argument("--mirror", action="store_true", help="look at the mirrored picture, too")
    parser.add_argument("--tiles", action="store_true", help="look at parts at native resolution, too")
    parser.add_argument("--part", default="0/1", help="K/N: every N-th picture from the K-th on")
    args = parser.parse_args()
    known = {int(k) for k in args.known.split(",") if k}
    classes = dict(map(int, pair.split("=")) for pair in args.classes.split(","))
    cv2.setNumThreads(1)
    teachers = Teachers(args.models)
    for part in ("images", "labels", "unclear"):
        (args.out / part).mkdir(parents=True, exist_ok=True)
    part, parts = map(int, args.part.split("/"))
    # In an order that mixes sources, so that a part of the work is a sample of the whole.
    pictures = sorted((args.folder / "images").glob("*.jpg"), key=lambda p: hash_of(p.stem))
    for picture in pictures[part::parts]:
        out = args.out / "labels" / f"{picture.stem}.txt"
        bgr = cv2.imread(str(picture))
        if out.exists() or bgr is None:
            continue
        found = with_riders(fused(teachers.views(bgr, args.mirror, args.tiles)))
        own, own_unclear = (read(args.folder / kind / f"{picture.stem}.txt", classes) for kind in ("labels", "unclear"))
        labels, unclear = combined(found, own, own_unclear, known)
        (args.out / "unclear" / f"{picture.stem}.txt").write_text("".join(line(*u) for u in unclear))
        link = args.out / "images" / picture.name
        if not link.exists():
            link.symlink_to(picture.resolve())
        out.write_text("".join(line(*l) for l in labels))


def hash_of(name):
    """A number that depends on the name alone (FNV-1a)."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


if __name__ == "__main__":
    main()
