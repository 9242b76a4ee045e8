"""The bundled networks fit together and do what their card says, on a few held-out scenes."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from coupling import iid
from experiments.bedrooms import caption, render, sample_scene
from experiments.compose import BUNDLED
from experiments.methods.coupled import Coupled
from experiments.methods.method import generate
from experiments.models.stable_diffusion import StableDiffusion
from experiments.tasks.job import jobs_of
from metrics.features import CLIPFeatures

HELD_OUT = 7919  # a stream of scenes that no training has seen


@pytest.fixture(scope="module")
def scenes():
    return [sample_scene(np.random.default_rng((HELD_OUT, k))) for k in range(32)]


@pytest.fixture(scope="module")
def images(scenes):
    """(32, 3, 64, 64) in [0, 1]"""
    pixels = np.stack([render(scene, 64)[0] for scene in scenes])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


@pytest.fixture(scope="module")
def model():
    return StableDiffusion.load(
        name="tiny",
        source=str(BUNDLED / "pipeline"),
        revision=None,
        variant=None,
        image_size=64,
        num_steps=10,
        guidance=5.0,
        dtype="float32",
        device="cpu",
    )


def test_everything_together_is_small():
    assert sum(path.stat().st_size for path in BUNDLED.rglob("*") if path.is_file()) <= 16e6


def test_the_autoencoder_reconstructs(model, images):
    with torch.inference_mode():
        error = (model.decode(model.encode_images(images)) - images).square().mean(dim=(1, 2, 3))
    assert (-10 * error.log10()).mean() >= 32  # dB


def test_latents_have_unit_variance(model, images):
    with torch.inference_mode():
        latents = model.encode_images(images)
    assert latents.std().item() == pytest.approx(1, abs=0.15)


def test_clip_knows_captions_of_its_images(scenes, images):
    """Fails, among others, where a tokenizer is not the one that its network was trained with."""
    clip = CLIPFeatures(source=BUNDLED / "clip", processor=BUNDLED / "clip")
    rng = np.random.default_rng(0)
    texts = F.normalize(clip.texts([caption(scene, rng) for scene in scenes]), dim=-1)
    cosines = F.normalize(clip.images(images), dim=-1) @ texts.T
    others = cosines[~torch.eye(len(scenes), dtype=torch.bool)]
    assert cosines.diagonal().mean() - others.mean() > 0.3


def test_the_bed_has_the_colour_that_the_prompt_asks_for(model):
    asked = {"red": 0, "green": 1, "blue": 2}
    jobs = jobs_of([f"a bedroom with a {colour} bed" for colour in asked])
    made = generate(model, Coupled(iid(2), None), jobs, seed=0, galleries_per_batch=3)
    for gallery, channel in zip(made, asked.values(), strict=True):
        blanket = gallery.images[:, 36:46, 24:40].mean(axis=(0, 1, 2))
        assert blanket.argmax() == channel
