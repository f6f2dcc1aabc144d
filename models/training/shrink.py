"""Copies labelled folders with pictures of at most `--long` pixels: `python shrink.py OUT FOLDER... [--long 720]`.

Each FOLDER (images/, labels/, perhaps unclear/) becomes OUT/NAME of its last part. What OUT has is kept. Decoding large
pictures would take as long as training on them. A class that the set does not label completely (`--known`, or the set's
labelled.txt) is unclear over the whole picture: nothing is taught of it but what is labelled.
"""

import argparse
import shutil
from pathlib import Path

import cv2


def ours(path, classes):
    """A label file's rows with our class numbers; others are left out."""
    rows = (line.split(maxsplit=1) for line in path.read_text().splitlines() if line.strip())
    return "".join(f"{classes[kind]} {rest}\n" for kind, rest in rows if kind in classes)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--long", type=int, default=720)
    parser.add_argument("--known", help="classes that the sets label completely; all, or labelled.txt, unless given")
    parser.add_argument("--classes", default="0=0,1=1,2=2,3=3", help="the set's class numbers = ours")
    parser.add_argument("--name", help="of the folder below OUT")
    args = parser.parse_args()
    classes = dict(pair.split("=") for pair in args.classes.split(","))
    for folder in args.folders:
        out = args.out / (args.name or folder.name)
        stated = folder / "labelled.txt"
        known = (args.known or (stated.read_text() if stated.exists() else "0 1 2 3")).replace(",", " ").split()
        whole = "".join(f"{kind} 0.5 0.5 1 1\n" for kind in range(4) if str(kind) not in known)
        for part in ("images", "labels", "unclear"):
            (out / part).mkdir(parents=True, exist_ok=True)
        for label in sorted((folder / "labels").glob("*.txt")):
            picture = folder / "images" / f"{label.stem}.jpg"
            bgr = None if (out / "labels" / label.name).exists() else cv2.imread(str(picture))
            if bgr is None:
                continue
            ratio = args.long / max(bgr.shape[:2])
            if ratio < 1:
                bgr = cv2.resize(bgr, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
                cv2.imwrite(str(out / "images" / picture.name), bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])
            else:
                shutil.copyfile(picture, out / "images" / picture.name)
            unclear = folder / "unclear" / label.name
            (out / "unclear" / label.name).write_text(whole + (ours(unclear, classes) if unclear.exists() else ""))
            (out / "labels" / label.name).write_text(ours(label, classes))


if __name__ == "__main__":
    main()
