"""Trains street-nano: `python train.py OUT SCENES PSEUDO [--iterations N] [--resume]`. README.md says how to make the folders.

Writes OUT/last.pt every 250 iterations (weights, their moving average, optimiser: a run that is cut off goes on with
--resume) and OUT/average.pt at the end. The same seed and versions on the same machine give the same weights.
"""

import argparse
import copy
import math
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from loss import loss
from net import StreetNano, cells, decode, flatten
from pictures import COLUMNS, ROWS, Pictures, collate

SHARES = (("junction", 0.42), ("clips_train", 0.2), ("photos", 0.08))


def average(of, model, iteration):
    """Exponential moving average, quick at first."""
    keep = min(0.9995, (1 + iteration) / (20 + iteration))
    with torch.no_grad():
        for mean, new in zip(of.state_dict().values(), model.state_dict().values()):
            if mean.dtype.is_floating_point:
                mean.lerp_(new.float(), 1 - keep)
            else:
                mean.copy_(new)


def rate(iteration, iterations, warm_up=300):
    if iteration < warm_up:
        return (iteration + 1) / warm_up
    done = (iteration - warm_up) / max(1, iterations - warm_up)
    return 0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("pseudo", type=Path)
    parser.add_argument("--iterations", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--scenes-share", type=float, default=0.3, help="of what is drawn")
    parser.add_argument("--start", type=Path, help="weights to begin with")
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = StreetNano().to(device).to(memory_format=torch.channels_last)
    if args.start:
        model.load_state_dict(torch.load(args.start, map_location=device)["average"])
    mean = copy.deepcopy(model).eval()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=args.rate)
    first, last = 0, args.out / "last.pt"
    if args.resume and last.exists():
        kept = torch.load(last, map_location=device)
        model.load_state_dict(kept["model"])
        mean.load_state_dict(kept["average"])
        optimiser.load_state_dict(kept["optimiser"])
        first = kept["iteration"]
    folders = [(args.scenes, args.scenes_share)] + [(args.pseudo / name, share) for name, share in SHARES]
    total = args.iterations * args.batch
    if args.scenes_share > 0 and not any(args.scenes.glob("images/*.jpg")):
        parser.error(f"{args.scenes}/images has no pictures: name the folder that examples/scenes.rs wrote, or --scenes-share 0")
    pictures = Pictures(folders, args.seed, total, plain_from=int(0.85 * total))
    order = range(first * args.batch, total)
    loader = DataLoader(
        pictures, args.batch, sampler=order, collate_fn=collate, num_workers=args.workers, drop_last=True,
        prefetch_factor=6 if args.workers else None)
    centres, strides = cells(ROWS, COLUMNS, device)
    model.train()
    begun, seen = time.time(), [0.0, 0.0]
    for iteration, (bytes_, truth) in enumerate(loader, first):
        for group in optimiser.param_groups:
            group["lr"] = args.rate * rate(iteration, args.iterations)
        x = bytes_.to(device).float().to(memory_format=torch.channels_last)
        with torch.autocast(device, torch.bfloat16):
            flat = flatten(model(x))
        boxes, logits = decode(flat, centres, strides)
        # The assignment is many small steps: they are quickest where the boxes are not.
        total_loss, of_boxes, of_classes = loss(boxes.cpu(), logits.cpu(), truth, centres.cpu())
        optimiser.zero_grad()
        total_loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimiser.step()
        average(mean, model, iteration)
        seen = [seen[0] + float(of_boxes), seen[1] + float(of_classes)]
        if (iteration + 1) % 50 == 0:
            rest = (time.time() - begun) / (iteration + 1 - first) * (args.iterations - iteration - 1)
            print(f"{iteration + 1}/{args.iterations} boxes {seen[0] / 50:.3f} classes {seen[1] / 50:.3f}, {rest / 60:.0f} min left", flush=True)
            seen = [0.0, 0.0]
        if (iteration + 1) % 250 == 0 or iteration + 1 == args.iterations:
            state = {"model": model.state_dict(), "average": mean.state_dict(), "optimiser": optimiser.state_dict(), "iteration": iteration + 1}
            torch.save(state, args.out / "new.pt")
            (args.out / "new.pt").replace(last)
    torch.save({"average": mean.state_dict()}, args.out / "average.pt")


if __name__ == "__main__":
    main()
