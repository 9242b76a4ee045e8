"""Check the paper's statements by measurement; exit 1 at the first that does not hold.

    python scripts/theory.py --scores results/table1/tiny-scores.csv --out results/theory

Writes a figure for every statement and `theory.md`, which says what was measured. The last check
samples the bundled model: some minutes on a CPU.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tqdm import tqdm

from experiments.errors import command
from experiments.galleries.durable import replace_file
from experiments.theory import factors, feasible, first_order, named, separation, single
from experiments.theory.evidence import Evidence, Violation


@command()
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scores", type=Path, required=True, help="Table 1's scores, a CSV")
    parser.add_argument("--out", type=Path, required=True, help="folder for figures and report")
    arguments = parser.parse_args()
    checks: list[Callable[[Path], Evidence]] = [
        named.check,
        feasible.check,
        partial(single.check, scores=arguments.scores),
        separation.check,
        factors.check,
        first_order.check_linear,
        first_order.check_bundled,
    ]
    findings = []
    for check in tqdm(checks, desc="theory", unit="statement"):
        try:
            findings.append(check(arguments.out))
        except Violation as violation:
            print(f"error: {violation}", file=sys.stderr)
            return 1
    text = report(findings)
    replace_file(arguments.out / "theory.md", text.encode())
    print(text)
    return 0


def report(findings: list[Evidence]) -> str:
    """Markdown: every statement, what was measured, its figure."""
    parts = [
        f"## {found.statement}\n\n{found.measured}.\n\n![{found.statement}]({found.figure.name})"
        for found in findings
    ]
    return "\n\n".join(["# The statements of the paper, measured", *parts]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
