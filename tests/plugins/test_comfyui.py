"""The node pack, installed and loaded as ComfyUI does, keeps to its interface.

A stub of its executor runs the nodes, by their own descriptions, and its workflows.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

import coupling
from tests.plugins import comfy_stub as comfy
from tests.plugins.comfy_stub import Nested, execute, prompt_of, run

ROOT = Path(__file__).parents[2]
SHAPE = (4, 8, 8)
VIDEO = (16, 3, 8, 8)
NOISES = ("Noise", "EquicorrelatedNoise", "BandNoise", "MaskNoise")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The folder of the pack in a ComfyUI."""
    comfyui = tmp_path_factory.mktemp("ComfyUI")
    (comfyui / "custom_nodes").mkdir()
    subprocess.run(["make", "--silent", "comfyui", f"COMFYUI={comfyui}"], cwd=ROOT, check=True)
    return comfyui / "custom_nodes" / "couple-to-control"


@pytest.fixture(scope="module")
def pack(folder):
    path = list(sys.path)
    yield comfy.load(folder)
    sys.path[:] = path


@pytest.fixture
def output(tmp_path, monkeypatch) -> Path:
    """ComfyUI's output folder."""
    for name, module in comfy.modules(tmp_path).items():
        monkeypatch.setitem(sys.modules, name, module)
    return tmp_path


def latent(count, shape=SHAPE, **entries):
    return {"samples": torch.zeros(count, *shape), **entries}


def left() -> torch.Tensor:
    """A mask of the left half of a picture of 64 px, as ComfyUI loads one."""
    return (torch.arange(64).expand(1, 64, 64) < 32).float()


def noise_of(pack, name, **inputs):
    needed = {"mask": left()} if name == "MaskNoise" else {}
    return execute(pack, f"CoupleToControl{name}", **needed, **inputs)["NOISE"]


def test_the_pack_needs_nothing_that_is_not_in_it_but_torch(folder):
    """And safetensors, to save; in a Python that sees neither this checkout nor its packages."""
    code = f"""
import sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("pack", {str(folder / "__init__.py")!r})
sys.modules["pack"] = pack = module_from_spec(spec)
before = set(sys.modules)
import torch
own = set(sys.modules)
spec.loader.exec_module(pack)
new = {{name.split(".")[0] for name in set(sys.modules) - own}}
assert new - set(sys.stdlib_module_names) <= {{"pack", "coupling", "torch"}}, new
print(sys.modules["coupling"].__file__)
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd="/", check=True, capture_output=True, text=True
    )
    assert Path(done.stdout.strip()) == folder / "coupling" / "__init__.py"


def test_the_registry_can_read_it_and_its_version_is_the_suites(folder):
    read = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    suite = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert read["project"]["version"] == suite["project"]["version"]
    assert read["project"]["dependencies"] == []
    assert {"PublisherId", "DisplayName"} <= read["tool"]["comfy"].keys()
    assert (folder / read["project"]["license"]["file"]).is_file()


def test_a_folder_that_is_no_comfyui_is_refused_in_one_line(tmp_path):
    done = subprocess.run(
        ["make", "--silent", "comfyui", f"COMFYUI={tmp_path}"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0 and "custom_nodes" in done.stderr.splitlines()[0]
    assert not list(tmp_path.iterdir())


def test_every_node_is_described_for_the_menu(pack):
    assert pack.NODE_CLASS_MAPPINGS.keys() == pack.NODE_DISPLAY_NAME_MAPPINGS.keys()
    for node in pack.NODE_CLASS_MAPPINGS.values():
        assert node.CATEGORY and node.DESCRIPTION


@pytest.mark.parametrize("shape", [SHAPE, VIDEO], ids=["image", "video"])
@pytest.mark.parametrize("name", NOISES)
def test_every_node_executes_and_its_noises_are_standard_normal(pack, output, name, shape):
    noise = noise_of(pack, name, noise_seed=7)
    x = noise.generate_noise(latent(4, shape))
    assert x.shape == (4, *shape) and noise.seed == 7
    assert abs(x.std().item() - 1) < 0.1
    saved = execute(
        pack, "CoupleToControlSaveNoise", noise=noise, latent_image=latent(4, shape)
    )["files"][0]  # fmt: skip
    with safe_open(output / saved["subfolder"] / saved["filename"], "pt") as file:
        assert torch.equal(file.get_tensor("noise"), x)


@pytest.mark.parametrize("shape", [SHAPE, VIDEO], ids=["image", "video"])
def test_a_mask_shares_its_side_and_a_band_its_frequencies(pack, shape):
    noise = noise_of(pack, "MaskNoise", inside="identical", outside="repulsive", gallery_size=2)
    x = noise.generate_noise(latent(2, shape))
    assert torch.equal(x[0, ..., :4], x[1, ..., :4])
    torch.testing.assert_close(x[0, ..., 4:], -x[1, ..., 4:])
    noise = noise_of(pack, "BandNoise", inside="identical", outside="repulsive", high=0.3)
    x = noise.generate_noise(latent(4, shape))
    law = coupling.subspace(
        coupling.frequency_band(0, 0.3, shape=shape[-2:]),
        inside=coupling.identical(4), outside=coupling.repulsive(4),
    )  # fmt: skip
    assert torch.equal(x, law.sample(shape, seed=0, job="0"))


def test_what_a_subspace_cannot_be_of_is_refused(pack):
    with pytest.raises(ValueError, match="band"):
        noise_of(pack, "BandNoise", low=0.2, high=0.1)
    with pytest.raises(ValueError, match="3 pictures"):
        execute(pack, "CoupleToControlMaskNoise", mask=torch.ones(3, 8, 8))
    with pytest.raises(ValueError, match="rows and columns"):
        noise_of(pack, "BandNoise").generate_noise(latent(4, (64, 1024)))


def test_the_example_saves_what_makes_its_noises_again(folder, pack, output):
    nodes = {**pack.NODE_CLASS_MAPPINGS, "EmptyLatentImage": comfy.EmptyLatentImage}
    (example,) = (folder / "example_workflows").glob("*.json")
    workflow = json.loads(example.read_text("utf-8"))
    prompt = prompt_of(workflow, nodes)
    run(prompt, nodes, prompt=prompt, extra_pnginfo={"workflow": workflow})
    with safe_open(output / "noises" / "noise_00001_.safetensors", "pt") as file:
        told = {key: json.loads(text) for key, text in file.metadata().items()}
        x = file.get_tensor("noise")
    assert torch.equal(x, coupling.repulsive(4).sample((4, 64, 64), seed=7, job="0"))
    assert told == {"prompt": prompt, "workflow": workflow}
    run(told["prompt"], nodes, prompt=told["prompt"])
    with safe_open(output / "noises" / "noise_00002_.safetensors", "pt") as file:
        assert torch.equal(file.get_tensor("noise"), x)


def test_the_examples_links_join_what_they_name(folder):
    (example,) = (folder / "example_workflows").glob("*.json")
    workflow = json.loads(example.read_text("utf-8"))
    version = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    nodes = {node["id"]: node for node in workflow["nodes"]}
    for number, source, out, target, into, kind in workflow["links"]:
        assert nodes[target]["inputs"][into]["link"] == number
        assert number in nodes[source]["outputs"][out]["links"]
        assert (
            kind == nodes[target]["inputs"][into]["type"] == nodes[source]["outputs"][out]["type"]
        )
    ours = [node for node in nodes.values() if node["type"].startswith("CoupleToControl")]
    assert {node["properties"]["ver"] for node in ours} == {version}


def test_who_wants_no_metadata_gets_none(pack, output):
    sys.modules["comfy.cli_args"].args.disable_metadata = True
    given = {"noise": noise_of(pack, "Noise"), "latent_image": latent(4)}
    execute(pack, "CoupleToControlSaveNoise", **given, prompt={"1": 1}, extra_pnginfo={"a": 1})
    with safe_open(output / "noises" / "noise_00001_.safetensors", "pt") as file:
        assert not file.metadata()


@pytest.mark.parametrize("shape", [SHAPE, VIDEO], ids=["image", "video"])
def test_a_batch_starts_from_a_gallery(pack, shape):
    noise = execute(pack, "CoupleToControlNoise", noise_seed=2**64 - 1, gallery_size=3)["NOISE"]
    x = noise.generate_noise(latent(3, shape))
    assert torch.equal(x, coupling.repulsive(3).sample(shape, seed=2**64 - 1, job="0"))
    assert x.sum(dim=0).abs().max() < 1e-5


def test_a_larger_batch_is_several_independent_galleries(pack):
    noise = execute(pack, "CoupleToControlNoise", coupling="antithetic", gallery_size=2)["NOISE"]
    x = noise.generate_noise(latent(5))
    assert torch.equal(x[1], -x[0]) and torch.equal(x[3], -x[2])
    correlation = torch.corrcoef(x[[0, 2, 4]].flatten(1))
    assert (correlation - torch.eye(3)).abs().max() < 0.3


def test_an_image_of_a_batch_is_made_again_alone(pack):
    noise = execute(pack, "CoupleToControlEquicorrelatedNoise", rho=-0.2, gallery_size=4)["NOISE"]
    whole = noise.generate_noise(latent(8))
    alone = noise.generate_noise(latent(2, batch_index=[6, 1]))
    assert torch.equal(alone, whole[[6, 1]])


def test_a_batch_index_may_be_a_tensor_and_must_name_every_image(pack):
    noise = execute(pack, "CoupleToControlNoise", gallery_size=2)["NOISE"]
    whole = noise.generate_noise(latent(4))
    alone = noise.generate_noise(latent(2, batch_index=torch.tensor([3, 0])))
    assert torch.equal(alone, whole[[3, 0]])
    for wrong in ([], [1], [0, -1], [0, 1.0], torch.tensor(1)):
        with pytest.raises(ValueError, match="batch_index"):
            noise.generate_noise(latent(2, batch_index=wrong))


def test_an_empty_batch_has_empty_noise(pack):
    noise = execute(pack, "CoupleToControlNoise")["NOISE"]
    assert noise.generate_noise(latent(0)).shape == (0, *SHAPE)
    assert noise.generate_noise(latent(0, batch_index=[])).shape == (0, *SHAPE)


def test_nested_latents_get_nested_noises_of_their_own(pack, output):
    noise = execute(pack, "CoupleToControlNoise", gallery_size=2)["NOISE"]
    samples = Nested([torch.zeros(2, *SHAPE), torch.zeros(2, *SHAPE), torch.zeros(2, 8, 16)])
    parts = noise.generate_noise({"samples": samples}).unbind()
    assert [part.shape for part in parts] == [tensor.shape for tensor in samples.tensors]
    assert torch.equal(parts[0], noise.generate_noise(latent(2)))
    assert (parts[0] - parts[1]).std() > 1  # one noise for both would be no gallery's law
    assert all(part.sum(dim=0).abs().max() < 1e-5 for part in parts)
    execute(pack, "CoupleToControlSaveNoise", noise=noise, latent_image={"samples": samples})
    with safe_open(output / "noises" / "noise_00001_.safetensors", "pt") as file:
        saved = [file.get_tensor(name) for name in ("noise", "noise/1", "noise/2")]
    assert all(torch.equal(a, b) for a, b in zip(saved, parts, strict=True))


def test_the_noise_is_on_the_cpu_in_the_dtype_of_the_latents(pack):
    noise = execute(pack, "CoupleToControlNoise")["NOISE"]
    half = {"samples": torch.zeros(4, *SHAPE, dtype=torch.float16)}
    x = noise.generate_noise(half)
    assert x.dtype == torch.float16 and x.device.type == "cpu"
    assert torch.equal(x, noise.generate_noise(latent(4)).half())


def test_what_no_law_allows_is_refused_before_sampling(pack):
    with pytest.raises(ValueError, match=r"rho = -0\.5 is outside"):
        execute(pack, "CoupleToControlEquicorrelatedNoise", rho=-0.5, gallery_size=4)
