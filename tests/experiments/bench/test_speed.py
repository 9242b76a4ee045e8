"""A whole comparison with the bundled model, eager, with few steps; cut off, and gone on with."""

import pytest

from experiments.bench import report, speed, tasks
from experiments.bench.ladder import published_pipeline
from experiments.bench.subject import Subject
from experiments.cells.build import model_of
from experiments.compose import build, compose

pytestmark = pytest.mark.walks

EAGER = ["A", "A channels_last", "B", "B batches", "B lanes", "B channels_last"]


@pytest.fixture
def subject():
    config = compose(["model.num_steps=2", "task.num_prompts=3", "metrics=tiny"])
    model = model_of(config).load()
    return Subject(
        model=model,
        pipeline=published_pipeline(model_of(config).settings, model),
        jobs=build("task", config).jobs(),
        suite=build("metrics", config),
        batch=2,
        without=["A'", "C"],  # they compile
    )


def test_every_arm_makes_the_pictures_of_diffusers_loop(subject, tmp_path):
    *_, found = speed.measure(subject, rounds=1, folder=tmp_path / "kept")
    assert list(found.arms.index) == EAGER and found.rejected == [] and found.missing == ""
    assert list(found.arms["is_ours"]) == [False, False, True, True, True, True]
    of_arms = found.pictures.loc[EAGER]
    assert (of_arms["latents"] < 1e-4).all() and (of_arms["worst"] <= 1).all()
    assert (found.arms["slowest"] > 0).all()
    written = tmp_path / "written"
    text = report.write(found, title="Speed", path=written / "small-cpu")
    assert "| B lanes |" in text and "Not measured yet" not in text
    assert {path.suffix for path in written.iterdir()} == {".json", ".md", ".png", ".pdf"}


def test_what_was_cut_off_goes_on_where_it_stopped(subject, tmp_path, monkeypatch):
    first = speed.measure(subject, rounds=1, folder=tmp_path)
    known = next(first)
    first.close()  # a kill
    assert list(known.arms.index) == ["A"] and known.pictures.empty
    assert "Not measured yet:** pictures A, an image at a time, round B lanes 0" in (
        report.markdown(known, title="Speed")
    )
    measured = []
    monkeypatch.setattr(tasks.compare, "timed", timed_by(measured, tasks.compare.timed))
    *_, whole = speed.measure(subject, rounds=1, folder=tmp_path)
    assert whole.missing == "" and whole.arms.loc["A", "rate"] == known.arms.loc["A", "rate"]
    assert subject.arms["A"] not in measured and subject.arms["B"] in measured


def test_a_budget_begins_nothing_that_does_not_fit(subject, tmp_path, monkeypatch):
    *_, known = speed.measure(subject, rounds=1, folder=tmp_path)
    (tmp_path / "measured.jsonl").write_text(first_lines(tmp_path, 3))
    monkeypatch.setattr(tasks.compare, "timed", lambda *_, **__: pytest.fail("begins a round"))
    expected = len(subject.jobs) / known.arms.loc["A", "rate"]
    assert list(speed.measure(subject, rounds=1, folder=tmp_path, budget=expected / 2)) == []


def timed_by(measured, timed):
    def spy(arm, *args, **kwargs):
        measured.append(arm)
        return timed(arm, *args, **kwargs)

    return spy


def first_lines(folder, count: int) -> str:
    lines = (folder / "measured.jsonl").read_text().splitlines(keepends=True)
    return "".join(lines[:count])
