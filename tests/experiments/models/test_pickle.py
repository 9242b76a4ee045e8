"""Of the one pickle that is opened, tensors alone are read; nothing in it is ever run."""

import hashlib
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from experiments.errors import UsageError
from experiments.models.loading import _unpickle
from experiments.models.snapshot import Incomplete, needed

NAME = "diffusion_pytorch_model.bin"


class Touch:
    """Touches a file when it is unpickled, by anybody who runs pickles."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def stored(folder: Path, content: object) -> Path:
    """A pickle as the hub's cache has it: a link to a file that is named by its SHA-256."""
    torch.save(content, folder / "blob")
    name = hashlib.sha256((folder / "blob").read_bytes()).hexdigest()
    (folder / "blob").rename(folder / name)
    (folder / NAME).symlink_to(folder / name)
    (folder / "config.json").write_text("{}")
    return folder / NAME


def test_tensors_come_out_as_they_went_in(tmp_path):
    tensors = {"a": torch.randn(2, 3).T, "b": torch.arange(3)}
    (tmp_path / "out").mkdir()
    _unpickle(stored(tmp_path, tensors), tmp_path / "out")
    read = load_file(tmp_path / "out" / "diffusion_pytorch_model.safetensors")
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)
    assert (tmp_path / "out" / "config.json").exists()


def test_nothing_in_it_is_run(tmp_path):
    target = tmp_path / "touched"
    path = stored(tmp_path, {"a": Touch(target)})
    with pytest.raises(UsageError, match="holds more than tensors") as caught:
        _unpickle(path, tmp_path)
    assert "\n" not in str(caught.value) and not target.exists()
    with pytest.raises((pickle.UnpicklingError, RuntimeError, AttributeError)):
        torch.load(path, weights_only=True)
    torch.load(path, weights_only=False)
    assert target.exists()  # so it would have been


def test_another_file_than_the_hubs_is_refused(tmp_path):
    path = stored(tmp_path, {"a": torch.zeros(1)})
    torch.save({"a": torch.ones(1)}, path)
    with pytest.raises(UsageError, match="is not as it was fetched"):
        _unpickle(path, tmp_path)


def test_it_is_chosen_only_where_it_is_named_and_there_is_nothing_else():
    files = ["model_index.json", "config.json", "scheduler_config.json", NAME]
    parts = ("unet", "scheduler")
    assert NAME in needed(files, parts, None, NAME)
    with pytest.raises(Incomplete, match="only pickled weights"):
        needed(files, parts, None)
    better = "diffusion_pytorch_model.safetensors"
    assert NAME not in needed([*files, better], parts, None, NAME)
