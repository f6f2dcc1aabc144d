"""Averages weights of two runs: `python soup.py OUT WEIGHTS SHARE WEIGHTS SHARE`. Each is an `average.pt` of train.py.

The shipped weights are such an average (README.md).
"""

import sys
from pathlib import Path

import torch


def main():
    out = Path(sys.argv[1])
    parts = [(torch.load(path, map_location="cpu")["average"], float(share)) for path, share in zip(sys.argv[2::2], sys.argv[3::2])]
    total = sum(share for _, share in parts)
    last = parts[-1][0]
    mean = {
        name: sum(part[name] * (share / total) for part, share in parts) if value.dtype.is_floating_point else value
        for name, value in last.items()
    }
    torch.save({"average": mean}, out)


if __name__ == "__main__":
    main()
