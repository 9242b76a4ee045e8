"""Walk every target with every model, and write what came of it to results/rehearsal.md."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from scripts.rehearsal import targets
from scripts.rehearsal.processes import LAST, Pair, side_by_side
from scripts.rehearsal.targets import ROOT

if TYPE_CHECKING:  # the libraries load on the stage, and read there where their hub is
    from scripts.rehearsal.walk import Outcome


def main() -> int:
    parser = argparse.ArgumentParser("python -m scripts.rehearsal", description=__doc__)
    parser.add_argument("--plan", nargs="*", metavar="TARGET:MODEL", help="plan these; default all")
    parser.add_argument("--walk", nargs="*", metavar="TARGET:MODEL", help="walk these; default all")
    parser.add_argument("--processes", type=int, default=2, help="models side by side; default 2")
    parser.add_argument("--folder", type=Path, default=ROOT / "outputs" / "rehearsal")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "rehearsal.md")
    asked = parser.parse_args()
    folder, out = asked.folder.resolve(), asked.out.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    start = perf_counter()
    planned, walked = side_by_side(
        folder, list(_pairs(asked.plan)), list(_pairs(asked.walk)), processes=asked.processes
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    text = report(planned, walked, minutes=(perf_counter() - start) / 60)
    out.write_text(text, encoding="utf-8")
    print(f"The rehearsal: {out}")
    return int(any(outcome.state == "failed" for outcome in (*planned, *walked)))


def _pairs(wanted: Sequence[str] | None) -> Iterator[Pair]:
    """What is walked, in an order in which each finds what it needs."""
    if wanted is not None:
        for each in wanted:
            target, _, model = each.partition(":")
            yield target, model
        return
    offered = [name for name in targets.targets() if name not in targets.UNWALKED]
    for target in [*(name for name in offered if name not in LAST), *LAST]:
        models = targets.models() if targets.depends_on_the_model(target) else ["tiny"]
        yield from ((target, model) for model in models)


def report(planned: Sequence["Outcome"], walked: Sequence["Outcome"], *, minutes: float) -> str:
    """The walk as Markdown: a table of targets and models, and what is behind it."""
    state = {
        (o.target, o.model): o.state if o.state != "failed" else f"**failed**: {o.line}"
        for o in sorted((*planned, *walked), key=lambda o: o.state == "failed")  # it is told
    }
    models = list(dict.fromkeys(o.model for o in walked))
    rows = [
        [target, *(state.get((target, model), "") for model in models)]
        for target in dict.fromkeys(o.target for o in walked)
    ]
    table = [["target", *models], ["---"] * (1 + len(models)), *rows]
    refused = {f"- {o.line}." for o in walked if o.state == "not for this model"}
    unwalked = "; ".join(f"`{name}` ({why})" for name, why in targets.UNWALKED.items())
    processor = os.times()[:4]  # of this process and of those that it has ended
    parts = [
        "# The rehearsal",
        f"Every target of the Makefile at {_commit()}, walked with small stand-ins of the "
        "published repositories ([what this proves](../docs/rehearsal.md)): "
        f"{len(planned)} plans, {len(walked)} walks, {minutes:.0f} minutes, "
        f"{sum(processor) / 60:.0f} of a processor.",
        "\n".join(f"| {' | '.join(row)} |" for row in table),
        "A target without a choice of model stands under the first. Not for a model:",
        "\n".join(sorted(refused)),
        f"Not walked: {unwalked}.",
    ]
    return "\n\n".join(parts) + "\n"


def _commit() -> str:
    """The commit that is walked, and whether the tree differs from it."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
        return done.stdout.strip()

    edited = git("status", "--porcelain", "--", ".", ":!results")
    return f"{git('rev-parse', '--short=12', 'HEAD')}{', edited' if edited else ''}"


if __name__ == "__main__":
    sys.exit(main())
