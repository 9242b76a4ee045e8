"""A pipeline in memory is the model that its folder holds, and is known by what it holds."""

import copy

import diffusers
import pytest
import torch

from experiments.errors import UsageError
from experiments.models.held import digest, held

STEPS, SIZE = 4, 16
CALL = {"height": SIZE, "num_inference_steps": STEPS, "guidance_scale": 6.0}


def split(pipe):
    """Its decoder elsewhere, as where it is offloaded."""
    pipe.vae.to("meta")
    return pipe


def images_of(model):
    noise = torch.randn(2, *model.noise_shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        condition = model.encode_prompts(["a red bed", "two lamps"])
        return model.decode(model.sample(noise, condition))


@pytest.mark.parametrize("name", ["sd", "sd_v", "sdxl", "sd3", "sd3_without_t5", "ddpm"])
def test_it_makes_what_its_folder_makes(families, name):
    family = families(name)
    guided = {} if name == "ddpm" else {"guidance": CALL["guidance_scale"]}
    call = CALL if guided else {"num_inference_steps": STEPS}
    in_memory, loaded = held(family.pipeline, **call), family.model(**guided)
    assert torch.equal(images_of(in_memory.load()), images_of(loaded))
    assert in_memory.load() is in_memory.sketch()
    assert {**in_memory.inputs(), "name": "small"} == held(loaded).inputs()


def test_what_is_left_out_is_the_pipelines_own(families):
    settings = held(families("sd3").pipeline).settings
    expected = {"num_steps": 28, "guidance": 7.0, "image_size": SIZE, "t5_length": 256}
    assert expected.items() <= settings.items()


def test_it_is_known_by_its_weights_and_its_sampler(families):
    pipe = copy.deepcopy(families("sd").pipeline)
    before = digest(held(pipe, **CALL).model)
    assert digest(held(pipe, **CALL).model) == before
    assert digest(held(pipe, **CALL | {"num_inference_steps": 3}).model) != before
    list(pipe.text_encoder.parameters())[-1].data[0] += 1e-3
    assert digest(held(pipe, **CALL).model) != before


def test_another_scheduler_gives_its_settings_and_is_told(families):
    pipe = families("sd").pipeline
    assert held(pipe, **CALL).notes == ()
    other = copy.copy(pipe)
    other.scheduler = diffusers.EulerDiscreteScheduler.from_config(pipe.scheduler.config)
    (note,) = held(other, **CALL).notes
    assert "DDIMScheduler" in note and "EulerDiscreteScheduler" in note
    assert torch.equal(images_of(held(other, **CALL).model), images_of(held(pipe, **CALL).model))


def test_the_decoder_that_overflows_is_copied(families):
    pipe = copy.deepcopy(families("sdxl").pipeline).to(torch.float16)
    pipe.vae.register_to_config(force_upcast=True)
    model = held(pipe, **CALL).model
    assert (model.vae.dtype, pipe.vae.dtype) == (torch.float32, torch.float16)


@pytest.mark.parametrize(
    ("change", "call", "message"),
    [
        (lambda pipe: object(), {}, "object is no Model and no pipeline of diffusers"),
        (lambda pipe: pipe, {"negative_prompt": "bad"}, "negative_prompt cannot be set here; what"),
        (lambda pipe: pipe, {"guidance_scale": 0.5}, "model.guidance = 0.5 must be at least 1"),
        (lambda pipe: held(pipe).model, {"height": 8}, "height: a model has its settings"),
        (split, {}, "on cpu and meta: load it whole onto one device"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(families, change, call, message):
    with pytest.raises(UsageError, match=message) as error:
        held(change(copy.deepcopy(families("sd").pipeline)), **call)
    assert "\n" not in str(error.value)
