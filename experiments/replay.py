"""Make images again from what their files say, and compare the pixels.

    python -m experiments.replay outputs/CELL/galleries/JOB/2.png
    python -m experiments.replay copied.png model.source=/where/the/weights/are
    python -m experiments.replay theirs.png allow=chain

An image needs nothing but itself: not its siblings, not its cell. Its metadata holds the model's
settings, the coupling, the seed, the job and the member; `configs/model/` says where the model of
that name is, and its weights must be the very ones, as must code that is not the suite's. Batch
rows do not see each other, but the shape of the batch decides about the last bits, so it is
recorded with the image and made again: on the same machine the pixels are equal to the bit.
Elsewhere they may differ by a grey level or so.

What a file says is checked before anything is called by it, see `experiments.cells.trust`: of the
code of others it may name what a configuration names, in the suite's configs/, in --config-dir or
in a folder `configs` here, the modules of allow=MODULE and, for images in their cells, of
PYTHONPATH. The exit status is 0 if all images are
equal, 1 if one is not, 2 if one cannot be made again.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from experiments.compose import CONFIGS, Config, build, compose, plain, with_groups
from experiments.errors import UsageError, command
from experiments.inputs.doors import located

if TYPE_CHECKING:  # torch loads for an image, not for --help
    from experiments.cells.trust import Trust
    from experiments.galleries.gallery import Gallery
    from experiments.tasks.job import Job

MOST_THREADS = 1024
NEEDED = {"model", "coupling", "optimizer", "seed", "job", "member", "batch", "execution"}


@command(status=2)
def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m experiments.replay", description=__doc__.splitlines()[0]
    )
    parser.add_argument("words", nargs="+", metavar="IMAGE.png|KEY=VALUE", help=(
        "images; settings of the main job, such as model.source=DIR; allow=MODULE,... for code "
        "of yours that an image names and no configuration does"
    ))  # fmt: skip
    parser.add_argument(
        "-cd", "--config-dir", type=Path, metavar="DIR", help="configurations of yours, as for run"
    )
    given = parser.parse_args(arguments)
    settings = [word for word in given.words if "=" in word and not Path(word).is_file()]
    paths = [Path(word) for word in given.words if word not in settings]
    if not paths:
        parser.error("there is no image among these words")
    allowed = [word for word in settings if word.startswith("allow=")]
    differing = 0
    for path, difference in replay(
        paths,
        overrides=[word for word in settings if word not in allowed],
        folders=_folders_of_yours(given.config_dir),
        allow=[name for word in allowed for name in word[len("allow=") :].split(",") if name],
    ):
        print(f"{path}: {_verdict(difference)}")
        differing += bool(difference.any())
    return 1 if differing else 0


def replay(
    paths: Sequence[Path],
    *,
    overrides: Sequence[str] = (),
    folders: Sequence[Path] = (),
    allow: Sequence[str] = (),
) -> Iterator[tuple[Path, np.ndarray]]:
    """Yields every image's path and |made again - as it is|, (H, W, 3), in grey levels.

    Args:
        overrides: of the main job's configuration, such as where the weights are.
        folders: of configurations beside the suite's own.
        allow: modules that an image may name although no configuration does.

    Raises:
        UsageError: a file is no image of this suite, or its model is not to be had here.
    """
    from experiments.cells.trust import Trust
    from experiments.galleries.gallery import image_metadata
    from experiments.tasks.job import Job

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
    trust = Trust.of([CONFIGS, *folders], allow=allow)
    beside = ",".join(f"'file://{folder.resolve()}'" for folder in folders)
    overrides = [f"hydra.searchpath=[{beside}]", *overrides]
    for text, jobs in alike.items():
        path, _ = next(iter(jobs.values()))[0]
        for gallery in _galleries(path, json.loads(text), list(jobs), overrides, trust):
            for path, member in jobs[gallery.job]:
                yield path, _difference(path, gallery.images[member - gallery.first])


def _galleries(
    path: Path,
    made: Mapping[str, Any],
    jobs: Sequence["Job"],
    overrides: Sequence[str],
    trust: "Trust",
) -> "Iterator[Gallery]":
    """The galleries of jobs whose images were made alike, in batches of the same shape."""
    config = _config(path, made, overrides, trust)

    import torch

    from experiments.cells.build import model_of
    from experiments.cells.trust import GROUPS
    from experiments.methods.method import generate

    members, threads = made["batch"]["members"], made["batch"]["execution"].get("threads")
    if threads not in range(1, MOST_THREADS + 1):
        raise UsageError(f"{path} says that it was made with {threads} threads")
    torch.set_num_threads(threads)
    return generate(
        model_of(config).load(),
        located(config.method._target_)(*(build(group, config) for group in GROUPS)),
        jobs,
        seed=made["seed"],
        galleries_per_batch=made["batch"]["galleries"],
        members=range(members[0], members[-1] + 1),
    )


def _config(
    path: Path, made: Mapping[str, Any], overrides: Sequence[str], trust: "Trust"
) -> Config:
    """The main job's configuration, with the model and the noises that an image names."""
    from experiments.models.execution import Execution
    from experiments.models.fingerprint import fingerprint
    from experiments.models.source import ADDRESS
    from metrics.code import door

    if str(made["model"].get("weights")).startswith("memory:"):
        raise UsageError(f"{path} was made by a pipeline in memory; evaluate that again")
    try:
        config = compose([f"model={made['model']['name']}", *overrides])
        here = plain(config.model)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    made = trust.checked(path, made, model=door(located(here["_target_"])))
    if made["model"].pop("weights") != fingerprint(here["source"], here["revision"]):
        raise UsageError(
            f"{path} was made with other weights than those of {here['source']}; "
            "set model.source and model.revision to where they are"
        )
    address = {key: here[key] for key in ADDRESS if key in here}
    dtype = made["model"]["dtype"].removeprefix("torch.")
    execution = {key: n for key, n in made["batch"]["execution"].items() if key != "threads"}
    groups = {
        "model": {**here, **made["model"], "dtype": dtype, **address},
        "execution": {"_target_": door(Execution), **execution},
        "coupling": made["coupling"],
        "optimizer": made["optimizer"],
        "steering": made.get("steering"),
    }
    return with_groups(config, groups)


def _difference(path: Path, again: np.ndarray) -> np.ndarray:
    with Image.open(path) as image:
        recorded = np.asarray(image.convert("RGB"))
    if again.shape != recorded.shape:
        raise UsageError(f"{path} is no longer of the size that it was made in")
    return np.abs(again.astype(int) - recorded.astype(int))


def _folders_of_yours(given: Path | None) -> list[Path]:
    """Where configurations lie beside the suite's: the folder that is given, and `configs` here."""
    if given and not given.is_dir():
        raise UsageError(f"--config-dir {given} is no folder")
    here = Path("configs")
    return [*filter(None, [given]), *([here] if here.is_dir() else [])]


def _verdict(difference: np.ndarray) -> str:
    if not difference.any():
        return "equal to the bit"
    return (
        f"{np.count_nonzero(difference)} of {difference.size} values differ, "
        f"by at most {difference.max()} of 255 grey levels"
    )


if __name__ == "__main__":
    sys.exit(main())
