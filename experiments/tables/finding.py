"""What a table found, in sentences that follow from its tests and change with them.

    Repulsive noises (coupled) against independent noises (iid). Better: L2 +27.0 % (95 % interval
    +24.4 to +29.5), MSS -11.1 %. Equivalent within 1 %: CLIPScore. No difference shown: BRISQUE.

A difference is shown where its corrected p-value is below 0.05. Where none is, two scores are
called equivalent if two one-sided t-tests at 5 % place the difference within 1 % of the baseline's
mean: the 90 % interval lies inside (Schuirmann, 1987). Else it is "no difference shown".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.tables.stated import stated
from experiments.tables.statistics import interval
from experiments.tables.table import Comparison, Table
from experiments.tables.wording import VERDICTS, verdict

WITHIN = 0.01
"""Of the baseline's mean: what is called equivalent; set before anything was measured."""

MOST = 4
"""As many comparisons are put in words; a table has a line for each."""


@dataclass(frozen=True)
class Finding:
    """A comparison of two rows in words: who, and what of it, sentence by sentence."""

    who: str
    what: tuple[str, ...]

    def __str__(self) -> str:
        return ". ".join((self.who, *self.what)) + "."


@dataclass(frozen=True)
class Word:
    """A name, what it means in plain words, and the rows that it is a part of."""

    name: str
    meaning: str
    rows: tuple[str, ...] = ()


def findings(
    table: Table, configs: Mapping[str, Mapping], passes: Mapping[str, float]
) -> tuple[Finding, ...]:
    """The findings of a table, each row held against its first baseline: first those of rows that
    differ in their coupling alone.

    Args:
        configs: the composed configuration of every row.
        passes: the mean network passes of a gallery by row, of those that are known; told where
            the table has no column of what is certain.
    """
    pairs = [(row, against[0]) for row, against in table.spec.baselines.items() if against]
    pairs.sort(key=lambda pair: _differing(configs, *pair) != {"coupling"})
    # a gallery that is a step of a longer refinement was counted with all of it
    tasks = {row: configs.get(row, {}).get("task") or {} for row in passes}
    passes = {row: n for row, n in passes.items() if not tasks[row].get("checkpoint")}
    return tuple(
        Finding(
            " against ".join(_named(configs, pair, row) for row in pair),
            (*_told(table, *pair), *_cost(table, passes, *pair)),
        )
        for pair in pairs[:MOST]
    )


def glossary(table: Table, configs: Mapping[str, Mapping]) -> list[Word]:
    """What the parts of its rows and its columns are, of those that there are words for."""
    made_of = {row: parts_of(configs[row]) for row in table.spec.rows if row in configs}
    parts, metrics = words()["parts"], words()["metrics"]
    used = {part: parts[part] for row in made_of.values() for part in row if part in parts}
    return [
        *(
            Word(name, meaning, tuple(row for row, made in made_of.items() if part in made))
            for part, (name, meaning) in used.items()
        ),
        *(
            Word(column.label, metrics[metric])
            for metric, column in table.spec.columns.items()
            if metric in metrics
        ),
    ]


def words() -> dict[str, Any]:
    """The words of `words.yaml`."""
    return stated("words")


def unit(metric: str) -> str:
    """The unit of a metric; "1" of a plain number, as the SI has it."""
    return words()["units"].get(metric, "1")


def _told(table: Table, row: str, baseline: str) -> list[str]:
    """What is better, worse, different, equivalent and undecided, in this order."""
    kinds = (*VERDICTS, f"equivalent within {100 * WITHIN:g} %", "no difference shown")
    told: dict[str, list[str]] = {kind: [] for kind in kinds}
    for metric, column in table.spec.columns.items():
        label = column.label.replace(", ", " (") + ")" * (", " in column.label)
        for found in table.cell(row, metric).comparisons:
            if found.baseline == baseline:
                base = table.cell(baseline, metric).mean or 0.0
                shown = verdict(found, column)
                effect = _effect(found, base, column.digits, whole=not any(told.values()))
                told[shown or kinds[-2 if _equivalent(found, base) else -1]].append(
                    f"{label} {effect}" if shown else label
                )
    return [_sentence(f"{kind}: {', '.join(of)}") for kind, of in told.items() if of] or [
        "Nothing could be compared"
    ]


def _effect(found: Comparison, base: float, digits: int, *, whole: bool) -> str:
    """The difference, in per cent where there is a positive baseline; whole: with its interval."""
    test = found.test
    scale, unit, digits = (
        (100 / base, " %", 1) if found.percent is not None else (1, "", digits + 1)
    )
    low, high = (f"{scale * end:+z.{digits}f}" for end in (test.ci_low, test.ci_high))
    text = f"{scale * test.difference:+z.{digits}f}{unit}"
    return f"{text} (95 % interval {low} to {high})" if whole else text


def _equivalent(found: Comparison, base: float) -> bool:
    low, high = interval(found.test, 0.90)
    return base > 0 and -WITHIN * base < low and high < WITHIN * base


def _cost(table: Table, passes: Mapping[str, float], row: str, baseline: str) -> list[str]:
    """What is certain of the two, where both have some of it."""
    pair = (row, baseline)
    known = {
        column.label: [table.cell(each, metric).mean or 0.0 for each in pair]
        for metric, column in table.spec.columns.items()
        if column.certain
    } or {"network passes": [passes.get(each, 0.0) for each in pair]}
    return [
        f"No extra {name}" if abs(more) < 0.05 else _sentence(f"{name} {more:+.0f} %")
        for name, (ours, theirs) in known.items()
        if ours > 0 and theirs > 0
        for more in [100 * (ours / theirs - 1)]
    ]


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _named(configs: Mapping[str, Mapping], pair: Sequence[str], row: str) -> str:
    """The row, and first its coupling in words, if that is what the two differ in."""
    part = parts_of(configs[row])[1] if "coupling" in _differing(configs, *pair) else ""
    if part not in words()["parts"]:
        return row
    name = words()["parts"][part][0]
    return f"{_sentence(name) if row == pair[0] else name} ({row})"


def _differing(configs: Mapping[str, Mapping], row: str, baseline: str) -> set[str]:
    ours, theirs = configs[row], configs[baseline]
    return {key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)} - {"table"}


def parts_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """What a row is made of, by their doors: its method, its coupling, its optimiser, what acts
    during its sampling; "" where there is none.
    """
    groups = ("method", "coupling", "optimizer", "steering")
    method, coupling, *others = (config.get(group) or {} for group in groups)
    own = method.get("coupling")  # a reference to the run's, if not a coupling of the method's own
    used = own if isinstance(own, Mapping) else coupling
    return tuple(part.get("_target_", "") for part in (method, used, *others))
