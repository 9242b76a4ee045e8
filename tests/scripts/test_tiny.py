"""The bundled model's programs: its card, and training that goes on where it was cut off."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

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
    quality = json.loads((model / "quality.json").read_text())
    assert tiny("assess").card(quality) == (model / "README.md").read_text()


def test_a_resumed_fit_ends_where_an_unbroken_one_does(tiny, monkeypatch, tmp_path):
    fit = tiny("fit")
    monkeypatch.setattr(fit, "CHECKPOINT_SECONDS", -1)
    monkeypatch.setattr(fit, "REPORT_STEPS", 2)

    def train(work, cut_at=None):
        def loss(net, rng):
            if cut_at is not None and next(left) == cut_at:
                raise KeyboardInterrupt
            x = torch.from_numpy(rng.standard_normal((8, 3), np.float32))
            return (net(x)[:, 0] - x.sum(1)).square().mean()

        left = iter(range(100))
        work.mkdir(exist_ok=True)
        torch.manual_seed(0)
        net = torch.nn.Linear(3, 1)
        return fit.fit("vae", work, net, loss, steps=10, peak=0.1).state_dict()

    whole = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", cut_at=6)
    resumed = train(tmp_path / "cut")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    states = [torch.load(tmp_path / work / "vae.pt") for work in ("whole", "cut")]
    assert states[0]["curve"] == states[1]["curve"] and states[1]["step"] == 10


def test_standardised_latents_decode_to_the_same_pictures(tiny):
    train = tiny("train")
    torch.manual_seed(0)
    vae = tiny("architectures").untrained(AutoencoderKL, "pipeline/vae").eval()
    x = torch.rand(16, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before, z = vae(x).sample, vae.encode(x).latent_dist.mean
        train.standardise(vae, z)
        after, z = vae(x).sample, vae.encode(x).latent_dist.mean
    assert torch.allclose(before, after, atol=1e-4)
    assert torch.allclose(z.mean((0, 2, 3)), torch.zeros(4), atol=1e-3)
    assert torch.allclose(z.std((0, 2, 3)), torch.full((4,), train.LATENT_STD), rtol=1e-4)


@pytest.mark.parametrize("program", ["train", "assess"])
def test_unknown_words_end_in_usage(program):
    command = [sys.executable, str(FOLDER / f"{program}.py"), "nonsense"]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2 and done.stderr.startswith("usage: ")
