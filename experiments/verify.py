"""Hash every image again, and list what is not as it was committed.

    python -m experiments.verify outputs
    python -m experiments.verify outputs --repair

    missing    an image that a manifest names, or a gallery that was given up
    damaged    an image with another hash; a line of a manifest that is no entry
    foreign    a file that no manifest names, such as what a killed run has left behind
    stale      a cell whose inputs are not those in its name, whose model has other weights now, or
               whose code is not the suite's and has been edited since

Repairing moves damaged, incomplete and foreign files to `set-aside` in their cell and deletes
nothing; the next run makes those galleries anew. Stale cells stay: no run reads them, as other
weights and other code have cells of their own. The exit status is 0 if all is well, 1 if anything
was found, 2 if there is nothing to verify.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.compose import compose, plain
from experiments.errors import UsageError, command

if TYPE_CHECKING:  # torch loads for a folder, not for --help
    from experiments.galleries.folder import Archive
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

    from experiments.galleries.folder import Archive
    from experiments.galleries.inspection import cells_in, inspect, set_aside

    cells = cells_in(folder)
    if not cells:
        raise UsageError(f"{folder} has no galleries to verify; name the output_dir of a run")
    found = []
    for cell in cells:
        archive = Archive.at(cell)
        findings = [*inspect(archive), *_stale(archive, overrides)]
        for finding in findings:
            print(f"{finding.kind:8} {finding.path}: {finding.why}")
        if repair and findings:
            set_aside(archive, findings)
        found += findings
    counts = Counter(finding.kind for finding in found)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
    print(f"{len(cells)} cells: {told or 'all is as it was committed'}")
    return found


def _stale(archive: "Archive", overrides: Sequence[str]) -> "Iterator[Finding]":
    """That the model has other weights now, or somebody's code another source.

    Nothing where there is none here to compare with.
    """
    from experiments.cells.identity import edited
    from experiments.galleries.inspection import Finding
    from experiments.models.fingerprint import fingerprint

    for name in edited(archive.inputs):
        yield Finding("stale", archive.path, f"{name} has been edited since")
    model = archive.inputs.get("model", {})
    try:
        config = plain(compose([f"model={model.get('name')}", *overrides]).model)
        weights = fingerprint(config["source"], config["revision"])
    except UsageError:
        return
    if weights != model.get("weights"):
        yield Finding("stale", archive.path, f"{config['name']} has other weights now: {weights}")


if __name__ == "__main__":
    sys.exit(main())
