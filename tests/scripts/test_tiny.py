"""The bundled model's programs: its card, and training that goes on where it was cut off."""

import importlib
import itertools
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL

from experiments.errors import UsageError

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "scripts" / "tiny"


@pytest.fixture
def tiny(monkeypatch):
    """The modules of scripts/tiny by name, found as they find each other, and forgotten again."""
    monkeypatch.syspath_prepend(str(FOLDER))
    for path in FOLDER.glob("*.py"):
        monkeypatch.delitem(sys.modules, path.stem, raising=False)
    yield importlib.import_module
    for path in FOLDER.glob("*.py"):
        sys.modules.pop(path.stem, None)


def test_the_bundled_models_card_is_that_of_its_figures(tiny):
    model = ROOT / "experiments" / "models" / "tiny"
    quality, training = (json.loads((model / f"{name}.json").read_text())
                         for name in ("quality", "training"))  # fmt: skip
    assert tiny("assess").card(quality, training) == (model / "README.md").read_text()


STAGES = ("vae", "clip", "unet", "decoder", "ddpm")
SMALL = ["scenes=6", *(f"{name}.{word}" for name in STAGES for word in ("steps=3", "batch=2"))]


def files(folder: Path) -> dict[str, bytes]:
    """All but the record of seconds."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "training.json"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.walks
def test_training_that_is_cut_twice_gives_the_same_bytes(tiny, monkeypatch, tmp_path):
    """Anywhere within a step, whose weights are then half moved, as a kill would leave them."""
    train, fit = tiny("train"), tiny("fit")
    recipe, follow = tiny("recipe").recipe_with(SMALL), fit.follow
    cuts = random.sample(range(3 * len(STAGES)), 2)
    monkeypatch.setattr(train, "say_how_long", lambda shop: None)

    def run(name, seconds):
        monkeypatch.setattr(fit, "CHECKPOINT_SECONDS", seconds)
        shop = tiny("workshop").Workshop(recipe, tmp_path / name, "cpu", quiet=True)
        train.train(shop, tmp_path / name / "out")

    run("whole", 1000)
    calls = itertools.count()

    def cut_short(*arguments, **options):
        if next(calls) in cuts:
            raise KeyboardInterrupt
        follow(*arguments, **options)

    monkeypatch.setattr(fit, "follow", cut_short)
    for seconds in (-1, 1000):  # a checkpoint at every step, and of whole stages alone
        with pytest.raises(KeyboardInterrupt, match=r"steps of .* are kept, run the"):
            run("cut", seconds)
    run("cut", -1)
    whole, cut = (files(tmp_path / name / "out") for name in ("whole", "cut"))
    assert whole.keys() == cut.keys() and len(whole) > 15
    assert [name for name in whole if whole[name] != cut[name]] == [], cuts
    for name in STAGES:
        logs = [(tmp_path / run / f"{name}.csv").read_text() for run in ("whole", "cut")]
        assert logs[0] == logs[1] and logs[0].startswith("step,loss\n1,")


def test_a_checkpoint_of_another_recipe_is_refused_in_one_line(tiny, tmp_path):
    recipe = tiny("recipe")
    recipe.keep_to(recipe.recipe_with([]), tmp_path, "cpu")
    before = files(tmp_path)
    other = recipe.recipe_with(["unet.steps=7", "caption_dropout=0.2"])
    with pytest.raises(UsageError) as refused:
        recipe.keep_to(other, tmp_path, "cpu")
    line = str(refused.value)
    assert "'steps': 14400" in line and "caption_dropout 0.1, not 0.2" in line
    assert "another --work" in line and "\n" not in line and files(tmp_path) == before


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("unet.step=3", "Key 'step' not in"),
        ("unet.steps=some", "could not be converted to Integer"),
        ("nonsense", "Key 'nonsense' not in"),
    ],
)
def test_a_change_that_is_none_is_refused_in_one_line(tiny, word, why):
    with pytest.raises(UsageError, match=why) as refused:
        tiny("recipe").recipe_with([word])
    assert "\n" not in str(refused.value)


def test_no_two_steps_draw_the_same(tiny):
    workshop, recipe = tiny("workshop"), tiny("recipe")
    drawn = [
        workshop.Workshop(recipe.recipe_with([f"seed={seed}"]), Path(), "cpu")
        .generator(stage, step)
        .integers(2**63)
        for seed in (0, 1)
        for stage in STAGES
        for step in (0, 1, 2)
    ]
    assert len(set(drawn)) == len(drawn) == 30


def test_standardised_latents_decode_to_the_same_pictures(tiny):
    torch.manual_seed(0)
    vae = tiny("architectures").untrained(AutoencoderKL, "pipeline/vae").eval()
    x = torch.rand(16, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before, z = vae(x).sample, vae.encode(x).latent_dist.mean
        tiny("stages").standardise(vae, z, 5.0)
        after, z = vae(x).sample, vae.encode(x).latent_dist.mean
    assert torch.allclose(before, after, atol=1e-4)
    assert torch.allclose(z.mean((0, 2, 3)), torch.zeros(4), atol=1e-3)
    assert torch.allclose(z.std((0, 2, 3)), torch.full((4,), 5.0), rtol=1e-4)


@pytest.mark.walks
@pytest.mark.parametrize("program", ["train", "assess"])
def test_unknown_words_end_in_usage(program):
    command = [sys.executable, str(FOLDER / f"{program}.py"), "nonsense"]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2 and done.stderr.startswith("usage: ")
