"""What people answered: counts, preferences with intervals, agreement, and the scores beside.

    share     of the second row among the answers that chose one, with Wilson's 95 % interval (1927)
    strength  Bradley and Terry (1952): P(i before j) = 1 / (1 + exp(s_j - s_i)), by maximum
              likelihood over all pairs of rows that were shown, the mean strength 0. A tie is half
              an answer for each; half an answer each way is added to every pair of rows, or a row
              that always wins would have no strength
    alpha     Krippendorff's, nominal: 1 - observed / expected disagreement between people

Intervals take answers as independent; people who answered much weigh as much as they answered.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import stats

from experiments.errors import UsageError
from experiments.inputs import text
from experiments.tables.grids import grid
from experiments.tables.wording import DASH

TIE = "tie"


@dataclass(frozen=True)
class Answer:
    """What a person said of one pair: the row that was chosen, or "tie".

    `verdicts` are the rows that scores call better, by score.
    """

    person: str
    job: str
    question: str
    rows: frozenset[str]
    answer: str
    verdicts: Mapping[str, str]


def read(files: Sequence[Path]) -> list[Answer]:
    """The answers in downloaded files; of what a person said twice, the last.

    Raises:
        UsageError: a line is no answer, or there is none.
    """
    found: dict[tuple, Answer] = {}
    for file in files:
        for number, line in text.objects(file):
            fields = ("study", "person", "job", "question", "left", "right", "answer")
            study, person, job, question, left, right, answer = (
                text.field(file, number, line, name) for name in fields
            )
            if answer not in (left, right, TIE):
                raise UsageError(f"{file}, line {number}: the answer {answer!r} was not offered")
            key = (study, person, job, question)
            verdicts = line.get("verdicts", {})
            found[key] = Answer(person, job, question, frozenset((left, right)), answer, verdicts)
    if not found:
        raise UsageError(f"{', '.join(map(str, files))}: no answers")
    return list(found.values())


def bradley_terry(answers: Sequence[Answer]) -> dict[str, tuple[float, float]]:
    """The strength of each row, and half of its 95 % interval."""
    rows = sorted({row for answer in answers for row in answer.rows})
    wins = np.zeros((len(rows), len(rows)))
    for pair in {answer.rows for answer in answers}:
        i, j = sorted(map(rows.index, pair))
        of_pair = Counter(answer.answer for answer in answers if answer.rows == pair)
        wins[i, j] = of_pair[rows[i]] + of_pair[TIE] / 2 + 0.5
        wins[j, i] = of_pair[rows[j]] + of_pair[TIE] / 2 + 0.5
    strength, shown = np.zeros(len(rows)), wins + wins.T
    for _ in range(100):  # Newton's method; the log-likelihood is concave
        chance = 1 / (1 + np.exp(strength[None, :] - strength[:, None]))
        gradient = (wins - shown * chance).sum(1)
        information = -shown * chance * chance.T
        np.fill_diagonal(information, -information.sum(1))
        covariance = np.linalg.pinv(information)
        strength = strength + np.clip(covariance @ gradient, -1, 1)
    errors = 1.96 * np.sqrt(np.diag(covariance))
    return {row: (float(strength[r]), float(errors[r])) for r, row in enumerate(rows)}


def alpha(answers: Sequence[Answer]) -> float | None:
    """Agreement of people on the same pairs; None where none were shared, or all answers agree."""
    pairs: dict[tuple, list[str]] = {}
    for answer in answers:
        pairs.setdefault((answer.job, answer.rows), []).append(answer.answer)
    shared = [said for said in pairs.values() if len(said) > 1]
    n, values = sum(map(len, shared)), Counter(one for said in shared for one in said)
    expected = sum(a * b for a, b in combinations(values.values(), 2)) * 2 / max(n - 1, 1)
    observed = sum(
        2 * sum(a * b for a, b in combinations(Counter(said).values(), 2)) / (len(said) - 1)
        for said in shared
    )
    return 1 - observed / expected if expected else None


def analysis(answers: Sequence[Answer]) -> str:
    """All of it as Markdown."""
    questions = list(dict.fromkeys(answer.question for answer in answers))
    of = {question: [a for a in answers if a.question == question] for question in questions}
    people = len({answer.person for answer in answers})
    strengths = {question: bradley_terry(said) for question, said in of.items()}
    rows = list(dict.fromkeys(row for each in strengths.values() for row in each))
    names = list(dict.fromkeys(name for answer in answers for name in answer.verdicts))
    parts = [
        f"# What people answered\n\n{len(answers)} answers of {people} people.",
        grid(
            ["question", "pair", "first", "second", "tie", "share of the second", "p", "alpha"],
            [line for question in questions for line in _counts(question, of[question])],
        ),
        "## Strengths (Bradley-Terry)",
        grid(
            ["question", *rows],
            [
                [q, *("{:+.2f} ± {:.2f}".format(*each[r]) if r in each else DASH for r in rows)]
                for q, each in strengths.items()
            ],
        ),
    ]
    if names:
        parts += [
            "## The scores' own verdicts",
            "Share of the answers that chose a row in which it is the one that the score prefers.",
            grid(["", *questions], [[n, *(_agreed(n, of[q]) for q in questions)] for n in names]),
        ]
    return "\n\n".join(parts) + "\n"


def _counts(question: str, answers: Sequence[Answer]) -> Iterator[list[str]]:
    """A line for every pair of rows."""
    for pair in sorted({answer.rows for answer in answers}, key=sorted):
        first, second = sorted(pair)
        said = [answer for answer in answers if answer.rows == pair]
        count = Counter(answer.answer for answer in said)
        decided, found = count[first] + count[second], alpha(said)
        share, p = DASH, DASH
        if decided:
            share = _share(count[second], decided)
            p = f"{stats.binomtest(count[second], decided).pvalue:.3g}"
        counts = [str(count[each]) for each in (first, second, TIE)]
        agreed = DASH if found is None else f"{found:.2f}"
        yield [question, f"{first}, {second}", *counts, share, p, agreed]


def _agreed(name: str, answers: Sequence[Answer]) -> str:
    both = [
        answer.answer == verdict
        for answer in answers
        if TIE not in (answer.answer, verdict := answer.verdicts.get(name, TIE))
    ]
    return _share(sum(both), len(both)) if both else DASH


def _share(count: int, n: int) -> str:
    interval = stats.binomtest(count, n).proportion_ci(method="wilson")
    return f"{count / n:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
