"""Folders that are not whole, devices that are not there, names of weights, and the configs."""

import inspect
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file

from experiments.errors import UsageError
from experiments.models.device import select_device, select_dtype
from experiments.models.fingerprint import fingerprint
from experiments.models.snapshot import Incomplete, needed

CONFIGS = sorted((Path(__file__).parents[3] / "configs" / "model").glob("*.yaml"))


@pytest.fixture
def copy(families, tmp_path) -> Path:
    """A copy of the small Stable Diffusion, to be broken."""
    return Path(shutil.copytree(families("sd").folder, tmp_path / "copy"))


def load(families, folder: Path):
    return families("sd").model(source=str(folder))


@pytest.mark.parametrize(
    ("lost", "named"),
    [
        ("model_index.json", "has no model_index.json"),
        ("unet/config.json", "lacks unet/config.json"),
        ("vae/diffusion_pytorch_model.safetensors", "lacks vae/diffusion_pytorch_model"),
        ("text_encoder/model.safetensors", "lacks text_encoder/diffusion_pytorch_model"),
        ("tokenizer/tokenizer.json", "lacks the vocabulary of tokenizer/"),
        ("scheduler/scheduler_config.json", "lacks scheduler/scheduler_config.json"),
    ],
)
def test_a_folder_with_a_file_missing_is_named(families, copy, lost, named):
    (copy / lost).unlink()
    with pytest.raises(UsageError, match=named) as caught:
        load(families, copy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n"])
def test_a_broken_weight_file_is_named(families, copy, content):
    (copy / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(content)
    with pytest.raises(UsageError, match=r"broken or cut unet/diffusion_pytorch_model"):
        load(families, copy)


def test_a_cut_weight_file_is_named(families, copy):
    path = copy / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UsageError, match=r"holds a cut unet/diffusion_pytorch_model"):
        load(families, copy)


def test_pickled_weights_are_never_opened(families, copy):
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(UsageError, match=r"only pickled weights .*convert it once"):
        load(families, copy)


def test_a_pipeline_of_another_family_is_refused(families):
    with pytest.raises(UsageError, match="holds a StableDiffusionXLPipeline, not a Stable"):
        load(families, families("sdxl").folder)


@pytest.mark.parametrize("source", ["./nowhere", "/no/such/folder", "nowhere"])
def test_a_path_that_leads_nowhere_is_named(families, source):
    with pytest.raises(UsageError, match="is no folder here and no hub repository"):
        load(families, source)


def test_a_network_at_the_top_of_its_repository_is_found(families, tmp_path):
    folder = Path(shutil.copytree(families("ddpm").folder, tmp_path / "flat"))
    for part in ("unet", "scheduler"):
        for path in (folder / part).iterdir():
            path.rename(folder / path.name)
        (folder / part).rmdir()
    flat, whole = families("ddpm").model(source=str(folder)), families("ddpm").model()
    assert all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(flat.unet.parameters(), whole.unet.parameters(), strict=True)
    )


def test_a_variant_is_loaded_where_there_is_one(families, copy):
    """The VAE is published in one precision only, as in Stable Diffusion 3's repository."""
    path = copy / "unet" / "diffusion_pytorch_model.safetensors"
    zeros = {name: torch.zeros_like(value) for name, value in load_file(path).items()}
    save_file(zeros, path.with_suffix(".fp16.safetensors"), metadata={"format": "pt"})
    model = families("sd").model(source=str(copy), variant="fp16")
    assert all(not weight.any() for weight in model.unet.parameters())
    assert any(weight.any() for weight in model.vae.parameters())


def sharded(count: int) -> list[str]:
    names = [f"t/model.fp16-{i + 1:05d}-of-00003.safetensors" for i in range(count)]
    return ["model_index.json", "t/config.json", "t/model.safetensors.index.fp16.json", *names]


def test_every_shard_is_needed():
    assert needed(sharded(3), ["t"], "fp16") == sharded(3)
    with pytest.raises(Incomplete, match="2 of 3 shards in t/"):
        needed(sharded(2), ["t"], "fp16")


def test_other_precisions_and_formats_are_not_fetched():
    wanted = ["model_index.json", "unet/config.json"]
    weights = ["", ".fp16", ".non_ema"]
    files = [f"unet/diffusion_pytorch_model{infix}.safetensors" for infix in weights]
    pickles = ["unet/diffusion_pytorch_model.bin", "v1-5-pruned.safetensors"]
    everything = [*wanted, *files, *pickles]
    assert needed(everything, ["unet"], None) == [*wanted, files[0]]
    assert needed(everything, ["unet"], "fp16") == [*wanted, files[1]]


def test_devices():
    assert select_device("cpu") == torch.device("cpu")
    assert select_device("auto").type in {"cuda", "mps", "cpu"}
    missing = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(UsageError, match=r"use model\.device=auto"):
        select_device(missing)
    with pytest.raises(UsageError, match="choose auto, cuda"):
        select_device("gpu")


def test_dtypes():
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert select_dtype("auto", cpu) == torch.float32
    assert select_dtype("auto", cuda) == torch.float16
    assert select_dtype("bfloat16", cpu) == torch.bfloat16
    with pytest.raises(UsageError, match=r"use model\.dtype=float32 or auto"):
        select_dtype("float16", cpu)
    with pytest.raises(UsageError, match="choose auto, float32"):
        select_dtype("half", cpu)


def test_a_fingerprint_follows_the_weights_alone(copy):
    before = fingerprint(str(copy), None)
    (copy / "README.md").write_text("a model card is no input")
    assert fingerprint(str(copy), None) == before
    path = copy / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert fingerprint(str(copy), None) != before


def test_a_fingerprint_of_the_hub_asks_nobody():
    assert fingerprint("owner/name", "abc") == "owner/name@abc"
    assert fingerprint("owner/name", None) == "owner/name@main"


def test_a_fingerprint_is_quick_and_needs_no_pipeline(tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(bytes(2**24))
    start = time.perf_counter()
    fingerprint(str(tmp_path), None)
    assert time.perf_counter() - start < 0.5
    program = (
        "import sys; from experiments.models import fingerprint, hub; "
        "sys.exit(bool({'diffusers', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_states_every_argument_of_its_loader(path):
    config = OmegaConf.load(path)
    on_any = "any" in config.get("defaults", [])
    config = config.get("model", config)  # one that also chooses prompts and metrics has it nested
    if on_any:
        config = OmegaConf.merge(OmegaConf.load(path.with_name("any.yaml")).model, config)
    family = get_class(config["_target_"])
    arguments = {
        name
        for loader in (family.load, family.networks)
        for name in inspect.signature(loader).parameters
    }
    assert set(config) - {"_target_"} == arguments - {"own", "checkpoint"}
    assert config.name == path.stem


@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3", "ddpm"])
def test_fetching_wants_every_part_that_loading_reads(families, tmp_path, name):
    family = families(name)
    folder = Path(shutil.copytree(family.folder, tmp_path / "copy"))
    settings = {"source": str(folder), "revision": None, "variant": None, "t5": True}
    kind = type(family.model())
    kind.fetch(**settings)
    for part in kind.parts_with(**settings):
        moved = (folder / part).rename(tmp_path / part)
        with pytest.raises(UsageError, match=part):
            kind.fetch(**settings)
        moved.rename(folder / part)
