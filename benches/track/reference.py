"""ByteTrack on the same detections, and the scores of all trackers, for `main.rs`.

    reference.py FOLDER [--each]

FOLDER has a folder for each street with truths.txt, detections.txt, every.txt and gated.txt: a line for each box,
frame,id,left,top,width,height,score,group,visible (`mot.rs`). Prints a table, and leaves reference.txt beside them.

--each: the folders are no parts of one whole; only lines of each are printed.

Boxes match within their group only. A box that a truth nobody asks for explains best (score 0 in truths.txt) is not scored.
"""

import io
import sys
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import supervision

with redirect_stdout(io.StringIO()):
    from trackeval.metrics import CLEAR, HOTA, Identity

FPS = 5
IOU_MIN = 0.5
# supervision's defaults, but for the frame rate; and the best of 28 settings on the streets of seed 0, on which our own tracker's
# numbers were chosen too.
REFERENCES = {
    "ByteTrack": {},
    "ByteTrack, tuned": {
        "track_activation_threshold": 0.45,
        "minimum_matching_threshold": 0.9,
        "lost_track_buffer": 75,
    },
}
# Heights in pixels from which subjects are asked for, in the last table; KITTI's benchmark asks from 25 on.
HEIGHTS = (10, 16, 25, 40)
# So sure a detection must be to count for perfect identities: our own tracker starts tracks from there on.
SURE = 0.45
FRAME, ID, LEFT, TOP, WIDTH, HEIGHT, SCORE, GROUP, VISIBLE = range(9)


def boxes(path):
    text = path.read_text().split()
    return np.array([[float(word) for word in line.split(",")] for line in text]).reshape(-1, 9)


def byte_track(detections, frames, settings):
    """One tracker for each group, since it knows nothing of them."""
    tracked = []
    for group in np.unique(detections[:, GROUP]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tracker = supervision.ByteTrack(frame_rate=FPS, **settings)
        for frame in range(1, frames + 1):
            here = detections[(detections[:, FRAME] == frame) & (detections[:, GROUP] == group)]
            corners = np.hstack([here[:, LEFT:WIDTH], here[:, LEFT:WIDTH] + here[:, WIDTH:SCORE]])
            found = supervision.Detections(xyxy=corners, confidence=here[:, SCORE])
            found = tracker.update_with_detections(found)
            for corner, number, score in zip(found.xyxy, found.tracker_id, found.confidence):
                identity = group * 1_000_000 + number
                size = corner[2:] - corner[:2]
                tracked.append([frame, identity, *corner[:2], *size, score, group, 1.0])
    return np.array(tracked).reshape(-1, 9)


def overlaps(a, b):
    """IoU of each with each; 0 across groups."""
    low = np.maximum(a[:, None, LEFT:WIDTH], b[None, :, LEFT:WIDTH])
    high = np.minimum(
        (a[:, LEFT:WIDTH] + a[:, WIDTH:SCORE])[:, None], (b[:, LEFT:WIDTH] + b[:, WIDTH:SCORE])[None]
    )
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas = np.prod(a[:, WIDTH:SCORE], axis=1)[:, None] + np.prod(b[:, WIDTH:SCORE], axis=1)[None] - shared
    return np.where(a[:, GROUP][:, None] == b[:, GROUP][None], shared / np.maximum(areas, 1e-9), 0.0)


def perfect(truths, detections, frames):
    """The detections that are of somebody, under that one's id: what nobody could do with them, and a bound for most."""
    tracked = []
    for frame in range(1, frames + 1):
        there = truths[truths[:, FRAME] == frame]
        found = detections[(detections[:, FRAME] == frame) & (detections[:, SCORE] >= SURE)]
        similar = overlaps(there, found)
        for row, column in zip(*linear_sum_assignment(-similar)):
            if similar[row, column] >= IOU_MIN:
                tracked.append(np.concatenate([[frame, there[row, ID]], found[column, LEFT:]]))
    return np.array(tracked).reshape(-1, 9)


def taller(truths, height):
    """Nobody asks for what is lower."""
    truths = truths.copy()
    truths[truths[:, HEIGHT] < height, SCORE] = 0
    return truths


def sequence(truths, tracked, frames):
    """What trackeval's metrics take."""
    truth_ids = {number: index for index, number in enumerate(np.unique(truths[truths[:, SCORE] > 0, ID]))}
    track_ids = {}
    parts = {"gt_ids": [], "tracker_ids": [], "similarity_scores": []}
    for frame in range(1, frames + 1):
        there = truths[truths[:, FRAME] == frame]
        found = tracked[tracked[:, FRAME] == frame]
        similar = overlaps(there, found)
        # An asked truth takes a box before one that nobody asks for.
        worth = np.where(similar >= IOU_MIN, similar + 1.0 * (there[:, SCORE] > 0)[:, None], 0.0)
        rows, columns = linear_sum_assignment(-worth)
        vain = [c for r, c in zip(rows, columns) if worth[r, c] > 0 and there[r, SCORE] == 0]
        kept = np.setdiff1d(np.arange(len(found)), vain)
        asked = np.flatnonzero(there[:, SCORE] > 0)
        parts["gt_ids"].append(np.array([truth_ids[n] for n in there[asked, ID]], int))
        numbers = [track_ids.setdefault(n, len(track_ids)) for n in found[kept, ID]]
        parts["tracker_ids"].append(np.array(numbers, int))
        parts["similarity_scores"].append(similar[np.ix_(asked, kept)])
    return parts | {
        "num_gt_dets": sum(len(ids) for ids in parts["gt_ids"]),
        "num_tracker_dets": sum(len(ids) for ids in parts["tracker_ids"]),
        "num_gt_ids": len(truth_ids),
        "num_tracker_ids": len(track_ids),
        "num_timesteps": frames,
    }


def line(street, tracker, clear, identity, hota, truths):
    print(
        f"{street:<12} {tracker:<18} {identity['IDF1']:>6.3f} {clear['MOTA']:>6.3f} {hota['HOTA'].mean():>6.3f} "
        f"{clear['IDSW']:>8.0f} {identity['IDR']:>6.3f} {identity['IDP']:>6.3f} {truths:>7} {clear['Frag']:>6.0f}"
    )


def main(folder, each_by_itself):
    with redirect_stdout(io.StringIO()):
        metrics = [CLEAR({"PRINT_CONFIG": False}), Identity({"PRINT_CONFIG": False}), HOTA()]
    print(f"{'street':<12} {'tracker':<18} {'IDF1':>6} {'MOTA':>6} {'HOTA':>6} {'switches':>8} {'IDR':>6} {'IDP':>6} "
          f"{'truths':>7} {'breaks':>6}")
    results, by_height = {}, {}
    for street in sorted(path for path in folder.iterdir() if path.is_dir()):
        truths = boxes(street / "truths.txt")
        detections = boxes(street / "detections.txt")
        frames = int(truths[:, FRAME].max())
        trackers = {name: boxes(street / f"{name}.txt") for name in ("every", "gated")}
        for name, settings in REFERENCES.items():
            trackers[name] = byte_track(detections, frames, settings)
        for name, tracked in trackers.items():
            data = sequence(truths, tracked, frames)
            scores = [metric.eval_sequence(data) for metric in metrics]
            results.setdefault(name, {})[street.name] = (scores, data["num_gt_ids"])
            line(street.name, name, *scores, data["num_gt_ids"])
        trackers["perfect identities"] = perfect(truths, detections, frames)
        for height in HEIGHTS:
            asked = taller(truths, height)
            for name, tracked in trackers.items():
                data = sequence(asked, tracked, frames)
                of_streets = by_height.setdefault(name, {}).setdefault(height, {})
                of_streets[street.name] = metrics[1].eval_sequence(data)
    if each_by_itself:
        return
    for name, of_streets in results.items():
        combined = [
            metric.combine_sequences({street: scores[i] for street, (scores, _) in of_streets.items()})
            for i, metric in enumerate(metrics)
        ]
        line("all", name, *combined, sum(truths for _, truths in of_streets.values()))
    idf1 = {
        name: metrics[1].combine_sequences({s: scores[1] for s, (scores, _) in of_streets.items()})["IDF1"]
        for name, of_streets in results.items()
    }
    best = max(idf1[name] for name in REFERENCES)
    print(f"IDF1 of every: {idf1['every'] / best:.3f} of the better ByteTrack; of gated: {idf1['gated'] / best:.3f}")
    print(f"\n{'IDF1 by height':<20}" + "".join(f"  from {height} px" for height in HEIGHTS))
    for name, of_heights in by_height.items():
        scores = [metrics[1].combine_sequences(of_heights[height])["IDF1"] for height in HEIGHTS]
        print(f"{name:<20}" + "".join(f"{score:>12.3f}" for score in scores))


main(Path(sys.argv[1]), "--each" in sys.argv[2:])
