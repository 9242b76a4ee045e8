"""A whole comparison with the bundled model, eager, with few steps."""

from experiments.bench import report, speed
from experiments.bench.ladder import published_pipeline
from experiments.cells.build import model_of
from experiments.compose import build, compose


def test_every_arm_makes_the_pictures_of_diffusers_loop(monkeypatch, tmp_path):
    monkeypatch.setattr(speed, "score_rates", lambda images: [])
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
    assert [arm.name for arm in found.arms] == eager and found.rejected == []
    assert [arm.is_ours for arm in found.arms] == [False, False, True, True, True, True]
    for arm in found.arms:
        assert arm.deviation.latents < 1e-4 and arm.deviation.worst <= 1
        assert arm.stages["score"] > 0 and arm.rates[0] > 0
    text = report.write(found, title="Speed", path=tmp_path / "small-cpu")
    assert "| B lanes |" in text
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".md", ".png", ".pdf"}
