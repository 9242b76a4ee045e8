"""The noise command writes exactly what the library draws, with what it takes to draw it again."""

import json
import os
import subprocess
import sys

import hydra
import pytest
import torch
from safetensors import safe_open

import coupling
from experiments.noise import main

SCRIPT = """
import sys
from experiments.noise import main
main(sys.argv[1:])
print(sorted({"diffusers", "transformers", "torchvision", "pandas"} & set(sys.modules)))
"""


def read(path):
    with safe_open(path, "pt") as file:
        return file.get_tensor("noise"), file.metadata()


def test_the_file_is_what_the_library_draws(tmp_path):
    out = tmp_path / "folder" / "noise.safetensors"
    settings = ["coupling=equicorrelated", "coupling.rho=-0.2", "K=5", "seed=7", "job=a bed"]
    main([*settings, "shape=4,8,6", f"out={out}"])
    noise, metadata = read(out)
    law = coupling.equicorrelated(5, rho=-0.2)
    assert torch.equal(noise, law.sample((4, 8, 6), seed=7, job="a bed"))
    assert json.loads(metadata["correlation"]) == law.correlation.tolist()
    again = hydra.utils.instantiate(json.loads(metadata["coupling"]))
    redrawn = again.sample(noise.shape[1:], seed=int(metadata["seed"]), job=metadata["job"])
    assert torch.equal(redrawn, noise)


def test_the_seeds_of_other_programs_are_coupled(tmp_path):
    out = tmp_path / "noise.safetensors"
    main(["coupling=iid", "K=2", "shape=4,8,8", "seed=1234", "streams=torch", f"out={out}"])
    noise, metadata = read(out)
    for member, one in enumerate(noise):
        generator = torch.Generator().manual_seed(1234 + member)
        assert torch.equal(one, torch.randn((1, 4, 8, 8), generator=generator)[0])
    assert json.loads(metadata["streams"])["_target_"] == "coupling.torch_noise"


def test_the_file_is_as_open_as_the_umask_lets_it(tmp_path):
    before = os.umask(0o027)
    try:
        main(["shape=1,2", f"out={tmp_path / 'noise.safetensors'}"])
    finally:
        os.umask(before)
    assert (tmp_path / "noise.safetensors").stat().st_mode & 0o777 == 0o640


def test_the_command_loads_no_model(tmp_path):
    out = tmp_path / "noise.safetensors"
    command = [sys.executable, "-c", SCRIPT, "shape=[4,64,64]", f"out={out}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"{out}\n[]\n"
    assert read(out)[0].sum(dim=0).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["shape=4,8,8"], "out"),
        (["out=OUT"], "shape"),
        (["shape=4,8,x", "out=OUT"], "a side of shape=x is no whole number"),
        (["shape=4,-8", "out=OUT"], "shape = -8 must be at least 1"),
        (["shape=4,8,8", "out=OUT", "K=1"], "coupling: K = 1 is not an integer >= 2"),
        (["shape=4,8,8", "out=OUT", "seed=1.5"], "seed=1.5 is no whole number"),
        (["shape=4,8,8", "out=OUT", "coupling=gone"], "gone"),
        (["shape=4,8,8", "out=OUT", "size=3"], "size"),
        (["shape=4,8,8", "out=OUT", "coupling=low_frequency"], "(16, 16)"),
        (["shape=", "out=OUT"], "shape is empty"),
        (["shape=4,8,8", "out=OUT.npy"], "must end in .safetensors, as in out="),
        (["shape=4,8,8", "out=/tmp"], "out=/tmp is a folder; name a file"),
        (["shape=4,8,8", "out=OUT", "job=7"], "job=7 is no text"),
        (["shape=4,8,8", "out=/proc/none/noise.safetensors"], "/proc"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(arguments, message, tmp_path, capsys):
    out = tmp_path / "noise.safetensors"
    with pytest.raises(SystemExit) as ended:
        main([text.replace("OUT", str(out)) for text in arguments])
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not out.exists()
