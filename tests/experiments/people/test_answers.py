"""A constructed preference is found again."""

import json
import math

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.proportion import proportion_confint

from experiments.errors import UsageError
from experiments.people import answers
from experiments.people.answers import Answer


def said(person: int, job: int, answer: str, rows=("a", "b"), question="prefer", verdict="b"):
    return Answer(str(person), str(job), question, frozenset(rows), answer, {"L2": verdict})


def test_a_constructed_preference_is_reproduced(tmp_path):
    """Of 20 pairs, 14 for the coupled row, 4 against it, 2 ties; the score is right in 13 of 18."""
    lines = []
    for number in range(20):
        left, right = ("iid", "coupled") if number % 2 else ("coupled", "iid")
        answer = "coupled" if number < 14 else "iid" if number < 18 else "tie"
        verdict = "coupled" if number < 11 or 16 <= number < 18 else "iid"
        lines.append(
            {"study": "s", "person": "1", "job": str(number), "question": "prefer", "left": left,
             "right": right, "answer": answer, "verdicts": {"L2": verdict}}
        )  # fmt: skip
    file = tmp_path / "answers.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in [lines[0], *lines]))
    text = answers.analysis(answers.read([file]))
    assert "20 answers of 1 people" in text  # what was said twice counts once
    low, high = proportion_confint(4, 18, method="wilson")
    assert f"| prefer | coupled, iid | 14 | 4 | 2 | {4 / 18:.2f} [{low:.2f}, {high:.2f}] |" in text
    low, high = proportion_confint(13, 18, method="wilson")
    assert f"| L2 | {13 / 18:.2f} [{low:.2f}, {high:.2f}] |" in text


def test_two_rows_have_the_strengths_of_their_odds():
    found = answers.bradley_terry(
        [*(said(1, n, "b") for n in range(14)), *(said(1, 20 + n, "a") for n in range(4)),
         said(1, 30, "tie")]
    )  # fmt: skip
    odds = math.log((14 + 0.5 + 0.5) / (4 + 0.5 + 0.5))
    assert found["b"][0] - found["a"][0] == pytest.approx(odds)
    assert found["a"][0] + found["b"][0] == pytest.approx(0)
    error = math.sqrt(1 / 15 + 1 / 5)  # of the odds' logarithm
    assert 2 * found["b"][1] == pytest.approx(1.96 * error)


def test_three_rows_have_the_strengths_of_a_logistic_regression():
    wins = {("a", "b"): (3, 9), ("b", "c"): (5, 6), ("a", "c"): (2, 11)}
    said_all, design, counts = [], [], []
    for pair, (first, second) in wins.items():
        said_all += [said(1, n, pair[n >= first], pair) for n in range(first + second)]
        design.append([(row == pair[1]) - (row == pair[0]) for row in "bc"])
        counts.append([second + 0.5, first + 0.5])
    fit = sm.GLM(np.array(counts), np.array(design, float), family=sm.families.Binomial()).fit()
    found = answers.bradley_terry(said_all)
    assert [found[row][0] - found["a"][0] for row in "bc"] == pytest.approx(fit.params, abs=1e-6)


def test_agreement_is_krippendorffs():
    """The nominal example of his book (Content Analysis, 2004): two observers, ten units."""
    first, second = "0100000000", "1110010100"
    said_all = [
        said(p, n, one) for p, row in enumerate((first, second)) for n, one in enumerate(row)
    ]
    assert answers.alpha(said_all) == pytest.approx(0.095, abs=5e-4)
    assert answers.alpha(said_all[:10]) is None


def test_an_answer_that_was_not_offered_is_refused(tmp_path):
    line = {"study": "s", "person": "1", "job": "1", "question": "q", "left": "a", "right": "b",
            "answer": "c"}  # fmt: skip
    (tmp_path / "x.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(UsageError, match="'c' was not offered"):
        answers.read([tmp_path / "x.jsonl"])
