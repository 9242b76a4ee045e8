"""Compare speeds: diffusers' own loop against this suite, with the same pictures; exit 1 if not.

    python scripts/bench.py --model tiny

Arms take turns in one process: the same weights, prompts and noises. Writes
MODEL-DEVICE.{json,md,png,pdf}.
"""

import argparse
import sys
from pathlib import Path

from experiments.bench.ladder import published_pipeline
from experiments.bench.report import write
from experiments.bench.speed import measure
from experiments.cells.build import model_of
from experiments.compose import build, compose
from experiments.errors import UsageError, command
from metrics.weights import WeightsError


@command(status=2)
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny", help="a configuration of configs/model/")
    parser.add_argument("--galleries", type=int, default=32, help="in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without", nargs="*", default=[], help="arms to leave out")
    parser.add_argument("--out", type=Path, default=Path("results/bench"))
    parser.add_argument("overrides", nargs="*", help="key=value, of the main job's configuration")
    asked = parser.parse_args()
    overrides = [f"model={asked.model}", *asked.overrides, "metrics=tiny"]
    config = compose([*overrides, f"task.num_prompts={asked.galleries}"])
    source = model_of(config)
    model = source.load()
    try:
        speed = measure(
            model,
            published_pipeline(source.settings, model),
            build("task", config).jobs(),
            suite=build("metrics", config),
            batch=config.workers.galleries_per_batch,
            rounds=asked.rounds,
            without=asked.without,
        )
    except WeightsError as error:
        raise UsageError(str(error)) from error
    path = asked.out / f"{asked.model}-{model.device.type}"
    print(write(speed, title=f"Speed: {asked.model}", path=path))
    if speed.rejected:
        print(f"error: other pictures: {', '.join(speed.rejected)}", file=sys.stderr)
    return int(bool(speed.rejected))


if __name__ == "__main__":
    sys.exit(main())
