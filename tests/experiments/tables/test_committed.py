"""Every number of the committed tables, computed again from the scores beside it by scipy and
statsmodels alone, and equal to the digits that are printed."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

RESULTS = Path(__file__).parents[3] / "results"
TABLES = sorted(path for path in RESULTS.glob("*/*.json") if "spec" in json.loads(path.read_text()))

ARROWS = {"higher": " ↑", "lower": " ↓", "neutral": ""}


def p_text(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}" if p >= 1e-99 else "< 1e-99"


def grid(text: str, head: str) -> list[list[str]]:
    """The cells of the first Markdown table after `head`, without its heading and rule."""
    lines = text.split(head, 1)[1].split("| :--", 1)[1].split("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def p_values(d: np.ndarray) -> tuple[float, float]:
    """p of the paired t-test and of Wilcoxon's; where d has no spread, as `statistics` says."""
    if np.ptp(d) > 1e-12 * np.abs(d).max():
        return stats.ttest_1samp(d, 0).pvalue, stats.wilcoxon(d).pvalue
    return (stats.wilcoxon(d).pvalue,) * 2 if d.any() else (1.0, 1.0)


class Recomputed:
    """A table from its CSV of scores; the JSON beside it tells the rows, columns and baselines."""

    def __init__(self, path: Path):
        self.spec = json.loads(path.read_text())["spec"]
        wide = pd.read_csv(path.with_name(f"{path.stem}-scores.csv"))
        self.values = {
            metric: wide.groupby(["job", "row"])[metric].mean().unstack()
            for metric in self.spec["columns"]
        }
        self.pairs = [
            (row, base, metric)
            for row in self.spec["rows"]
            for metric in self.spec["columns"]
            if not self.is_certain(metric)
            for base in self.spec["baselines"].get(row, ())
        ]
        both = {key: self.values[key[2]][[*key[:2]]].dropna().to_numpy() for key in self.pairs}
        self.differences = {key: np.subtract(*pair.T) for key, pair in both.items()}
        with np.errstate(all="ignore"):  # a baseline of zero has no ratio, and prints none
            self.ratio = {key: np.divide(*pair.mean(0)) for key, pair in both.items()}
        p = np.array([p_values(d) for d in self.differences.values()]).reshape(-1, 2)
        holm = [multipletests(column, method="holm")[1] for column in p.T] if len(p) else []
        self.p = dict(zip(self.pairs, zip(*holm, strict=True), strict=True))

    def is_certain(self, metric: str) -> bool:
        return self.spec["columns"][metric].get("certain", False)

    def means(self) -> dict[str, list[str]]:
        """Row -> a text for each column: mean, standard deviation and stars; and n."""
        found = {}
        for row in self.spec["rows"]:
            texts = []
            for metric, column in self.spec["columns"].items():
                x, digits = self.values[metric][row].dropna(), column["digits"]
                stars = ""
                first = self.spec["baselines"].get(row, ())[:1]
                if first and not self.is_certain(metric):
                    p = self.p[row, first[0], metric][0]
                    stars = "*" * sum(p < level for level in (0.05, 0.01, 0.001))
                texts.append(f"{x.mean():.{digits}f} ({x.std():.{digits}f}){stars}")
            seeds = self.spec.get("seeds", 1)
            found[row] = [*texts, f"{len(x)} × {seeds}" if seeds > 1 else str(len(x))]
        return found

    def effects(self) -> list[list[str]]:
        """The lines under "Paired effects"."""
        lines = []
        for row, base, metric in self.pairs:
            d, column = self.differences[row, base, metric], self.spec["columns"][metric]
            t, wilcoxon = self.p[row, base, metric]
            flat = np.ptp(d) <= 1e-12 * np.abs(d).max()
            low, high = (2 * [d.mean()] if flat else
                         stats.ttest_1samp(d, 0).confidence_interval(0.95))  # fmt: skip
            digits, percent = column["digits"] + 1, 100 * (self.ratio[row, base, metric] - 1)
            rises = "higher" if d.mean() > 0 else "lower"
            verdict = "differs" if column["better"] == "neutral" else (
                "better" if column["better"] == rises else "worse")  # fmt: skip
            lines.append([
                f"{row} – {base}",
                column["label"] + ARROWS[column["better"]],
                f"{d.mean():+z.{digits}f} [{low:+z.{digits}f}, {high:+z.{digits}f}]",
                f"{percent:+z.1f} %" if self.values[metric][base].mean() > 0 else "–",
                verdict if t < 0.05 else "",
                ("+0.00" if not d.any() else "–") if flat else f"{d.mean() / d.std(ddof=1):+z.2f}",
                p_text(t), p_text(wilcoxon), str(len(d)),
            ])  # fmt: skip
        return lines


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parent.name)
def test_every_printed_number_follows_from_the_published_scores(path):
    text, again = path.with_suffix(".md").read_text().replace("\\", ""), Recomputed(path)
    printed = {line[0]: line[1:] for line in grid(text, "# ") if not line[0].startswith("*")}
    ours = again.means()
    pairs = [
        (re.sub(r"^\*\*(.*?)\*\*", r"\1", theirs), mine)  # the best of a column is bold
        for row in ours
        for theirs, mine in zip(printed[row], ours[row], strict=True)
    ]
    if again.pairs:
        effects = grid(text, "## Paired effects")
        assert len(effects) == len(again.pairs)
        pairs += [
            pair
            for theirs, mine in zip(effects, again.effects(), strict=True)
            for pair in zip(theirs, mine, strict=True)
        ]
    assert [pair for pair in pairs if pair[0] != pair[1]] == []
