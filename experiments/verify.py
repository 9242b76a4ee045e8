"""Hash every image again, and list what is not as it was committed.

    python -m experiments.verify outputs
    python -m experiments.verify outputs --repair

    missing    an image that a manifest row names, or a gallery that was given up
    damaged    an image with another hash; a line of a manifest that is no row
    foreign    a file that no row names, such as what a killed run has left behind
    stale      a cell whose inputs are not those in its name, or whose model has other weights now

Repairing moves damaged, incomplete and foreign files to `set-aside` in their cell and deletes
nothing; the next run makes those galleries anew. Stale cells stay: no run reads them, as a model
with other weights has cells of its own. The exit status is 0 if all is well, 1 if anything was
found, 2 if there is nothing to verify.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.compose import compose
from experiments.errors import UsageError, command

if TYPE_CHECKING:  # torch loads for a folder, not for --help
    from experiments.galleries.inspection import Finding

KINDS = ("missing", "damaged", "foreign", "stale")


@command(status=2)
def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m experiments.verify", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("outputs"), help="of cells; default outputs"
    )
    parser.add_argument("--repair", action="store_true", help="set aside what is damaged")
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="KEY=VALUE",
        nargs="+",
        action="extend",
        default=[],
        help="of the models' settings, such as model.source=DIR where their weights are",
    )
    given = parser.parse_args(arguments)
    found = verify(given.folder, repair=given.repair, overrides=given.overrides)
    return 1 if found else 0


def verify(folder: Path, *, repair: bool, overrides: Sequence[str] = ()) -> "list[Finding]":
    """Everything that is wrong in the cells of a folder; printed, and set aside if asked.

    Raises:
        UsageError: there are no cells; a setting does not exist; a repair meets a run that writes.
    """
    compose(overrides)

    from experiments.galleries.inspection import cells_in, inspect, set_aside
    from experiments.galleries.store import GalleryStore

    cells = cells_in(folder)
    if not cells:
        raise UsageError(f"{folder} has no galleries to verify; name the output_dir of a run")
    found = []
    for cell in cells:
        store = GalleryStore(cell, _inputs(cell), gallery_size=1)
        findings = [*inspect(store), *_other_weights(cell, store.inputs, overrides)]
        for finding in findings:
            print(f"{finding.kind:8} {finding.path}: {finding.why}")
        if repair and findings:
            set_aside(store, findings)
        found += findings
    counts = Counter(finding.kind for finding in found)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
    print(f"{len(cells)} cells: {told or 'all is as it was committed'}")
    return found


def _other_weights(
    cell: Path, inputs: Mapping[str, Any], overrides: Sequence[str]
) -> "Iterator[Finding]":
    """That the model has other weights now; nothing where there is none to compare with."""
    from experiments.galleries.inspection import Finding
    from experiments.models.fingerprint import fingerprint

    model = inputs.get("model", {})
    try:
        config = compose([f"model={model.get('name')}", *overrides]).model
        weights = fingerprint(config.source, config.revision)
    except UsageError:
        return
    if weights != model.get("weights"):
        yield Finding("stale", cell, f"{config.name} has other weights now: {weights}")


def _inputs(cell: Path) -> dict[str, Any]:
    """What the cell says that it was made from; nothing where that cannot be read."""
    try:
        return json.loads((cell / "cell.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


if __name__ == "__main__":
    sys.exit(main())
