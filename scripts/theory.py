"""Check the paper's statements by measurement; exit 1 at the first that does not hold.

    python scripts/theory.py --scores results/table1/tiny-scores.csv --out results/theory

Writes a figure for every statement and `theory.md`, which says what was measured. The last check
samples the bundled model: some minutes on a CPU.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tqdm import tqdm

from experiments.errors import UsageError, command
from experiments.galleries.durable import replace_file
from experiments.theory import factors, feasible, first_order, named, separation, single
from experiments.theory.evidence import Evidence, Violation

SAYS = {
    "Figure 1": "Under every named coupling of two noises each of them alone is N(0, I), and their "
    "covariance is what the coupling says.",
    "Proposition 3.1": "Equicorrelated noises exist exactly for ρ from -1/(K-1) to 1, and no "
    "coupling has a smaller largest correlation than the repulsive one's, -1/(K-1).",
    "Proposition 3.2": "No coupling moves the mean score of single images; it may move scores of "
    "galleries.",
    "Proposition A.2": "For linear features the repulsive coupling separates most, and makes least "
    "similar at every bandwidth.",
    "Theorem 3.3": "Every correlation matrix R is A Aᵀ for some A with rows of unit norm, and "
    "every such A gives one.",
    "Theorem A.3": "What a coupling changes is, to first order, known from independent noises "
    "alone: over pairs, the sum of their correlation times the expected trace of the mixed "
    "derivative.",
}
"""The statements, in words."""


@command()
def main() -> None:
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
    try:
        findings = [check(arguments.out) for check in tqdm(checks, desc="theory", unit="statement")]
    except Violation as violation:
        raise UsageError(str(violation)) from violation
    text = report(findings)
    replace_file(arguments.out / "theory.md", text.encode())
    print(text)


def report(findings: list[Evidence]) -> str:
    """Markdown: every statement in words, what was measured, its figure."""
    parts = [
        f"## {found.statement}\n\n> {SAYS[found.statement.partition(',')[0]]}\n\n"
        f"It holds. {found.measured}.\n\n![{found.statement}, drawn]({found.figure.name})"
        for found in findings
    ]
    title = "# The statements of the paper, measured"
    return "\n\n".join([title, f"All {len(parts)} hold, as measured here.", *parts]) + "\n"


if __name__ == "__main__":
    main()
