"""The nine-channel inpainting model gives the images of diffusers' own pipeline."""

import diffusers
import pytest
import torch

from coupling import iid
from experiments.errors import UsageError
from experiments.methods.method import Stopwatch
from experiments.methods.objects.editing import Inpainting
from experiments.methods.objects.method import Given
from experiments.models.condition import repeat_rows
from experiments.models.inpainting import MASK, MASKED

STEPS, SIZE = 20, 16
PROMPTS = ["a red bed", "two lamps by a window"]
TOLERANCE = 1e-5


@pytest.fixture
def known():
    """Images, and masks of whose edges some cut through a latent pixel."""
    images = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    keep = torch.zeros(2, SIZE, SIZE, dtype=torch.bool)
    keep[0, 4:12, 2:10] = True
    keep[1, 5:, 3:8] = True
    return images, keep


def noise_of(model, rows: int) -> torch.Tensor:
    return torch.randn(rows, *model.noise_shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("guidance", [1.0, 6.0])
def test_images_equal_diffusers_inpainting(families, monkeypatch, known, guidance):
    family = families("inpainting")
    model = family.model(num_steps=STEPS, guidance=guidance)
    images, keep = known
    noise = noise_of(model, 2)
    with torch.inference_mode():
        condition = model.with_known(model.encode_prompts(PROMPTS), images=images, keep=keep)
        ours = model.decode(model.sample(noise, condition))

    family.pipeline.set_progress_bar_config(disable=True)
    module = diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_inpaint
    monkeypatch.setattr(module, "retrieve_latents", lambda output, **_: output.latent_dist.mode())
    theirs = family.pipeline(
        PROMPTS,
        image=images,
        mask_image=(~keep).float().unsqueeze(1),
        latents=noise,
        strength=1.0,
        height=SIZE,
        width=SIZE,
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        output_type="pt",
    ).images
    torch.testing.assert_close(ours, theirs, atol=TOLERANCE, rtol=0)


def test_what_is_masked_does_not_reach_the_network(families, known):
    model = families("inpainting").model()
    images, keep = known
    other = torch.where(keep.unsqueeze(1), images, 1 - images)
    with torch.inference_mode():
        prompts = model.encode_prompts(PROMPTS)
        one, two = (model.with_known(prompts, images=x, keep=keep) for x in (images, other))
    assert torch.equal(one[MASKED], two[MASKED])
    assert torch.equal(one[MASK], (~keep[:, None, ::2, ::2]).float())


def test_a_gallery_shares_its_image_and_mask(families, known):
    model = families("inpainting").model()
    images, keep = known
    with torch.inference_mode():
        prompts = model.encode_prompts(PROMPTS)
        gallery = repeat_rows(model.with_known(prompts, images=images, keep=keep), 3)
    assert len(gallery[MASK]) == len(gallery[MASKED]) == 6
    assert torch.equal(gallery[MASKED][0], gallery[MASKED][2])


def test_as_a_method_it_fills_in_around_the_object_of_every_image(families, known):
    """Rows of a gallery share picture and mask, and differ in noise alone."""
    model = families("inpainting").model()
    images, keep = known
    noise = noise_of(model, 4)
    with torch.inference_mode():
        condition, clean = model.encode_prompts(PROMPTS), model.encode_images(images)
        given = Given(condition, images, keep, keep[:, ::2, ::2], clean)
        edit = Inpainting(iid(2)).edit(model, given, noise, Stopwatch(model.device))
        for row, image in enumerate(edit.images):
            one = slice(row // 2, row // 2 + 1)
            alone = {name: rows[one] for name, rows in condition.items()}
            alone = model.with_known(alone, images=images[one], keep=keep[one])
            expected = model.decode(model.sample(noise[row : row + 1], alone))[0]
            torch.testing.assert_close(image, expected, atol=TOLERANCE, rtol=0)


def test_a_prompt_alone_is_refused(families):
    model = families("inpainting").model()
    with torch.inference_mode(), pytest.raises(UsageError, match="needs an image and a mask"):
        model.sample(noise_of(model, 2), model.encode_prompts(PROMPTS))


def test_checkpoints_of_the_other_kind_are_refused(families):
    ordinary, inpainting = families("sd"), families("inpainting")
    for family, source in ((ordinary, inpainting.folder), (inpainting, ordinary.folder)):
        with pytest.raises(UsageError, match="choose the model= config of its family"):
            family.model(source=str(source))
