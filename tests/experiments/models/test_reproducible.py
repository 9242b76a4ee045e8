"""What another batch, precision or loop leaves the same: what docs/provenance.md says, measured.

A batch stands for a device: both change nothing but the order of sums."""

from copy import deepcopy

import diffusers
import pytest
import torch
from float64 import in_float64

from coupling import repulsive
from experiments.cells.build import model_of
from experiments.compose import BUNDLED, build, compose
from experiments.methods.coupled import FirstStep
from experiments.models.condition import repeat_rows

PROMPTS = ["a bedroom", "a bedroom at night with a lamp", "a red bed by a window"]
K = 3


def tiny(dtype: str = "float32"):
    settings = ["device=cpu", "num_steps=10", f"dtype={dtype}"]
    return model_of(compose([f"model.{setting}" for setting in settings])).load()


def base(model, count: int) -> torch.Tensor:
    """(count, K, C, h, w) in the model's dtype; a gallery's do not depend on the others'."""
    law = repulsive(K)
    noises = [law.sample(model.noise_shape, seed=0, job=prompt) for prompt in PROMPTS[:count]]
    return torch.stack(noises).to(model.dtype)


@pytest.mark.parametrize("name", ["cno", "cno_release"])
def test_an_optimised_noise_is_reproducible_to_its_precision(name):
    """Gradients near Adam's 1e-8 are rounding noise, which it makes steps of."""
    optimizer, model = build("optimizer", compose([f"optimizer={name}"])), tiny()

    def optimised(count: int, rows_per_pass: int) -> torch.Tensor:
        with torch.no_grad():
            condition = model.encode_prompts(PROMPTS[:count])
        first = FirstStep(model, condition, PROMPTS[:count], rows_per_pass=rows_per_pass)
        return list(optimizer.refine(base(model, count), first))[-1].noise[0].detach()

    def apart() -> float:
        alone = optimised(1, K)
        others = optimised(len(PROMPTS), K * len(PROMPTS)), optimised(1, 1)
        assert (alone - base(model, 1)[0]).abs().max() == pytest.approx(0.03, rel=0.01)
        return max((alone - other).abs().max().item() for other in others)

    assert 1e-5 < apart() < 5e-3
    model = in_float64(deepcopy(model))  # the loaded one is everybody's
    del model.null_condition  # it was encoded in float32
    assert apart() < 1e-11


def test_bfloat16_is_no_further_from_float32_here_than_in_diffusers():
    """In grey levels, the mean over nine images."""

    def ours(dtype: str) -> torch.Tensor:
        model = tiny(dtype)
        with torch.inference_mode():
            rows = repeat_rows(model.encode_prompts(PROMPTS), K)
            return 255 * model.decode(model.sample(base(model, 3).flatten(0, 1), rows)).float()

    exact, model = ours("float32"), tiny("bfloat16")
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(
        BUNDLED / "pipeline", dtype=torch.bfloat16, safety_checker=None
    )
    pipeline.scheduler = diffusers.DDIMScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    theirs = (
        255
        * pipeline(
            PROMPTS,
            num_images_per_prompt=K,
            latents=base(model, 3).flatten(0, 1),
            height=model.image_size,
            width=model.image_size,
            num_inference_steps=model.process.num_steps,
            guidance_scale=model.guidance,
            output_type="pt",
        ).images.float()
    )
    our_error, their_error = ((x - exact).abs().mean() for x in (ours("bfloat16"), theirs))
    assert 0.1 < our_error < 1.5 * their_error and their_error < 4
