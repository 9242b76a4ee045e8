"""What a published configuration asks for is done, or refused in one line before anything loads."""

import inspect
import json
import re
import shutil
from pathlib import Path

import diffusers
import pytest

from experiments.errors import UsageError
from experiments.models import DDPM, SD3, SDXL, StableDiffusion, StableDiffusionInpainting
from experiments.models.loading import Checkpoint

FAMILIES = {
    "sd": (StableDiffusion, ["StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"]),
    "inpainting": (StableDiffusionInpainting, ["StableDiffusionInpaintPipeline"]),
    "sdxl": (SDXL, ["StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline"]),
    "sd3": (SD3, ["StableDiffusion3Pipeline", "StableDiffusion3Img2ImgPipeline"]),
    "ddpm": (DDPM, ["DDPMPipeline", "DDIMPipeline"]),
}
FIELDS = [
    (name, part, field)
    for name, (family, _) in FAMILIES.items()
    for part, fields in family.neutral.items()
    for field in fields
]
READ = {
    "unet": {
        "_diffusers_version",  # with sample_size alone
        "sample_size",  # model.image_size states it
        "in_channels",  # the VAE's latent_channels, and for inpainting nine
        "addition_time_embed_dim",  # checked against what is given, which is the same here
        "time_embedding_type",  # an error message
    },
    "vae": {
        "block_out_channels",
        "latent_channels",
        "scaling_factor",
        "shift_factor",  # of SD3
        "force_upcast",
    },
    "text_encoder_2": {"projection_dim"},  # of the embedding that is given
    "transformer": {"sample_size", "in_channels", "patch_size", "joint_attention_dim"},
    "scheduler": {
        "num_train_timesteps",
        "steps_offset",
        "skip_prk_steps",  # PNDM's own
        "use_dynamic_shifting",  # refused by FlowEuler
        "get",
    },
}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_field_that_a_pipeline_reads_is_read_or_neutral(name):
    family, pipelines = FAMILIES[name]
    for pipeline in pipelines:
        source = inspect.getsource(getattr(diffusers, pipeline))
        for part, field in re.findall(r"(\w+)\.config(?:\.|, \")(\w+)", source):
            if part in family.parts:
                known = READ.get(part, set()) | family.neutral.get(part, {}).keys()
                assert field in known, (pipeline, part, field)


@pytest.mark.parametrize(("name", "part", "field"), FIELDS)
def test_what_is_not_done_is_refused_before_a_network_loads(
    families, tmp_path, monkeypatch, name, part, field
):
    folder = Path(shutil.copytree(families(name).folder, tmp_path / "copy"))
    file = folder / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    settings = json.loads(file.read_text())
    monkeypatch.setattr(Checkpoint, "model", lambda *_: pytest.fail("a network is loaded"))
    file.write_text(json.dumps(settings | {field: ["another"]}))
    with pytest.raises(UsageError, match=rf"{file.name} has {field} = .*only .* is; take") as error:
        families(name).model(source=str(folder))
    assert "\n" not in str(error.value)


def test_a_configuration_that_is_no_json_is_named(families, tmp_path):
    folder = Path(shutil.copytree(families("sd").folder, tmp_path / "copy"))
    (folder / "vae" / "config.json").write_text("{")
    with pytest.raises(UsageError, match=r"vae/config.json is not JSON: restore or fetch it"):
        families("sd").model(source=str(folder))
