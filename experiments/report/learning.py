"""What a study of learned couplings found: how near each came to the repulsive coupling, and what
it is worth beside it on prompts that nothing was learned from.

Rewards are compared prompt by prompt on common base noises. The p-values of all comparisons of the
report, learned against repulsive and learned against independent, are one family (Holm).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor

from experiments.galleries.durable import write_text
from experiments.learning.card import Card
from experiments.tables.statistics import PairedTest, holm, paired

BASELINES = ("repulsive", "iid")


@dataclass(frozen=True)
class Evaluated:
    """A learned coupling, and the held-out rewards of it and its baselines, prompt by prompt."""

    group: str
    start: str
    card: Card
    rewards: Mapping[str, Sequence[float]]  # "learned", "repulsive", "iid" -> one for each prompt


def write(
    rows: Sequence[Evaluated], folder: Path, stem: str, *, title: str, within: float
) -> tuple[Path, ...]:
    """Writes `stem`.md, .csv and .json, and the rewards as `stem`-held-out.csv.

    Args:
        within: a coupling counts as repulsive where no correlation is further from -1/(K-1).
    """
    frame = _frame(rows)
    rewards = pd.concat(
        pd.DataFrame({"group": row.group, "start": row.start, **row.rewards}) for row in rows
    )
    texts = {
        f"{stem}.md": _markdown(rows, frame, title=title, within=within),
        f"{stem}.csv": frame.to_csv(index=False, lineterminator="\n"),
        f"{stem}.json": json.dumps(_document(rows, within=within), indent=1) + "\n",
        f"{stem}-held-out.csv": rewards.to_csv(index_label="prompt", lineterminator="\n"),
    }
    return tuple(write_text(folder / name, text) for name, text in texts.items())


def matrix(correlation: Tensor) -> str:
    """A matrix as lines of text."""
    return "\n".join(" ".join(f"{value:+.3f}" for value in row) for row in correlation.tolist())


def findings(rows: Sequence[Evaluated], *, within: float) -> list[str]:
    """A sentence for each group: whether its couplings became the repulsive one, or as good."""
    tests = _tests(rows)
    sentences = []
    for group in dict.fromkeys(row.group for row in rows):
        members = [i for i, row in enumerate(rows) if row.group == group]
        size = rows[members[0]].card.matrix.shape[0]
        distances = [rows[i].card.distances[-1].item() for i in members]
        near, furthest = sum(distance <= within for distance in distances), max(distances)
        apart, other = (sum(tests[i, name][1] < 0.05 for i in members) for name in BASELINES)
        count = len(members)
        sentences.append(
            f"{group}: {near} of {count} couplings became the repulsive one (every correlation "
            f"within {within:g} of {-1 / (size - 1):g}; the furthest is {furthest:.3f} away). "
            f"On held-out prompts {count - apart} of {count} show no difference from its reward, "
            f"and {other} of {count} differ from that of independent noises."
        )
    return sentences


def _tests(rows: Sequence[Evaluated]) -> dict[tuple[int, str], tuple[PairedTest, float]]:
    """(row, baseline) -> the test of learned against it, and its corrected p-value."""
    tests = {
        (i, name): paired(row.rewards["learned"], row.rewards[name])
        for i, row in enumerate(rows)
        for name in BASELINES
    }
    corrected = holm([test.t_p for test in tests.values()])
    return {key: (test, p) for (key, test), p in zip(tests.items(), corrected, strict=True)}


def _frame(rows: Sequence[Evaluated]) -> pd.DataFrame:
    tests = _tests(rows)
    lines = []
    for i, row in enumerate(rows):
        card = row.card
        first, second = np.triu_indices(card.matrix.shape[0], 1)
        line = {"group": row.group, "start": row.start, "steps": card.steps}
        line["correlations"] = " ".join(f"{r:+.3f}" for r in card.correlations[-1, first, second])
        line |= {"distance_at_start": card.distances[0].item()}
        line |= {"distance": card.distances[-1].item(), "constraint_violation": card.violation}
        line |= {"prompts": len(row.rewards["learned"])}
        line |= {f"{name}_reward": float(np.mean(values)) for name, values in row.rewards.items()}
        for name in BASELINES:
            test, p = tests[i, name]
            line |= {f"against_{name}": test.difference, f"against_{name}_low": test.ci_low}
            line |= {f"against_{name}_high": test.ci_high, f"against_{name}_p_holm": p}
        lines.append(line)
    return pd.DataFrame(lines)


def _markdown(rows: Sequence[Evaluated], frame: pd.DataFrame, *, title: str, within: float) -> str:
    settings = rows[0].card.settings
    labels = {"": frame["group"] + ", " + frame["start"]}
    learned = labels | {
        "steps": frame["steps"],
        "distance at the start": frame["distance_at_start"].map("{:.3f}".format),
        "distance": frame["distance"].map("{:.3f}".format),
        "correlations": frame["correlations"],
    }
    held_out = labels | {
        name: frame[f"{name}_reward"].map("{:.4f}".format) for name in ("learned", *BASELINES)
    }
    for name in BASELINES:
        interval = frame[[f"against_{name}{end}" for end in ("", "_low", "_high")]].to_numpy()
        held_out[f"learned – {name} [95 %]"] = [
            "{:+.4f} [{:+.4f}, {:+.4f}]".format(*found) for found in interval
        ]
        held_out[f"p, {name}"] = frame[f"against_{name}_p_holm"].map("{:.2g}".format)
    parts = [
        f"# {title}",
        f"Model {settings['model']['name']}, {settings['model']['num_steps']} sampler steps, "
        f"guidance {settings['model']['guidance']:g}; Adam at {settings['learning_rate']:g}, "
        f"{settings['prompts_per_step']} prompts a step. Distance: the largest deviation of a "
        "correlation from the repulsive coupling's, -1/(K-1).",
        "\n".join(f"- {sentence}" for sentence in findings(rows, within=within)),
        pd.DataFrame(learned).to_markdown(index=False, disable_numparse=True),
        "## Rewards on held-out prompts",
        f"Mean over {frame['prompts'].iloc[0]} prompts that nothing was learned from, paired on "
        "the same base noises. The reward is minus the mean SSIM of pairs, or their mean LPIPS: "
        f"higher is more diverse. t-tests, Holm-corrected over all {len(BASELINES) * len(rows)}.",
        pd.DataFrame(held_out).to_markdown(index=False, disable_numparse=True),
    ]
    return "\n\n".join(parts) + "\n"


def _document(rows: Sequence[Evaluated], *, within: float) -> dict:
    tests = _tests(rows)
    return {
        "findings": findings(rows, within=within),
        "rows": [
            {
                "group": row.group,
                "start": row.start,
                "card": row.card.summary(),
                "distance": row.card.distances[-1].item(),
                "held_out": {
                    name: asdict(tests[i, name][0]) | {"t_p_holm": tests[i, name][1]}
                    for name in BASELINES
                },
            }
            for i, row in enumerate(rows)
        ],
    }
