"""Any pipeline as a black box: its images are the pipeline's own, its noises the suite's."""

import warnings

import diffusers
import pytest
import torch

import coupling
from experiments.compose import CONFIGS, compose
from experiments.errors import UsageError
from experiments.methods.coupled import Coupled
from experiments.methods.piped import Piped
from experiments.models import Pipeline, StableDiffusion
from experiments.models.piping import arguments
from experiments.models.quiet import quiet
from tests.experiments.models.conftest import SD_SCHEDULE, stable_diffusion
from tests.plugins.boxes import AT_ONCE, IMAGES, JOBS, box
from tests.plugins.cases import CASES, built, new
from tests.plugins.test_draws import drawn

LAW = coupling.repulsive(3)


def bytes_of(images: torch.Tensor):
    return (images * 255).round().byte().permute(0, 2, 3, 1).numpy().astype(int)


def made(model: Pipeline, jobs=JOBS[:1], law=LAW, members=range(3)):
    with quiet():
        galleries = Piped(law, None).make(model, jobs, seed=7, members=members)
    return [gallery.images.astype(int) for gallery in galleries]


@pytest.mark.parametrize("name", IMAGES)
def test_its_images_are_the_pipelines_own_from_the_latents_of_the_plug_in(name):
    case, pipe, job = CASES[name], built(name), JOBS[0]
    steps = 2 if name in AT_ONCE else 3
    call = case.call | {"num_inference_steps": steps}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*draws again at every step")
        given = coupling.diffusers.latents(pipe, job.prompt, LAW, seed=7, jobs=[job.id], **call)
    with (
        quiet(),
        coupling.diffusers.draws(pipe, job.prompt, coupling.iid(3), seed=7, jobs=[job.id]),
    ):
        expected = pipe(
            prompt=job.prompt, num_images_per_prompt=3, latents=given, output_type="pt", **call
        )[0]
    (images,) = made(box(name, steps=steps))
    assert abs(images - bytes_of(expected)).max() <= 1
    assert abs(images[0] - images[1]).max() > 1


@pytest.mark.parametrize("name", ["sd3", "flux"])
def test_the_prompts_of_a_batch_share_a_call_where_they_may_and_copies_fill_it(name):
    alone = made(box(name), JOBS)
    calls = []
    model = box(name, together=True, call={"negative_prompt": "dark"} if name == "sd3" else {})
    apart = made(box(name, call={"negative_prompt": "dark"}), JOBS) if name == "sd3" else alone
    whole = model._called
    model._called = lambda jobs, *args, **kwargs: (
        calls.append(len(jobs)) or whole(jobs, *args, **kwargs)
    )
    both = made(model, JOBS)
    assert calls == [2]
    assert max(abs(one - other).max() for one, other in zip(both, apart, strict=True)) <= 1
    copies = made(model, [JOBS[0], JOBS[0]])
    assert abs(copies[0] - apart[0]).max() <= 1 and calls == [2, 2]


def test_a_gallery_grows_to_the_members_that_were_planned():
    model = box("flux")
    (whole,) = made(model)
    (first,), (last,) = made(model, members=range(2)), made(model, members=range(2, 3))
    assert abs(whole[:2] - first).max() <= 1 and abs(whole[2:] - last).max() <= 1


@pytest.mark.parametrize("members", [range(3), range(1, 3)], ids=["all", "some"])
@pytest.mark.parametrize("which", ["start", "all"])
def test_the_draws_of_a_step_are_the_suites_streams_coupled_or_not(which, members):
    pipe = new(stable_diffusion)
    pipe.scheduler = diffusers.LCMScheduler(**SD_SCHEDULE)
    model = box(pipe, draws=which, call=CASES["stable_diffusion"].call)
    noise = LAW.sample((4, 8, 8), seed=7, job="1")
    part = slice(members.start, members.stop)
    with pytest.MonkeyPatch.context() as patch:
        seen = []
        own = pipe.scheduler.step

        def step(*args, **kwargs):
            with drawn(pipe) as found:
                out = own(*args, **kwargs)
            seen.extend(found)
            return out

        patch.setattr(pipe.scheduler, "step", step)
        model.images(JOBS[:1], noise[None, part], LAW, seed=7, members=part)
    law = LAW if which == "all" else coupling.iid(3)
    assert len(seen) == 2
    for number, found in enumerate(seen):
        expected = law.sample((4, 8, 8), seed=7, job=f"1\nstep {number}")[part]
        assert torch.equal(found, expected)


def test_what_it_returns_is_checked():
    class Dark(diffusers.StableDiffusionPipeline):
        def __call__(self, *args, **kwargs):
            (images, *_) = super().__call__(*args, **kwargs | {"return_dict": False})
            return (images - 3,)

    pipe = Dark(**built("stable_diffusion").components, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    with pytest.raises(UsageError, match=r"Dark returned \(3, 3, 16, 16\) from -3 .* \[0, 1\]"):
        made(box(pipe, call=CASES["stable_diffusion"].call))


def test_a_mask_that_does_not_fit_the_drawn_shape_is_refused_before_anything_is_made():
    mask = coupling.mask(torch.ones(5, 5, dtype=torch.bool))
    law = coupling.subspace(mask, inside=coupling.iid(3), outside=LAW)
    with pytest.raises(UsageError, match=r"^coupling: .*\(5, 5\)"):
        Piped(law, None).check(box("flux"), JOBS)


@pytest.mark.parametrize("offload", ["none", "model"])
def test_weights_that_are_offloaded_make_the_same_images(offload, tmp_path):
    pipe = new(CASES["sd3"].build)
    pipe.save_pretrained(tmp_path)
    model = Pipeline.load(**SETTINGS | {"source": str(tmp_path), "offload": offload})
    assert abs(made(model)[0] - made(box("sd3"))[0]).max() <= 1


SETTINGS = {
    "name": "small",
    "revision": None,
    "variant": None,
    "image_size": 16,
    "num_steps": 3,
    "dtype": "float32",
    "device": "cpu",
    "call": {"max_sequence_length": 16},
    "together": False,
    "draws": "start",
    "offload": "none",
    "quantization": None,
}


def test_quantised_loading_is_diffusers_own(tmp_path, monkeypatch):
    new(CASES["sd3"].build).save_pretrained(tmp_path)
    seen = {}

    def from_pretrained(folder, **options):
        seen.update(options)
        raise OSError("enough")

    monkeypatch.setattr(diffusers.StableDiffusion3Pipeline, "from_pretrained", from_pretrained)
    how = {"quant_backend": "torchao", "quant_kwargs": {}, "components_to_quantize": ["vae"]}
    with pytest.raises(UsageError):
        Pipeline.load(**SETTINGS | {"source": str(tmp_path), "quantization": how})
    if seen:  # torchao is here
        assert isinstance(seen["quantization_config"], diffusers.PipelineQuantizationConfig)


PRESETS = {
    "flux-dev": "flux",
    "flux-schnell": "flux",
    "sd35-medium": "sd3",
    "sd35-large": "sd3",
    "qwen-image": "qwen_image",
    "z-image-turbo": "z_image",
    "sana": "sana",
    "pixart-sigma": "pixart_sigma",
    "lumina2": "lumina2",
    "chroma": "chroma",
    "sdxl-turbo": "sdxl",
    "sdxl-lightning": "sdxl",
}


def test_every_preset_is_of_a_class_that_is_tested():
    boxes = [
        path.stem for path in (CONFIGS / "model").glob("*.yaml") if "- any\n" in path.read_text()
    ]
    assert sorted(boxes) == sorted(PRESETS)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_calls_its_class_right_and_joins_only_prompts_that_do_not_mix(preset):
    case = CASES[PRESETS[preset]]
    model = compose([f"model={preset}", "model.source=owner/name"]).model
    assert model.name == preset and model._target_ == "experiments.models.Pipeline"
    assert set(model.call) <= arguments(type(built(PRESETS[preset])))
    assert not (model.together and case.mixes)
    assert "Licence: " in (CONFIGS / "model" / f"{preset}.yaml").read_text()


def test_a_method_with_a_network_inside_and_a_black_box_refuse_each_other():
    with pytest.raises(UsageError, match="use method=piped"):
        Coupled(LAW, None).check(box("sd3"), JOBS)
    with pytest.raises(UsageError, match="use model=any"):
        Piped.suits(StableDiffusion)
    with pytest.raises(UsageError, match="this needs the network inside"):
        box("sd3").encode_prompts(["a bed"])
