"""The command: what it leaves, that a killed learning goes on as if nothing had happened, and what
it refuses before a model loads."""

import json

import hydra
import pytest
import torch

from experiments import learn
from experiments.cells.build import model_of
from experiments.compose import CONFIGS
from experiments.errors import UsageError
from experiments.learning.card import Card, read
from experiments.models.source import ModelSource

QUICK = ["model.num_steps=1", "prompts_per_step=1", "task.num_prompts=3", "reward=l2"]


@pytest.fixture(scope="module")
def model():
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return model_of(hydra.compose("learn", overrides=QUICK)).load()


@pytest.fixture
def start(tmp_path, model, monkeypatch):
    """Runs the command with the given overrides in this process; results go to a folder."""
    monkeypatch.setattr(ModelSource, "load", lambda _: model)

    def start(*overrides: str, to: str = "results", rows: dict | None = None):
        here = [f"output_dir={tmp_path / 'outputs'}", f"results_dir={tmp_path / to}"]
        everything = [*QUICK, *here, *overrides]
        with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
            config = hydra.compose("learn", overrides=everything)
            if rows:
                config.study.rows = rows
            learn.run(config, overrides=everything)
        return tmp_path / to / "learn"

    return start


def test_a_killed_learning_goes_on_as_if_nothing_had_happened(start, monkeypatch, tmp_path):
    monkeypatch.setattr("experiments.figures.learning.course", lambda *_, **__: ())
    whole = read(start("num_steps=4", "name=some", to="whole") / "cards/tiny-some.safetensors")
    for file in (tmp_path / "outputs").rglob("*.safetensors"):
        file.unlink()
    after, steps = Card.after, []

    def killed(card, state):
        if len(steps) == 2:
            raise KeyboardInterrupt
        steps.append(state.step)
        return after(card, state)

    with monkeypatch.context() as patch:
        patch.setattr(Card, "after", killed)
        with pytest.raises(KeyboardInterrupt):
            start("num_steps=4", "name=some")
    continued = read(start("num_steps=4", "name=some") / "cards/tiny-some.safetensors")
    assert steps == [1, 2] and continued.steps == 4
    assert torch.equal(continued.matrices, whole.matrices)
    assert torch.equal(continued.rewards, whole.rewards)
    monkeypatch.setattr(ModelSource, "load", lambda _: pytest.fail("loads the model"))
    start("num_steps=4", "name=some")  # nothing is left to do


def test_without_a_number_of_steps_every_prompt_is_seen_once_and_the_card_says_which(start):
    seen = {}
    for steps in ("null", "1", "2"):
        folder = start(f"num_steps={steps}", "prompts_per_step=2", f"name=of-{steps}")
        card = read(folder / f"cards/tiny-of-{steps}.safetensors")
        seen[steps] = card.steps, card.settings["num_steps"], card.settings["prompts"]
    assert seen["null"] == seen["2"]  # the second step sees the third prompt, and one again
    assert seen["2"][:2] == (2, 2) and seen["2"][2]["count"] == 3
    assert seen["1"][2] == {"count": 2, "sha256": seen["1"][2]["sha256"]} != seen["2"][2]


@pytest.mark.walks
def test_a_study_reports_every_start_and_its_held_out_rewards(start, capsys, monkeypatch):
    rows = {"K=3, L2": {"identity": ["name=a", "start=identity"], "random": ["name=b"]}}
    study = ["study=diversity", "study.held_out=4", "num_steps=2"]
    folder = start(*study, rows=rows)
    document = json.loads((folder / "tiny.json").read_text())
    assert [row["start"] for row in document["rows"]] == ["identity", "random"]
    assert all(row["held_out"]["repulsive"]["n"] == 4 for row in document["rows"])
    assert document["findings"][0] in capsys.readouterr().out
    lines = (folder / "tiny-held-out.csv").read_text().splitlines()
    assert lines[0] == "prompt,group,start,learned,repulsive,iid" and len(lines) == 1 + 2 * 4
    for name in ("tiny.md", "tiny.csv", "tiny.png", "tiny.pdf", "cards/tiny-b.json"):
        assert (folder / name).stat().st_size > 0
    monkeypatch.setattr(ModelSource, "load", lambda _: pytest.fail("loads the model"))
    again = start(*study, rows=rows, to="again")  # what is learned and evaluated is read
    assert (again / "tiny-held-out.csv").read_text() == (folder / "tiny-held-out.csv").read_text()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["num_steps=0"], "num_steps = 0 must be at least 1"),
        (["reward=brightness"], "even K >= 4 of images, not 3"),
        (["reward=ssim", "model.image_size=8"], "reward"),
        (["start=near_repulsive", "start.noise=-1"], "noise = -1"),
        (["task.gallery_size=0"], "task.gallery_size = 0 must be at least 1"),
        (["within=low_frequency", "within.outside.size=2"], "valid are equal sizes"),
    ],
)
def test_a_mistake_is_named_before_a_model_loads(start, overrides, message, monkeypatch, tmp_path):
    monkeypatch.setattr(ModelSource, "load", lambda _: pytest.fail("loads the model"))
    with pytest.raises(UsageError, match=message) as caught:
        start(*overrides)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "outputs").exists()


def test_a_plan_says_how_much_is_learned_from_and_with_what_memory(start, monkeypatch, capsys):
    monkeypatch.setattr(ModelSource, "load", lambda _: pytest.fail("loads the model"))
    folder = start("plan=true", "model.name=sd15", "task.gallery_size=4", "model.guidance=6")
    head, line = capsys.readouterr().out.splitlines()
    assert head.startswith("learning with sd15, 64 px, 1 steps: 1 couplings, 3 steps of learning")
    assert line.startswith("sd15-learned: 3 of 3 steps to learn, each of 4 images in 1 sampler")
    assert "; 3 prompts; about 2.2 GiB at the peak by arithmetic" in line
    assert not folder.exists()
