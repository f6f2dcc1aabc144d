"""Pictures out of a clone: `python gather.py CLONE PREFIX OUT TAG [--history] [--long 448]`.

Writes OUT/images/TAG_PATH.jpg of every picture below PREFIX, at most `--long` pixels on its longer side. `--history` also
takes pictures that a later commit removed. What OUT has is kept.
"""

import argparse
import re
import subprocess
from pathlib import Path

import cv2
import numpy as np

ENDINGS = (".jpg", ".jpeg", ".png")
SIDE_MIN = 100


def listed(clone, history):
    """(object, path) of every file of the newest commit, or of all commits."""
    words = ["rev-list", "--objects", "--all"] if history else ["ls-tree", "-r", "--format=%(objectname) %(path)", "HEAD"]
    text = subprocess.run(["git", "-C", clone, *words], check=True, capture_output=True).stdout.decode("utf-8", "replace")
    return sorted({tuple(line.split(" ", 1)) for line in text.splitlines() if " " in line}, key=lambda row: row[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone")
    parser.add_argument("prefix")
    parser.add_argument("out", type=Path)
    parser.add_argument("tag")
    parser.add_argument("--history", action="store_true")
    parser.add_argument("--long", type=int, default=448)
    args = parser.parse_args()
    (args.out / "images").mkdir(parents=True, exist_ok=True)
    written = 0
    for blob, path in listed(args.clone, args.history):
        stem = re.sub(r"[^A-Za-z0-9.-]+", "_", path[len(args.prefix) :].rsplit(".", 1)[0]).strip("_")
        to = args.out / "images" / f"{args.tag}_{stem}.jpg"
        if not path.startswith(args.prefix) or not path.lower().endswith(ENDINGS) or to.exists():
            continue
        data = subprocess.run(["git", "-C", args.clone, "cat-file", "blob", blob], check=True, capture_output=True).stdout
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if bgr is None or min(bgr.shape[:2]) < SIDE_MIN:
            continue
        ratio = args.long / max(bgr.shape[:2])
        if ratio < 1:
            bgr = cv2.resize(bgr, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(to), bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])
        written += 1
    print(f"{args.tag}: {written} pictures")


if __name__ == "__main__":
    main()
