"""Compare speeds: diffusers' own loop against this suite, with the same pictures; exit 1 if not.

    python -m scripts.bench --model tiny

Arms take turns in one process: the same weights, prompts and noises. Writes
MODEL-DEVICE.{json,md,png,pdf}, anew after every measurement; what was cut off goes on.
"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from experiments.bench.ladder import published_pipeline
from experiments.bench.report import write
from experiments.bench.speed import measure
from experiments.bench.subject import Subject
from experiments.cells.build import model_of
from experiments.compose import build, compose
from experiments.errors import UsageError, command
from scripts.published import save_random


@command(status=2)
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny", help="a configuration of configs/model/")
    parser.add_argument("--galleries", type=int, default=32, help="in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds; then go on")
    parser.add_argument("--without", nargs="*", default=[], help="arms to leave out")
    parser.add_argument("--out", type=Path, default=Path("results/bench"))
    parser.add_argument("--folder", type=Path, default=Path("outputs/bench"), help="what it keeps")
    parser.add_argument("--random", action="store_true", help="random weights, published size")
    parser.add_argument("overrides", nargs="*", help="key=value, of the main job's configuration")
    asked = parser.parse_args()
    weights = asked.folder / f"{asked.model}-random"
    random = save_random(asked.model, weights.resolve()) if asked.random else []
    overrides = [f"model={asked.model}", *random, *asked.overrides, "metrics=tiny"]
    config = compose([*overrides, f"task.num_prompts={asked.galleries}"])
    source = model_of(config)
    model = source.load()
    subject = Subject(
        model=model,
        pipeline=published_pipeline(source.settings, model),
        jobs=build("task", config).jobs(),
        suite=build("metrics", config),
        batch=config.workers.galleries_per_batch,
        without=asked.without,
    )
    name, text, speed = f"{asked.model}-{model.device.type}", "", None
    kept = asked.folder / name
    found = measure(subject, rounds=asked.rounds, folder=kept, budget=asked.budget)
    for speed in tqdm(found, desc=f"bench {asked.model}", unit="number"):
        text = write(speed, title=f"Speed: {asked.model}", path=asked.out / name)
    if speed is None:
        raise UsageError(f"--budget={asked.budget:g} is too short for a single round")
    print(text)
    if speed.missing:
        print(f"the same command goes on with what is missing; so far it is in {kept}")
    if speed.rejected:
        print(f"error: other pictures: {', '.join(speed.rejected)}", file=sys.stderr)
    return int(bool(speed.rejected))


if __name__ == "__main__":
    sys.exit(main())
