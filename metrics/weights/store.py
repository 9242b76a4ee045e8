"""From the source that a config names, a variant or a local folder, to verified weights."""

from collections.abc import Iterable
from pathlib import Path

from metrics.weights.registry import VARIANTS
from metrics.weights.variant import WeightsError, sha256


def describe(source: str) -> dict[str, str]:
    """What identifies the weights of `source`: a name and what pins them. Loads no network."""
    if source in VARIANTS:
        return VARIANTS[source].identity
    folder = locate(source)
    name = f"{folder.parent.name}/{folder.name}"
    return {"weights": name, "sha256": sha256(folder / "model.safetensors")}


def locate(source: str) -> Path:
    """The verified file or folder of a variant, fetched if need be, or the local folder itself.

    Raises WeightsError: altered, not to be had, or neither a variant nor a folder.
    """
    if source in VARIANTS:
        variant = VARIANTS[source]
        return variant.find() or variant.fetch()
    folder = Path(source)
    if not (folder / "model.safetensors").is_file():
        raise WeightsError(
            f"{source} is neither a known variant ({', '.join(VARIANTS)}) nor a folder with a "
            "model.safetensors"
        )
    return folder


def ensure(sources: Iterable[str]) -> None:
    """Have all of them on this machine. Raises one WeightsError with a line for each that is not.

    Called before work starts, so that a run does not fail at its first score.
    """
    failures = []
    for source in dict.fromkeys(sources):
        try:
            locate(source)
        except WeightsError as error:
            failures.append(str(error))
    if failures:
        raise WeightsError("\n".join(failures))
