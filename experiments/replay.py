"""Make images again from what their files say, and compare the pixels.

    python -m experiments.replay outputs/CELL/galleries/JOB/2.png
    python -m experiments.replay copied.png model.source=/where/the/weights/are

An image needs nothing but itself: not its siblings, not its cell. Its metadata holds the model's
settings, the coupling, the seed, the job and the member; `configs/model/` says where the model of
that name is, and its weights must be the very ones. Rows of a batch do not see each other, but the
shape of the batch decides about the last bits, so it is recorded with the image and made again: on
the same machine the pixels are equal to the bit. Elsewhere they may differ by a grey level or so.

The exit status is 0 if all images are equal, 1 if one is not, 2 if one cannot be made again. What a
file says is checked against the names that this suite knows before anything is called by it.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

import coupling
from experiments.cells.build import model_of
from experiments.compose import Config, build, compose, with_groups
from experiments.errors import UsageError
from experiments.galleries.gallery import image_metadata
from experiments.tasks.job import Job

if TYPE_CHECKING:  # torch's networks load when the image is known to be ours
    from experiments.galleries.gallery import Gallery

KNOWN = {f"coupling.{name}" for name in coupling.__all__}
"""What an image may name; anything else that it names is not called."""

MOST_THREADS = 1024
NEEDED = {"model", "coupling", "optimizer", "seed", "job", "member", "batch", "execution"}


def main(arguments: Sequence[str]) -> int:
    """`arguments`: image files, and overrides as for the main job."""
    paths = [Path(text) for text in arguments if "=" not in text or Path(text).is_file()]
    overrides = [text for text in arguments if "=" in text and not Path(text).is_file()]
    if not paths:
        print("usage: python -m experiments.replay IMAGE.png ... [key=value ...]", file=sys.stderr)
        return 2
    try:
        differing = 0
        for path, difference in replay(paths, overrides=overrides):
            print(f"{path}: {_verdict(difference)}")
            differing += bool(difference.any())
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 1 if differing else 0


def replay(
    paths: Sequence[Path], *, overrides: Sequence[str] = ()
) -> Iterator[tuple[Path, np.ndarray]]:
    """Yields every image's path and |made again - as it is|, (H, W, 3), in grey levels.

    Args:
        overrides: of the main job's configuration, such as where the weights are.

    Raises:
        UsageError: a file is no image of this suite, or its model is not to be had here.
    """
    alike: dict[str, dict[Job, list[tuple[Path, int]]]] = {}
    for path in paths:
        made = image_metadata(path)
        if "method" in made:
            raise UsageError(
                f"{path} was made around the object of a picture, which it does not hold; "
                "remove its folder and run its table again to make it anew"
            )
        if missing := NEEDED - made.keys() - made.get("batch", {}).keys():
            raise UsageError(f"{path} does not say its {', '.join(sorted(missing))}")
        job, member = Job(**made.pop("job")), made.pop("member")
        jobs = alike.setdefault(json.dumps(made, sort_keys=True), {})
        jobs.setdefault(job, []).append((path, member))
    models: dict[str, Any] = {}
    for text, jobs in alike.items():
        first_path, _ = next(iter(jobs.values()))[0]
        for gallery in _galleries(first_path, json.loads(text), list(jobs), overrides, models):
            for path, member in jobs[gallery.job]:
                yield path, _difference(path, gallery.images[member - gallery.first])


def _galleries(
    path: Path,
    made: Mapping,
    jobs: Sequence[Job],
    overrides: Sequence[str],
    models: dict[str, Any],
) -> "Iterator[Gallery]":
    """The galleries of jobs whose images were made alike, in batches of the same shape."""
    config = _config(path, made, overrides)
    law, optimizer = build("coupling", config), build("optimizer", config)

    from experiments.methods.coupled import Coupled
    from experiments.methods.method import generate

    members, threads = made["batch"]["members"], made["batch"]["execution"].get("threads")
    if threads not in range(1, MOST_THREADS + 1):
        raise UsageError(f"{path} says that it was made with {threads} threads")
    torch.set_num_threads(threads)
    return generate(
        model_of(config).load(),
        Coupled(law, optimizer),
        jobs,
        seed=made["seed"],
        galleries_per_batch=made["batch"]["galleries"],
        members=range(members[0], members[-1] + 1),
    )


def _difference(path: Path, again: np.ndarray) -> np.ndarray:
    with Image.open(path) as image:
        recorded = np.asarray(image.convert("RGB"))
    if again.shape != recorded.shape:
        raise UsageError(f"{path} is no longer of the size that it was made in")
    return np.abs(again.astype(int) - recorded.astype(int))


def _config(path: Path, made: Mapping, overrides: Sequence[str]) -> Config:
    """The main job's configuration, with the model and the noises that an image names."""
    from experiments.models.fingerprint import fingerprint

    recorded = dict(made["model"])
    try:
        config = compose([f"model={recorded['name']}", *overrides])
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    noise = {group: made[group] for group in ("coupling", "optimizer")}
    if recorded["_target_"] != config.model._target_ or not _targets(noise) <= KNOWN:
        raise UsageError(f"{path} names a model, coupling or optimiser that is not of this suite")
    weights = fingerprint(config.model.source, config.model.revision)
    if weights != recorded.pop("weights"):
        raise UsageError(
            f"{path} was made with other weights than those of {config.model.source}; "
            "set model.source and model.revision to where they are"
        )
    recorded["dtype"] = recorded["dtype"].removeprefix("torch.")
    execution = dict(made["batch"]["execution"])
    execution.pop("threads", None)
    groups = {
        "model": {**config.model, **recorded},
        "execution": {**config.execution, **execution},
        **noise,
    }
    return with_groups(config, groups)


def _targets(node: Any) -> set[str]:
    """Every `_target_` in JSON values."""
    if isinstance(node, Mapping):
        own = {str(value) for name, value in node.items() if name == "_target_"}
        return own.union(*map(_targets, node.values()))
    return set().union(*map(_targets, node)) if isinstance(node, list) else set()


def _verdict(difference: np.ndarray) -> str:
    if not difference.any():
        return "equal to the bit"
    return (
        f"{np.count_nonzero(difference)} of {difference.size} values differ, "
        f"by at most {difference.max()} of 255 grey levels"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
