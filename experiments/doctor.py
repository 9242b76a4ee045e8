"""What a report of trouble should say: versions, device, weights at hand, folders, the hub.

    python -m experiments.doctor

Names no secret and changes nothing. The exit status is 1 if anything stands in the way of
`make demo`: a package that is missing, or a folder that cannot be written.
"""

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from experiments.errors import command

NEEDED = ("torch", "diffusers", "transformers", "hydra-core", "pandas", "statsmodels")
OPTIONAL = ("ray", "submitit", "wandb", "onnxruntime", "ultralytics")


@dataclass(frozen=True)
class Line:
    """One thing that was looked at; `wrong` if the suite cannot run with it."""

    what: str
    found: str
    wrong: bool = False


@command(status=2)
def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m experiments.doctor", description=__doc__.splitlines()[0]
    )
    parser.parse_args(arguments)
    wrong = False
    for line in examine():
        print(f"{'!' if line.wrong else ' '} {line.what:<16} {line.found}", flush=True)
        wrong |= line.wrong
    return int(wrong)


def examine() -> Iterator[Line]:
    """Look at one thing after another."""
    yield Line("python", f"{platform.python_version()}, {platform.platform()}")
    yield from (_package(name, needed=True) for name in NEEDED)
    yield from (_package(name, needed=False) for name in OPTIONAL)
    yield Line("processor", f"{os.cpu_count()} cores")
    yield _suite()
    if find_spec("torch"):
        yield from _devices()
    yield from (_folder(name) for name in (Path("outputs"), Path.home() / ".cache"))
    if find_spec("huggingface_hub"):
        yield from _weights()
        yield _hub()


def _package(name: str, *, needed: bool) -> Line:
    try:
        return Line(name, version(name))
    except PackageNotFoundError:
        remedy = "; pip install 'couple-to-control[suite]'" if needed else ", which is optional"
        return Line(name, f"not installed{remedy}", wrong=needed)


def _suite() -> Line:
    """Which version and commit this is; the commit is told by what needs the other packages."""
    try:
        from experiments.workers.provenance import suite
    except ModuleNotFoundError:
        return _package("couple-to-control", needed=True)
    return Line("suite", "{suite}, commit {commit}, tree {tree}".format(**suite()))


def _devices() -> Iterator[Line]:
    """What galleries can be made on."""
    import torch

    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        yield Line(f"cuda:{index}", f"{device.name}, {device.total_memory / 2**30:.0f} GiB")
    if torch.backends.mps.is_available():
        yield Line("mps", "Apple's GPU")
    yield Line("threads", f"{torch.get_num_threads()} of torch")


def _folder(path: Path) -> Line:
    """Whether files can be written below `path`, there or not, and how much fits."""
    name = str(path).replace(str(Path.home()), "~")
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    room = f"{shutil.disk_usage(there).free / 2**30:.0f} GiB free"
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return Line(name, f"can be written, {room}")
    return Line(name, f"cannot be written; set output_dir, or the rights of {there}", True)


def _weights() -> Iterator[Line]:
    """Which networks of the metrics are here; the rest is fetched by the run that needs it."""
    from metrics.weights import VARIANTS, WeightsError

    for name, variant in VARIANTS.items():
        try:
            yield Line(name, "present" if variant.find() else "not fetched yet")
        except WeightsError as error:
            yield Line(name, str(error))


def _hub() -> Line:
    """Whether the hub answers within seconds, and whether it is told who asks."""
    import requests
    from huggingface_hub import constants, get_token

    token = "a token is set" if get_token() else "no token is set"
    try:
        requests.head(constants.ENDPOINT, timeout=5, allow_redirects=True)
        return Line("hub", f"{constants.ENDPOINT} answers, {token}")
    except requests.RequestException as error:
        why = f"does not answer ({type(error).__name__})"
        return Line("hub", f"{constants.ENDPOINT} {why}, {token}")


if __name__ == "__main__":
    sys.exit(main())
