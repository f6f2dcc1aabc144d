"""Cuts the subjects that photographs.txt names out of the labelled photographs of a folder of datasets.

    photographs.py LIST DATASETS OUTPUT

Each line of LIST: who, from where (back, front, right, left), the dataset, its picture, the number of the box in the
picture's label file, and for some an outline as x,y of the box, 0..1. Each becomes OUTPUT/WHO-FROM-NUMBER.pam, RGB with
opacity; what looks to the left is mirrored. What stands out from a static camera's background is found by the neighbouring
pictures' median, what has an outline by that, the rest by its box alone.
"""

import functools
import sys
from pathlib import Path

import cv2
import numpy as np

# A camera's background is the median of so many pictures before and after, which are seconds apart.
NEIGHBOURS = 14
# Distances in Lab from the background: surely the same, perhaps another, surely another.
SAME, ANOTHER, SURELY = 6, 16, 40
STATIC = "vn_vehicles/train"


@functools.lru_cache(maxsize=96)
def picture(path):
    return cv2.imread(str(path))


@functools.cache
def pictures(folder):
    return sorted(folder.glob("*.jpg"))


def box_of(path, number):
    """Left, top, right, bottom in pixels."""
    labels = [part if part != "images" else "labels" for part in path.parts]
    line = Path(*labels).with_suffix(".txt").read_text().splitlines()[number]
    x, y, w, h = map(float, line.split()[1:5])
    height, width = picture(path).shape[:2]
    corners = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
    return [max(0, int(corner)) for corner in corners]


def grown(box, by, shape):
    left, top, right, bottom = box
    return max(0, left - by), max(0, top - by), min(shape[1], right + by), min(shape[0], bottom + by)


def cut(image, mask):
    """Which pixels are the subject: the largest whole that GrabCut makes of a first guess."""
    cv2.grabCut(image, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
    is_subject = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    is_subject = cv2.morphologyEx(is_subject, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, parts, stats, _ = cv2.connectedComponentsWithStats(is_subject)
    return (parts == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])).astype(np.uint8)


def before_its_background(path, box):
    left, top, right, bottom = grown(box, 24, picture(path).shape)
    row = pictures(path.parent)
    at = row.index(path)
    others = [other for other in row[max(0, at - NEIGHBOURS) : at + NEIGHBOURS + 1] if other != path]
    empty = np.median(np.stack([picture(other)[top:bottom, left:right] for other in others]), axis=0)
    image = picture(path)[top:bottom, left:right]
    lab = [cv2.cvtColor(x.astype(np.uint8), cv2.COLOR_BGR2LAB).astype(np.float32) for x in (image, empty)]
    away = cv2.GaussianBlur(np.linalg.norm(lab[0] - lab[1], axis=2), (3, 3), 0)
    mask = np.full(image.shape[:2], cv2.GC_BGD, np.uint8)
    inner = np.s_[max(0, box[1] - top - 2) : box[3] - top + 3, max(0, box[0] - left - 2) : box[2] - left + 3]
    guess = mask[inner]
    guess[:] = cv2.GC_PR_BGD
    guess[away[inner] > ANOTHER] = cv2.GC_PR_FGD
    guess[away[inner] > SURELY] = cv2.GC_FGD
    guess[away[inner] < SAME] = cv2.GC_BGD
    return image, cut(image, mask)


def within_its_box(path, box):
    image = picture(path)
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[box[1] : box[3], box[0] : box[2]] = cv2.GC_PR_FGD
    return image, cut(image, mask)


def within_an_outline(path, box, outline):
    image = picture(path)
    side = np.array([box[2] - box[0], box[3] - box[1]])
    is_subject = np.zeros(image.shape[:2], np.uint8)
    corners = [box[:2] + np.array([float(v) for v in point.split(",")]) * side for point in outline]
    cv2.fillPoly(is_subject, [np.array(corners, np.int32)], 1)
    return image, is_subject


def write(path, image, is_subject):
    opacity = cv2.GaussianBlur(is_subject * 255, (3, 3), 0)
    rows, columns = np.nonzero(opacity)
    part = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    rgba = np.dstack([image[..., ::-1], opacity])[part]
    height, width = rgba.shape[:2]
    head = f"P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
    path.write_bytes(head.encode() + np.ascontiguousarray(rgba).tobytes())


def main(list_path, datasets, output):
    output.mkdir(parents=True, exist_ok=True)
    for at, line in enumerate(list_path.read_text().splitlines()):
        who, aspect, dataset, name, number, *outline = line.split()
        path = datasets / dataset / "images" / name
        if picture(path) is None:
            sys.exit(f"{list_path}:{at + 1}: {path} is no picture")
        box = box_of(path, int(number))
        if outline:
            image, is_subject = within_an_outline(path, box, outline)
        elif dataset == STATIC:
            image, is_subject = before_its_background(path, box)
        else:
            image, is_subject = within_its_box(path, box)
        if aspect == "left":
            aspect, image, is_subject = "right", image[:, ::-1], is_subject[:, ::-1]
        write(output / f"{who}-{aspect}-{at:03}.pam", image, is_subject)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
