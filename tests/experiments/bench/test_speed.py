"""A whole comparison with the bundled model, eager, with few steps."""

import pandas as pd

from experiments.bench import report, speed
from experiments.bench.ladder import published_pipeline
from experiments.cells.build import model_of
from experiments.compose import build, compose

NO_SCORES = pd.DataFrame(columns=["package", "ours", "theirs", "apart"])


def test_every_arm_makes_the_pictures_of_diffusers_loop(monkeypatch, tmp_path):
    monkeypatch.setattr(speed, "score_rates", lambda images: NO_SCORES)
    config = compose(["model.num_steps=2", "task.num_prompts=3", "metrics=tiny"])
    model = model_of(config).load()
    found = speed.measure(
        model,
        published_pipeline(model_of(config).settings, model),
        build("task", config).jobs(),
        suite=build("metrics", config),
        batch=2,
        rounds=1,
        without=["A'", "C"],  # they compile
    )
    eager = ["A", "A channels_last", "B", "B batches", "B lanes", "B channels_last"]
    assert list(found.arms.index) == eager and found.rejected == []
    assert list(found.arms["is_ours"]) == [False, False, True, True, True, True]
    of_arms = found.pictures.loc[eager]
    assert (of_arms["latents"] < 1e-4).all() and (of_arms["worst"] <= 1).all()
    assert (found.stages["score"] > 0).all() and (found.arms["slowest"] > 0).all()
    text = report.write(found, title="Speed", path=tmp_path / "small-cpu")
    assert "| B lanes |" in text
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".md", ".png", ".pdf"}
