"""Recompute the golden values and print ours beside them; exit 1 if one is out of tolerance.

    python scripts/calibrate.py

The weights come from the package index at the first run, about 150 MB. The golden values and how
they were made are in tests/metrics/golden.json.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import skimage.data
import torch
from torch import Tensor

from experiments.errors import command
from metrics import diversity
from metrics.features import BrisqueFeatures, LPIPSFeatures, SSCDOnnx, brisque

GOLDEN = json.loads((Path(__file__).parents[1] / "tests" / "metrics" / "golden.json").read_text())


def picture(name: str) -> Tensor:
    """(3, H, W) uint8"""
    return torch.from_numpy(getattr(skimage.data, name)()[..., :3].copy()).permute(2, 0, 1)


def crops(pictures: list[str]) -> Tensor:
    """(N, 3, 256, 256) uint8, the top left of each."""
    return torch.stack([picture(name)[:, :256, :256] for name in pictures])


def pairs(pictures: list[str]) -> list[str]:
    return [f"{a} {b}" for a, b in combinations(pictures, 2)]


def measure_vendi(_: list[str]) -> dict[str, float]:
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((5, 16)))
    return {"normal 5 x 16": diversity.vendi(x).item()}


def measure_lpips(pictures: list[str], source: str, net: str) -> dict[str, float]:
    with torch.inference_mode():
        distances = LPIPSFeatures(source=source, net=net).pairs(crops(pictures).unsqueeze(0))
    return dict(zip(pairs(pictures), distances[0].tolist(), strict=True))


def measure_sscd(pictures: list[str]) -> dict[str, float]:
    x = torch.nn.functional.normalize(SSCDOnnx(source="sscd_int8").images(crops(pictures)).double())
    first, second = torch.triu_indices(len(x), len(x), offset=1)
    return dict(zip(pairs(pictures), (x[first] * x[second]).sum(-1).tolist(), strict=True))


def measure_brisque(pictures: list[str]) -> dict[str, float]:
    svm = BrisqueFeatures(source="brisque_live").svm
    return {name: brisque.brisque(picture(name).unsqueeze(0), svm).item() for name in pictures}


MEASURES = {
    "vendi": measure_vendi,
    "lpips_alex": lambda pictures: measure_lpips(pictures, "lpips_alex", "alex"),
    "lpips_vgg": lambda pictures: measure_lpips(pictures, "lpips_vgg", "vgg"),
    "sscd_int8": measure_sscd,
    "brisque": measure_brisque,
}


@command()
def main(arguments: Sequence[str] | None = None) -> int:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args(arguments)
    worst = 0.0
    print(f"{'metric':<12}{'of':<20}{'golden':>12}{'ours':>12}{'deviation':>12}{'allowed':>10}")
    for metric, entry in GOLDEN["metrics"].items():
        ours = MEASURES[metric](GOLDEN["pictures"])
        for of, value in entry["values"].items():
            deviation = ours[of] - value
            worst = max(worst, abs(deviation) / entry["tolerance"])
            numbers = f"{value:>12.5f}{ours[of]:>12.5f}{deviation:>+12.1e}"
            print(f"{metric:<12}{of:<20}{numbers}{entry['tolerance']:>10.0e}")
    print("all within tolerance" if worst <= 1 else "OUT OF TOLERANCE")
    return int(worst > 1)


if __name__ == "__main__":
    sys.exit(main())
