"""Walk every target with every model, and write what came of it to results/rehearsal.md."""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.rehearsal.stage import ROOT, prepare_data, staged


def main() -> int:
    parser = argparse.ArgumentParser("python -m scripts.rehearsal", description=__doc__)
    parser.add_argument("--targets", nargs="*", help="of the Makefile; default all")
    parser.add_argument("--models", nargs="*", help="default all")
    parser.add_argument("--folder", type=Path, default=ROOT / "outputs" / "rehearsal")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "rehearsal.md")
    asked = parser.parse_args()
    folder, out = asked.folder.resolve(), asked.out.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    with staged(folder) as stage:
        # the libraries load on the stage, and read there where the hub is
        from scripts.rehearsal.repositories import SIZE
        from scripts.rehearsal.walk import walk

        prepare_data(stage, SIZE)
        outcomes = []
        for target, model in _pairs(asked.targets, asked.models):
            outcomes.append(walk(target, model))
            last = outcomes[-1]
            print(
                f"{target:12}{model:6}{last.state:20}{last.seconds:6.1f} s  {last.line}", flush=True
            )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(report(outcomes, asked.targets or []), encoding="utf-8")
    return int(any(outcome.state == "failed" for outcome in outcomes))


def _pairs(wanted: Sequence[str] | None, models: Sequence[str] | None) -> list[tuple[str, str]]:
    """What is walked, in an order in which each finds what it needs: table 1 before the theory."""
    from scripts.rehearsal import targets

    found = [name for name in wanted or targets.targets() if name not in targets.UNWALKED]
    last = ["theory", "report", "figures", "verify"]
    ordered = [name for name in found if name not in last] + [n for n in last if n in found]
    return [
        (target, model)
        for target in ordered
        for model in models or targets.models()
        if targets.depends_on_the_model(target) or model == (models or targets.models())[0]
    ]


def report(outcomes, wanted) -> str:
    """The walk as Markdown."""
    return "\n".join(f"| {o.target} | {o.model} | {o.state} | {o.line} |" for o in outcomes) + "\n"


if __name__ == "__main__":
    sys.exit(main())
