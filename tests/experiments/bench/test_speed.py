"""A whole comparison with the published networks' wiring at a small size."""

from dataclasses import replace

import pytest

from experiments.bench import fullsize, speed

VAE = {"block_out_channels": (8,) * 4, "norm_num_groups": 4}
UNET = {"layers_per_block": 1, "norm_num_groups": 8}
SMALL = {
    "sd15": UNET | {"block_out_channels": (16,) * 4},
    "sdxl": UNET
    | {
        "block_out_channels": (16,) * 3,
        "transformer_layers_per_block": (1,) * 3,
        "attention_head_dim": (2,) * 3,
    },
    "sd3": {
        "num_layers": 2,
        "num_attention_heads": 2,
        "attention_head_dim": 32,
        "caption_projection_dim": 64,
    },
}


@pytest.fixture(params=SMALL)
def name(request, monkeypatch) -> str:
    whole = fullsize.FULL_SIZE[request.param]
    kind, network = whole.network
    small = replace(
        whole, network=(kind, {**network, **SMALL[request.param]}), vae={**whole.vae, **VAE}
    )
    monkeypatch.setitem(fullsize.FULL_SIZE, request.param, small)
    return request.param


def test_every_arm_makes_the_pictures_of_diffusers_loop(name, monkeypatch, tmp_path):
    """Without text encoders, eager; what a GPU is asked to do, at a size for a processor."""
    monkeypatch.setattr(speed, "score_rates", lambda images: [])
    overrides = [
        f"model={name}",
        "model.image_size=64",
        "model.num_steps=2",
        "model.device=cpu",
        "workers.galleries_per_batch=2",
    ]
    slow = ["A'", "C"]  # they compile
    found = speed.measure(overrides, random=True, galleries=3, rounds=1, without=slow)
    eager = ["A", "A channels_last", "B", "B batches", "B lanes", "B channels_last"]
    assert [row.name for row in found.table] == eager
    for row in found.table:
        assert row.deviation.latents < 1e-4 and row.deviation.worst <= 1
        assert row.stages["score"] > 0 and row.rates[0] > 0
    text = speed.write(found, title="Speed", path=tmp_path / "small-cpu")
    assert "| B lanes |" in text
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".md", ".png", ".pdf"}
