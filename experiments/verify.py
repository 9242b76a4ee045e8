"""Hash every image again, and list what is not as it was committed.

    python -m experiments.verify output_dir=outputs
    python -m experiments.verify output_dir=outputs repair=true

    missing    an image that an entry of a manifest names, or a gallery that was given up
    damaged    an image with another hash; a line of a manifest that is no entry
    foreign    a file that no entry names, such as what a killed run has left behind
    stale      a cell whose inputs are not those in its name, or whose model has other weights now

Repairing moves damaged, incomplete and foreign files to `set-aside` in their cell and deletes
nothing; the next run makes those galleries anew. Stale cells stay: no run reads them, as a model
with other weights has cells of its own. The exit status is 0 if all is well, 1 if anything was
found, 2 if there is nothing to verify. Where a model's weights lie elsewhere, say model.source=...
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.compose import compose
from experiments.errors import UsageError
from experiments.galleries.archive import Archive, cell_key
from experiments.galleries.ledger import Ledger
from experiments.galleries.writer import mended
from experiments.models.fingerprint import fingerprint

KINDS = ("missing", "damaged", "foreign", "stale")
CELL = ("cell.json", "manifest.jsonl")  # a folder with either is one


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        kind: one of KINDS.
        aside: what a repair moves away, None for nothing.
    """

    kind: str
    path: Path
    why: str
    aside: Path | None = None


def main(arguments: Sequence[str]) -> int:
    """`arguments`: output_dir=, repair=, and overrides of the main job's `model`."""
    settings = dict(text.split("=", 1) for text in arguments if "=" in text)
    folder, repair = Path(settings.pop("output_dir", "outputs")), settings.pop("repair", "false")
    try:
        if repair not in ("true", "false") or len(arguments) > len(settings) + 2:
            raise UsageError("usage: python -m experiments.verify output_dir=DIR [repair=true]")
        overrides = [f"{key}={value}" for key, value in settings.items()]
        found = verify(folder, repair=repair == "true", overrides=overrides)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 1 if found else 0


def verify(folder: Path, *, repair: bool, overrides: Sequence[str] = ()) -> list[Finding]:
    """Everything that is wrong in the cells of a folder; printed, and set aside if asked.

    Raises:
        UsageError: there are no cells; or a repair meets a run that is writing.
    """
    cells = sorted({path.parent for path in folder.glob("*/*") if path.name in CELL})
    if not cells:
        raise UsageError(f"{folder} has no galleries to verify; set output_dir")
    found = []
    for cell in cells:
        archive = Archive.at(cell)
        findings = [*inspect(archive), *_stale(archive, overrides)]
        for finding in findings:
            print(f"{finding.kind:8} {finding.path}: {finding.why}")
        if repair and findings:
            with mended(archive):
                for path in dict.fromkeys(f.aside for f in findings if f.aside):
                    if path.exists():  # else it went with its gallery
                        _set_aside(path, cell / "set-aside")
        found += findings
    counts = Counter(finding.kind for finding in found)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
    print(f"{len(cells)} cells: {told or 'all is as it was committed'}")
    return found


def inspect(archive: Archive) -> Iterator[Finding]:
    """What of a cell is missing, damaged or foreign."""
    entries, torn = archive.entries()
    if torn:
        yield Finding(
            "damaged", archive.path / "manifest.jsonl", f"{len(torn)} lines are no entries"
        )
    for failure in {failure.job: failure for failure in Ledger(archive.path).read()}.values():
        if failure.final and failure.job not in entries:
            why = f"given up after {failure.attempt} tries: {failure.error}"
            yield Finding("missing", archive.gallery_folder / failure.job, why)
    expected = set()
    for entry in entries.values():
        gallery = archive.gallery_folder / entry.job
        there = gallery if gallery.is_dir() else None
        for path, committed in zip(archive.image_paths(entry), entry.images, strict=True):
            expected.add(path)
            if not path.is_file():
                yield Finding("missing", path, "is not there", there)
            elif hashlib.sha256(path.read_bytes()).hexdigest() != committed:
                yield Finding("damaged", path, "is not the image that was committed", there)
    folders = archive.gallery_folder.iterdir() if archive.gallery_folder.is_dir() else ()
    for folder in sorted(folders):
        if folder.name not in entries:
            yield Finding("foreign", folder, "no entry names it", folder)
        else:
            for path in sorted(set(folder.iterdir()) - expected):
                yield Finding("foreign", path, "no entry names it", path)


def _stale(archive: Archive, overrides: Sequence[str]) -> Iterator[Finding]:
    _, _, key = archive.path.name.rpartition("-")
    if cell_key(archive.inputs) != key:
        yield Finding("stale", archive.path, "its cell.json does not make the key in its name")
    model = archive.inputs.get("model", {})
    try:
        config = compose([f"model={model.get('name')}", *overrides]).model
        weights = fingerprint(config.source, config.revision)
    except UsageError:
        return  # nothing here to compare with
    if weights != model.get("weights"):
        yield Finding("stale", archive.path, f"{config.name} has other weights now: {weights}")


def _set_aside(path: Path, shelf: Path) -> None:
    """Moves a file or folder, under a name that is free."""
    shelf.mkdir(exist_ok=True)
    name = path.name.lstrip(".")
    target, count = shelf / name, 1
    while target.exists():
        count += 1
        target = shelf / f"{name}-{count}"
    path.rename(target)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
