"""Trains street-nano: `python train.py OUT MIX DATA --views N [--decay N] [--start WEIGHTS] [--settle N]`. README.md has the whole recipe.

MIX says what is drawn (general.toml, street.toml), DATA has its folders. Goes on where OUT/last.pt stands: weights, their moving
average and the optimiser, written after every round. Each round reads the folders anew, so that pictures that were labelled
meanwhile are drawn, too. The rate is constant after warming up and falls over the last `--decay` views: a run with
more views can go on from any round before that.
"""

import argparse
import copy
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from loss import loss
from net import Rectifier, StreetNano, cells, decode, flatten
from pictures import Mix, Pictures, collate

WARM_UP = 4_000
ROUND = 8_192


def average(of, model, iteration):
    """Exponential moving average, quick at first."""
    keep = min(0.9995, (1 + iteration) / (20 + iteration))
    with torch.no_grad():
        for mean, new in zip(of.state_dict().values(), model.state_dict().values()):
            if mean.dtype.is_floating_point:
                mean.lerp_(new.float(), 1 - keep)
            else:
                mean.copy_(new)


def rate(view, views, decay):
    """Share of the full rate: warming up, constant, then down a straight line."""
    return min(1.0, (view + 1) / WARM_UP, max(0.01, (views - view) / decay) if decay else 1.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("mix", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--views", type=int, required=True)
    parser.add_argument("--decay", type=int, default=0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--mosaic", type=float, default=0.3)
    parser.add_argument("--start", type=Path, help="weights to begin with")
    parser.add_argument("--settle", type=int, default=0, help="views over which SiLU gives way to ReLU")
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
    view, last = 0, args.out / "last.pt"
    if last.exists():
        kept = torch.load(last, map_location=device)
        model.load_state_dict(kept["model"])
        mean.load_state_dict(kept["average"])
        optimiser.load_state_dict(kept["optimiser"])
        view = kept["view"]
    model.train()
    while view < args.views:
        mix = Mix.read(args.mix, args.data)
        end = min(args.views, view + ROUND)
        pictures = Pictures(mix, args.seed, args.views, args.mosaic)
        loader = DataLoader(
            pictures, args.batch, sampler=range(view, end), collate_fn=collate, num_workers=args.workers, drop_last=True,
            prefetch_factor=6 if args.workers else None)
        centres, strides = cells(mix.rows, mix.columns, device)
        begun, seen, steps = time.time(), [0.0, 0.0], 0
        for bytes_, truth in loader:
            for group in optimiser.param_groups:
                group["lr"] = args.rate * rate(view, args.views, args.decay)
            Rectifier.share = min(1.0, view / args.settle) if args.settle else 1.0
            x = bytes_.to(device).float().to(memory_format=torch.channels_last)
            with torch.autocast(device, torch.bfloat16):
                flat = flatten(model(x))
            boxes, logits = decode(flat, centres, strides)
            # The assignment is many small steps: they are quickest where the boxes are not.
            total, of_boxes, of_classes = loss(boxes.cpu(), logits.cpu(), truth, centres.cpu())
            optimiser.zero_grad()
            total.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimiser.step()
            average(mean, model, view // args.batch)
            seen = [seen[0] + float(of_boxes), seen[1] + float(of_classes)]
            view, steps = view + args.batch, steps + 1
        view = end
        sizes = ", ".join(f"{s.folder.name} {len(s.names)}" for s in mix.sources)
        print(
            f"{view}/{args.views} views, boxes {seen[0] / max(steps, 1):.4f} classes {seen[1] / max(steps, 1):.4f}, "
            f"{(time.time() - begun) / max(steps * args.batch, 1) * 1e3:.0f} ms a view; {sizes}", flush=True)
        state = {"model": model.state_dict(), "average": mean.state_dict(), "optimiser": optimiser.state_dict(), "view": view}
        torch.save(state, args.out / "new.pt")
        (args.out / "new.pt").replace(last)
    torch.save({"average": mean.state_dict()}, args.out / "average.pt")


if __name__ == "__main__":
    main()
