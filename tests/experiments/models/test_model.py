"""The protocol: rows, guidance, calls of the network, gradients."""

import pytest
import torch
from float64 import in_float64

from coupling.optimizers.foreground import foreground_loss
from experiments.errors import UsageError
from experiments.models.condition import repeat_rows
from experiments.models.sdxl import SDXL

TEXT = ["sd", "sdxl", "sd3"]
PROMPTS = ["a red bed", "two lamps by a window"]


def noise_of(model, rows: int, dtype=torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(rows, *model.noise_shape, generator=generator, dtype=dtype)


@pytest.fixture
def counted(monkeypatch):
    """Records the number of rows of every network call of a model."""

    def count(model) -> list[int]:
        calls: list[int] = []
        network = model.network

        def recording(x, timestep, condition):
            assert len(timestep) == len(x)
            calls.append(len(x))
            return network(x, timestep, condition)

        monkeypatch.setattr(model, "network", recording)
        return calls

    return count


def test_repeated_rows_keep_a_gallery_together():
    condition = {"a": torch.tensor([[1.0], [2.0]])}
    assert repeat_rows(condition, 3)["a"].flatten().tolist() == [1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("name", "guidance"), [("ddpm", 1.0), *((name, s) for name in TEXT for s in (1.0, 6.0))]
)
def test_a_step_is_one_network_call(families, counted, name, guidance):
    model = families(name).model(guidance=guidance)
    calls = counted(model)
    with torch.inference_mode():
        model.sample(noise_of(model, 4), repeat_rows(model.encode_prompts(PROMPTS), 2))
    assert calls == [4 if guidance == 1 else 8] * model.process.num_steps


@pytest.mark.parametrize("name", TEXT)
def test_guidance_extrapolates_from_the_empty_prompt(families, name):
    family = families(name)
    plain, guided = family.model(), family.model(guidance=3.0)
    x = noise_of(plain, 2)
    with torch.no_grad():
        condition = plain.encode_prompts(PROMPTS)
        null = {key: row.expand_as(condition[key]) for key, row in plain.null_condition.items()}
        conditional, unconditional = plain.predict(x, 1, condition), plain.predict(x, 1, null)
        expected = unconditional + 3.0 * (conditional - unconditional)
        torch.testing.assert_close(guided.predict(x, 1, condition), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", TEXT)
def test_the_empty_prompt_is_encoded_once(families, monkeypatch, name):
    model = families(name).model(guidance=6.0)
    encode, encoded = model.encode_prompts, []
    monkeypatch.setattr(model, "encode_prompts", lambda ps: encoded.append(ps) or encode(ps))
    with torch.inference_mode():
        condition = model.encode_prompts(PROMPTS)
        for _ in range(2):
            model.sample(noise_of(model, 2), condition)
    assert encoded == [PROMPTS, [""]]


@pytest.mark.parametrize("name", [*TEXT, "ddpm"])
def test_clean_has_the_gradient_of_finite_differences(families, name):
    """Through the guided network, in float64, along a random direction."""
    guidance = 1.0 if name == "ddpm" else 4.0
    model = in_float64(families(name).model(guidance=guidance))
    # A step of the middle: the first one of a clipped process is clipped, hence flat.
    assert_gradient(lambda z: model.clean(z, 2, model.encode_prompts(PROMPTS)), model)


@pytest.mark.parametrize("name", ["sd", "sd3"])
def test_images_have_the_gradient_of_finite_differences(families, name):
    """Through every step of the sampler and the decoder."""
    model = in_float64(families(name).model(guidance=4.0, num_steps=2))
    assert_gradient(lambda z: model.decode(model.sample(z, model.encode_prompts(PROMPTS))), model)


@pytest.mark.parametrize(("name", "scale"), [("sd", 5), ("ddpm", 1)])
def test_a_loss_sees_what_the_image_clips(families, name, scale):
    """In pixels the sampler would have clipped it in its last step."""
    model = families(name).model(num_steps=1)
    noise = 3 * noise_of(model, 2)
    with torch.inference_mode():
        latents = scale * model.sample(noise, model.encode_prompts(PROMPTS))
        images = model.unclamped(latents, checkpointed=False)
        assert torch.equal(model.decode(latents), images.clamp(0, 1))
    assert images.min() < 0 and images.max() > 1


@pytest.mark.parametrize("name", ["sd", "sd3", "ddpm"])
def test_checkpointed_gradients_equal_plain_ones(families, counted, name):
    model = families(name).model(guidance=1.0 if name == "ddpm" else 4.0)
    calls, gradients = counted(model), []
    for checkpointed in (False, True):
        noise = noise_of(model, 2).requires_grad_()
        condition = model.encode_prompts(PROMPTS)
        latents = model.sample(noise, condition, checkpointed=checkpointed)
        gradients.append(torch.autograd.grad(latents.square().sum(), noise)[0])
    # Every step is computed once, and once again where it was not kept.
    assert len(calls) == 3 * model.process.num_steps
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-7)
    assert gradients[0].abs().max() > 1e-3


def test_a_checkpointed_decoder_keeps_the_graph_of_one_image_and_gives_the_same(
    families, monkeypatch
):
    model = families("sd").model()
    monkeypatch.setattr("experiments.models.latent.KEPT_PIXELS", 1)
    latents = noise_of(model, 3).requires_grad_()
    results, live = [], []
    for checkpointed in (False, True):
        saved: list[int] = []
        hooks = torch.autograd.graph.saved_tensors_hooks(
            lambda x, saved=saved: saved.append(x.nbytes) or x, lambda x: x
        )
        with hooks:
            images = model.decode(latents, checkpointed=checkpointed)
        live.append(sum(saved))
        results.append((images.detach(), *torch.autograd.grad(images.square().sum(), latents)))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert live[1] < live[0] / 10


def test_checkpointing_keeps_one_state_a_step(families):
    """What autograd saves for the backward pass, in bytes: of each step its x, and no more."""
    model = families("sd").model()
    condition = {key: rows.detach() for key, rows in model.encode_prompts(PROMPTS).items()}
    noise, saved = noise_of(model, 2).requires_grad_(), []

    def note(tensor):
        saved.append(tensor.nbytes)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        model.sample(noise, condition, checkpointed=True)
        checkpointed = sum(saved)
        model.sample(noise, condition)
    assert checkpointed <= model.process.num_steps * noise.nbytes
    assert sum(saved) - checkpointed > 50 * checkpointed


def test_sampling_can_begin_at_a_later_step(families):
    model = families("sd").model()
    states = [noise_of(model, 2)]
    with torch.inference_mode():
        condition = model.encode_prompts(PROMPTS)
        end = model.sample(states[0], condition, on_step=lambda _, x: states.append(x))
        assert torch.equal(model.sample(states[2], condition, start=2), end)


@pytest.mark.parametrize("name", ["sd", "ddpm"])
def test_the_objects_loss_has_the_gradient_of_finite_differences(families, name):
    """Through the checkpointed sampler and the decoder; `ddpm` clips, hence the short step."""
    model = in_float64(families(name).model(num_steps=3))
    masks = torch.zeros(2, 16, 16, dtype=torch.bool)
    masks[:, 4:12, 2:9] = True
    references = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(4)).double()

    def loss(z):
        latents = model.sample(z, model.encode_prompts(PROMPTS), checkpointed=True)
        images = model.unclamped(latents, checkpointed=True)
        return foreground_loss(images, references, masks)

    assert_gradient(loss, model, step=1e-7)


def assert_gradient(function, model, step: float = 1e-4) -> None:
    noise = noise_of(model, 2, torch.float64).requires_grad_()
    direction = noise_of(model, 2, torch.float64).flip(0, 2, 3)
    value = function(noise)
    weight = torch.linspace(-1, 1, value.numel(), dtype=torch.float64).view_as(value)
    (value * weight).sum().backward()
    slope = (noise.grad * direction).sum()
    with torch.no_grad():
        ends = [(function(noise + s * direction) * weight).sum() for s in (step, -step)]
    torch.testing.assert_close(slope, (ends[0] - ends[1]) / (2 * step), rtol=1e-5, atol=1e-8)
    assert slope.abs() > 1e-3


def test_gradients_flow_after_a_pass_in_inference_mode(families):
    """The cached empty prompt must not be an inference tensor."""
    model = families("sd").model(guidance=6.0)
    with torch.inference_mode():
        model.sample(noise_of(model, 2), model.encode_prompts(PROMPTS))
    noise = noise_of(model, 2).requires_grad_()
    model.sample(noise, model.encode_prompts(PROMPTS)).sum().backward()
    assert noise.grad.abs().sum() > 0


def test_noise_in_float32_on_the_cpu_is_cast_at_the_entrance(families):
    model = families("sd").model(guidance=6.0, dtype="bfloat16")
    with torch.inference_mode():
        latents = model.sample(noise_of(model, 2), model.encode_prompts(PROMPTS))
    assert latents.dtype == torch.bfloat16
    assert model.decode(latents).dtype == torch.float32


def test_every_step_is_reported_with_its_state(families):
    model = families("sd").model()
    seen = []
    with torch.inference_mode():
        condition = model.encode_prompts(PROMPTS)
        latents = model.sample(
            noise_of(model, 2), condition, on_step=lambda step, x: seen.append((step, x))
        )
    assert [step for step, _ in seen] == [0, 1, 2, 3]
    assert torch.equal(seen[-1][1], latents)


@pytest.mark.parametrize("rows", [1, 3])
def test_rows_of_noise_and_condition_must_match(families, rows):
    model = families("sd").model()
    with pytest.raises(ValueError, match="as many rows"):
        model.sample(noise_of(model, rows), model.encode_prompts(PROMPTS))


def test_sdxl_decodes_in_float32_where_float16_would_overflow(families):
    pipeline = families("sdxl").pipeline
    vae = type(pipeline.vae).from_config(pipeline.vae.config, force_upcast=True).half()
    model = families("sdxl").model()
    made = SDXL(
        unet=model.unet,
        vae=vae,
        text_encoders=model.text_encoders,
        tokenizers=model.tokenizers,
        zero_null=True,
        process=model.process,
        guidance=1.0,
        image_size=16,
        identity={},
    )
    assert made.vae.dtype == torch.float32 and vae.dtype == torch.float16


@pytest.mark.parametrize(
    ("name", "setting", "named"),
    [
        ("sd", {"guidance": 0.5}, "guidance = 0.5 must be at least 1"),
        ("sd", {"image_size": 17}, "image_size = 17 must be a multiple of 2"),
        ("sd3", {"image_size": 18}, "image_size = 18 must be a multiple of 4"),
        ("ddpm", {"image_size": 32}, "image_size = 32, but this model makes 16"),
        ("ddpm", {"guidance": 2.0}, "guidance = 2.0"),
        ("sd", {"num_steps": 0}, "num_steps = 0"),
    ],
)
def test_impossible_settings_are_named(families, name, setting, named):
    with pytest.raises(UsageError, match=named):
        families(name).model(**setting)
