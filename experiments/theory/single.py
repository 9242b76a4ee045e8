"""Proposition 3.2: no coupling moves the mean score of single images; it moves scores of galleries.

Every X_i is N(0, I) under every coupling, so E score(G(X_i)) is one number. That two means do not
differ cannot be shown by a test that finds no difference; it is shown by equivalence: two one-sided
t-tests on paired differences, here with a margin of 0.2 standard deviations of the score between
prompts, which by Cohen's convention is where a small effect begins. As a control, the same test
must not find the pairwise L2 distance, a score of galleries, equivalent.
"""

from pathlib import Path

import pandas as pd

from experiments.figures.style import canvas, save, style
from experiments.tables.statistics import EquivalenceTest, equivalence
from experiments.theory.evidence import Evidence, require

STATEMENT = "Proposition 3.2"
SINGLE = {"clip": "CLIPScore", "brisque": "BRISQUE"}
CONTROL = {"l2": "L2 of pairs"}
MARGIN = 0.2  # standard deviations of the score between prompts, under independent noises
LEVEL = 0.05


def check(folder: Path, *, scores: Path) -> Evidence:
    """Scores of single images are equivalent under both noises, those of galleries are not.

    scores: those of Table 1, a line a prompt and row (iid, coupled), a column a metric.
    """
    table = pd.read_csv(scores).pivot(index=["prompt", "job"], columns="row")
    tests: dict[str, tuple[EquivalenceTest, float]] = {}
    for metric, label in (SINGLE | CONTROL).items():
        coupled, iid = table[metric]["coupled"], table[metric]["iid"]
        spread = float(iid.std())
        tests[label] = equivalence(coupled, iid, margin=MARGIN * spread), spread
        test, _ = tests[label]
        if metric in SINGLE:
            require(test.p < LEVEL, STATEMENT, f"{label} is not equivalent, p = {test.p:.2g}")
        else:
            require(test.p >= LEVEL, f"the control of {STATEMENT}", f"{label} is equivalent")
    measured = "; ".join(
        f"{label}: {test.difference:+.4f} [{test.ci_low:+.4f}, {test.ci_high:+.4f}] (90 %), "
        f"margin {test.margin:.4f}, p = {test.p:.1e}"
        for label, (test, _) in tests.items()
    )
    n = tests["CLIPScore"][0].n
    return Evidence(STATEMENT, f"n = {n}; {measured}", _draw(tests, folder / "single"))


def _draw(tests: dict[str, tuple[EquivalenceTest, float]], path: Path) -> Path:
    with style():
        figure = canvas(5, 1.9)
        axis = figure.subplots()
        axis.axvspan(-MARGIN, MARGIN, color="#0072B2", alpha=0.12, linewidth=0)
        axis.axvline(0, color="#222222", linewidth=0.8)
        for y, (test, spread) in enumerate(reversed(tests.values())):
            axis.plot([test.ci_low / spread, test.ci_high / spread], [y, y], color="#222222")
            axis.plot(test.difference / spread, y, "o", color="#0072B2", markersize=5)
        axis.set_yticks(range(len(tests)), list(reversed(tests)))
        axis.set_ylim(-0.6, len(tests) - 0.4)
        axis.set_xlabel("coupled - iid, standard deviations (90 %); shaded: equivalent")
        return save(figure, path)[0]
