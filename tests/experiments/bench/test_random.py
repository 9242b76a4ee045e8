"""The comparison on pipelines of random weights, as on a GPU that no hub can be reached from."""

from functools import partial

import pytest
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from experiments.bench import speed
from experiments.bench.ladder import published_pipeline
from experiments.bench.subject import Subject
from experiments.cells.build import model_of
from experiments.compose import build, compose
from scripts import published
from scripts.rehearsal import networks

pytestmark = pytest.mark.walks


@pytest.fixture
def narrow(monkeypatch):
    """The published networks, with few and narrow layers."""
    side, small = 8, networks
    for name, network in {
        "sd15_unet": partial(small.unet, side, 16),
        "sdxl_unet": partial(small.sdxl_unet, side, (16, 24)),
        "sd3_transformer": partial(small.transformer, side, channels=16, pooled=40, joint=48),
        "clip_l": lambda kind=CLIPTextModel: small.clip(kind, 16),
        "clip_g": lambda: small.clip(CLIPTextModelWithProjection, 24),
        "vae": lambda channels, sample_size, **options: small.vae(
            side * 8, levels=4, latent_channels=channels, use_quant_conv=channels == 4,
            use_post_quant_conv=channels == 4, **options,
        ),
    }.items():  # fmt: skip
        monkeypatch.setattr(published, name, network)


@pytest.mark.parametrize("name", sorted(published.PIPELINES))
def test_random_weights_are_compared_as_published_ones(narrow, name, tmp_path):
    weights = published.save_random(name, tmp_path / name)
    small = ["model.image_size=64", "model.num_steps=2", "task.num_prompts=2", "metrics=tiny"]
    config = compose([f"model={name}", *weights, *small])
    model = model_of(config).load()
    subject = Subject(
        model=model,
        pipeline=published_pipeline(model_of(config).settings, model),
        jobs=build("task", config).jobs(),
        suite=build("metrics", config),
        batch=2,
        without=["A channels_last", "A'", "B lanes", "B batches", "B channels_last", "C"],
    )
    found = speed.measure(subject, rounds=1, folder=tmp_path / "kept")
    known = next(known for known in found if "B" in known.pictures.index)
    assert list(known.pictures["gate"]) == ["", "equal"], known.pictures
    assert list(known.arms.index) == ["A", "B"]
