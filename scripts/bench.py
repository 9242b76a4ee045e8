"""Compare speeds: diffusers' own loop against this suite, with the same pictures; exit 1 if not.

    python scripts/bench.py --model tiny
    python scripts/bench.py --model sdxl --weights random

Arms take turns in one process: the same weights, prompts and noises. `--weights random` builds the
published networks at full size without a checkpoint. Writes MODEL-DEVICE.{json,md,png,pdf}.
"""

import argparse
import sys
from pathlib import Path

from experiments.bench.speed import measure, write
from experiments.errors import UsageError
from metrics.weights import WeightsError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny", help="a configuration of configs/model/")
    parser.add_argument("--weights", choices=("checkpoint", "random"), default="checkpoint")
    parser.add_argument("--galleries", type=int, default=32, help="in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without", nargs="*", default=[], help="arms to leave out")
    parser.add_argument("--out", type=Path, default=Path("results/bench"))
    parser.add_argument("overrides", nargs="*", help="key=value, of the main job's configuration")
    asked = parser.parse_args()
    try:
        speed = measure(
            [f"model={asked.model}", *asked.overrides],
            random=asked.weights == "random",
            galleries=asked.galleries,
            rounds=asked.rounds,
            without=asked.without,
        )
    except (UsageError, WeightsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    title = f"Speed: {asked.model}, {asked.weights} weights"
    print(write(speed, title=title, path=asked.out / f"{asked.model}-{speed.model.device.type}"))
    if speed.rejected:
        print(f"error: other pictures: {', '.join(speed.rejected)}", file=sys.stderr)
    return int(bool(speed.rejected))


if __name__ == "__main__":
    sys.exit(main())
