"""Coupled noises in a file, for any program that reads safetensors.

    python -m experiments.noise coupling=repulsive shape=4,64,64 K=4 seed=7 out=noise.safetensors

The file holds the tensor `noise` (K, *shape), float32, and in its metadata the coupling and the
base streams as their configurations, the correlation, the seed and the job: enough to draw it
again. No model is loaded.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.compose import CONFIGS, build, compose, plain, require_kinds
from experiments.errors import UsageError, command
from experiments.inputs.settings import require_whole

FILE = "noise.safetensors"
USAGE = "usage: python -m experiments.noise shape=4,64,64 out=FILE.safetensors [key=value ...]"


@command()
def main(arguments: Sequence[str]) -> None:
    """`arguments`: key=value, as Hydra takes them; a shape needs no brackets."""
    if not arguments or {"-h", "--help"} & set(arguments):
        print(f"{USAGE}\n\n{(CONFIGS / 'noise.yaml').read_text(encoding='utf-8')}")
    else:
        print(write(arguments))


def write(arguments: Sequence[str]) -> Path:
    """Draws the noises and writes them; returns the file.

    Raises:
        UsageError: a setting is missing or invalid, or the file cannot be written.
    """
    overrides = [_bracketed(text) for text in arguments]
    config = compose(overrides, name="noise")
    require_kinds(config, overrides, name="noise")
    settings = plain(config)
    out, shape = _out(settings["out"]), _shape(settings["shape"])

    from safetensors.torch import save  # and torch, when all has been said that can be

    from experiments.galleries.durable import replace_file

    law, streams = build("coupling", config), build("streams", config)
    metadata = {
        "coupling": json.dumps(settings["coupling"]),
        "streams": json.dumps(settings["streams"]),
        "correlation": json.dumps(law.correlation.tolist()),
        "seed": str(settings["seed"]),
        "job": settings["job"],
    }
    try:
        noise = law.sample(shape, seed=settings["seed"], job=settings["job"], base=streams)
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(out, save({"noise": noise.contiguous()}, metadata=metadata))
    except (ValueError, RuntimeError, OSError) as error:
        raise UsageError(str(error).splitlines()[0]) from error
    return out


def _out(name: str) -> Path:
    out = Path(name)
    if out.is_dir():
        raise UsageError(f"out={name} is a folder; name a file, as in out={out / FILE}")
    if out.suffix.lower() != ".safetensors":
        raise UsageError(f"out={name} must end in .safetensors, as in out={out.with_suffix('')}"
                         ".safetensors")  # fmt: skip
    return out


def _shape(sides: object) -> list[int]:
    if not isinstance(sides, list) or not sides:
        raise UsageError("shape is empty: write the sides of one noise, as in shape=4,64,64")
    for side in sides:
        require_whole("a side of shape", side, least=1)
    return sides


def _bracketed(override: str) -> str:
    """shape=4,64,64 as Hydra writes a list; without brackets it would be a sweep."""
    name, _, value = override.partition("=")
    return f"shape=[{value.strip('[]()')}]" if name == "shape" else override


if __name__ == "__main__":
    main(sys.argv[1:])
