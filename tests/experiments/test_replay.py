"""An image is made again from its own metadata, equal to the bit, and nothing else is called."""

import json
import os
import random
import shutil
import sys

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from coupling import antithetic
from experiments.cells.trust import Trust
from experiments.compose import CONFIGS, compose
from experiments.galleries.gallery import METADATA_KEY, image_metadata
from experiments.learning.card import Card
from experiments.replay import main, replay
from experiments.run import run

OVERRIDES = [
    "model.num_steps=2",
    "model.guidance=3.0",
    "task.num_prompts=3",
    "workers.galleries_per_batch=2",
    "coupling.size=4",
    "seed=5",
]
ONE = ["model.num_steps=2", "task.num_prompts=1", "workers.galleries_per_batch=1"]
CHAIN = """
import torch
import coupling

def chain(size, rho):
    order = torch.arange(size, dtype=torch.float64)
    return coupling.from_correlation(rho ** (order - order.unsqueeze(1)).abs())

class Law:
    pass
"""
CHAIN_YAML = "_target_: chain.chain\nsize: ${task.gallery_size}\nrho: -0.4\n"


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Twelve images: three prompts of three members, grown to four."""
    folder = tmp_path_factory.mktemp("run")
    for size in (3, 4):
        here = [f"output_dir={folder / 'outputs'}", f"results_dir={folder / 'results'}"]
        everything = [*OVERRIDES, *here, f"task.gallery_size={size}"]
        run(compose(everything), overrides=everything)
    return sorted(folder.glob("outputs/*/galleries/*/*.png"))


def refused(*words, capsys) -> str:
    """The one line in which these words end."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


@pytest.fixture(scope="module")
def of_a_law_of_ours(tmp_path_factory):
    """An image from a coupling of the user's own, and the folder that holds its code and YAML."""
    folder = tmp_path_factory.mktemp("chain")
    (folder / "configs" / "coupling").mkdir(parents=True)
    (folder / "configs" / "coupling" / "chain.yaml").write_text(CHAIN_YAML)
    (folder / "chain.py").write_text(CHAIN)
    sys.path.insert(0, str(folder))
    everything = [*ONE, f"hydra.searchpath=[file://{folder}/configs]", "coupling=chain"]
    everything += [f"output_dir={folder / 'outputs'}", f"results_dir={folder / 'results'}"]
    run(compose(everything), overrides=everything)
    yield next(folder.glob("outputs/*/galleries/*/1.png")), folder
    sys.path.remove(str(folder))
    sys.modules.pop("chain", None)


def altered(path, target, *, pixel=0, **changes):
    """A copy with another pixel or other metadata."""
    with Image.open(path) as image:
        pixels = np.array(image)
    pixels[0, 0, 0] ^= pixel
    text = PngImagePlugin.PngInfo()
    text.add_text(METADATA_KEY, json.dumps(image_metadata(path) | changes))
    Image.fromarray(pixels).save(target, pnginfo=text)
    return str(target)


def test_every_image_of_a_run_is_made_again_to_the_bit(images):
    assert len(images) == 12
    for _, difference in replay(random.Random(0).sample(images, 12)):
        assert not difference.any()


def test_one_member_alone_elsewhere_suffices(images, tmp_path, capsys):
    alone = shutil.copy(next(path for path in images if path.name == "2.png"), tmp_path / "x.png")
    assert main([str(alone)]) == 0
    assert capsys.readouterr().out == f"{alone}: equal to the bit\n"


def test_optimised_noises_are_made_again(tmp_path):
    overrides = [*ONE, "optimizer=preview_cno"]
    overrides += [f"output_dir={tmp_path / 'outputs'}", f"results_dir={tmp_path / 'results'}"]
    run(compose(overrides), overrides=overrides)
    assert main([str(path) for path in tmp_path.glob("outputs/*/galleries/*/*.png")]) == 0


@pytest.mark.parametrize("steering", ["early_spread", "condition_noise"])
def test_a_steered_run_that_was_stopped_goes_on_to_the_same_bytes(tmp_path, steering):
    """And its images are made again, each from its file."""
    overrides = ["model.num_steps=2", f"steering={steering}", "workers.galleries_per_batch=2"]
    for folder, counts in (("stopped", (1, 3)), ("whole", (3,))):
        here = [f"output_dir={tmp_path / folder}", f"results_dir={tmp_path / 'results'}"]
        for count in counts:
            everything = [*overrides, *here, f"task.num_prompts={count}"]
            run(compose(everything), overrides=everything)
    stopped, whole = (
        {path.relative_to(tmp_path / folder): path.read_bytes()
         for path in (tmp_path / folder).glob("*/galleries/*/*.png")}
        for folder in ("stopped", "whole")
    )  # fmt: skip
    assert stopped == whole and len(whole) == 9
    together = steering == "early_spread"
    paths = sorted((tmp_path / "whole").glob("*/galleries/*/1.png"))
    assert image_metadata(paths[0]).get("whole_gallery", False) == together
    assert main([str(path) for path in paths]) == 0


def test_images_of_a_learned_coupling_are_made_again(tmp_path):
    """Its card may be gone: the image holds the matrix."""
    card = tmp_path / "card.safetensors"
    Card.begin(antithetic(4), {"within": None}).write(card)
    overrides = [*ONE, "task.gallery_size=4", "coupling=learned", f"coupling.card={card}"]
    overrides += [f"output_dir={tmp_path / 'outputs'}", f"results_dir={tmp_path / 'results'}"]
    run(compose(overrides), overrides=overrides)
    card.unlink()
    assert main([str(path) for path in tmp_path.glob("outputs/*/galleries/*/*.png")]) == 0


@pytest.mark.parametrize(
    "way", ["--config-dir", "a folder configs here", "allow=chain", "allow=other,chain"]
)
def test_an_image_of_a_law_of_ours_is_made_again_where_it_is_known(
    of_a_law_of_ours, tmp_path, monkeypatch, capsys, way
):
    image, folder = of_a_law_of_ours
    monkeypatch.chdir(tmp_path)
    words = [way] if way.startswith("allow=") else []
    if way == "--config-dir":
        words = [f"--config-dir={folder / 'configs'}"]
    if way == "a folder configs here":
        monkeypatch.chdir(folder)
    assert main([str(image), *words]) == 0
    assert capsys.readouterr().out == f"{image}: equal to the bit\n"


def test_a_law_in_a_folder_of_pythonpath_is_ours_for_an_image_in_its_cell(
    of_a_law_of_ours, tmp_path, monkeypatch, capsys
):
    image, folder = of_a_law_of_ours
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    assert main([str(image)]) == 0
    alone = shutil.copy(image, tmp_path / "alone.png")
    assert "not of this suite" in refused(alone, capsys=capsys)
    law = image_metadata(image)["coupling"] | {"_source_": "0" * 16}
    altered(image, image.with_name("9.png"), coupling=law)
    assert "not of this suite" in refused(image.with_name("9.png"), capsys=capsys)
    image.with_name("9.png").unlink()


def test_it_is_not_called_where_nobody_names_it(of_a_law_of_ours, tmp_path, monkeypatch, capsys):
    image, _ = of_a_law_of_ours
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "chain")
    for words in ([], ["allow=chai"], ["allow=chain.law"]):
        assert "names chain.chain, which is not of this" in refused(image, *words, capsys=capsys)
    assert "chain" not in sys.modules  # nor imported


def test_only_what_is_checked_is_imported_to_compare_its_source(of_a_law_of_ours, tmp_path, capsys):
    image, _ = of_a_law_of_ours
    hidden = {"_target_": "this.s", "_source_": "0" * 12}
    sys.modules.pop("this", None)
    assert main([altered(image, tmp_path / "x.png", extra=hidden), "allow=chain"]) == 0
    batch = image_metadata(image)["batch"] | {"extra": hidden}
    refused(altered(image, tmp_path / "y.png", batch=batch), "allow=chain", capsys=capsys)
    assert "this" not in sys.modules


def test_another_source_of_the_same_name_is_refused(of_a_law_of_ours, tmp_path, capsys):
    image, _ = of_a_law_of_ours
    coupling = image_metadata(image)["coupling"]
    assert coupling["_source_"]
    theirs = altered(image, tmp_path / "x.png", coupling=coupling | {"_source_": "0" * 12})
    assert "was made by another chain.py" in refused(theirs, "allow=chain", capsys=capsys)


def test_what_is_trusted_is_what_couplings_and_optimisers_are_named(tmp_path):
    (tmp_path / "coupling" / "mine").mkdir(parents=True)
    law = "_target_: chain.chain\nparts: [{_target_: parts.part}]\n"
    (tmp_path / "coupling" / "mine" / "law.yaml").write_text(law)
    trust = Trust.of([CONFIGS, tmp_path])
    for name in ("coupling.mask", "experiments.learning.learned", "chain.chain", "parts.part"):
        assert trust.covers(name)
    for name in ("experiments.tracking.WeightsAndBiases", "chain.Law", "chain", "os.system", ""):
        assert not trust.covers(name)


def test_a_door_is_known_by_the_file_behind_it(tmp_path):
    (tmp_path / "coupling").mkdir()
    (tmp_path / "coupling" / "file.yaml").write_text("_target_: metrics.diversity.vendi\n")
    trust = Trust.of([tmp_path])
    assert trust.covers("metrics.diversity.vendi") and not trust.covers("os.vendi")


def test_another_pixel_is_told_and_fails(images, tmp_path, capsys):
    changed = altered(images[0], tmp_path / "changed.png", pixel=4)
    assert main([changed]) == 1
    assert "1 of 12288 values differ, by at most 4 of 255 grey levels" in capsys.readouterr().out


def test_another_seed_makes_another_image(images, tmp_path):
    assert main([altered(images[0], tmp_path / "seed.png", seed=6)]) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coupling": {"_target_": "os.system", "command": "touch {}"}}, "not of this suite"),
        (
            {"coupling": {"_target_": "coupling.iid", "size": {"_target_": "os.getpid"}}},
            "not of this suite",
        ),
        ({"coupling": {"_target_": "coupling.matrix.torch.load", "f": "x"}}, "not of this suite"),
        ({"model": {"_target_": "os.system", "name": "tiny"}}, "not of this suite"),
        ({"model": {"_target_": "x", "name": "gone"}}, "gone"),
        ({"model": {"name": "tiny", "weights": "memory:0"}}, "by a pipeline in memory"),
        ({"model.guidance": {"_target_": "os.getpid"}}, "not of this suite"),
        ({"batch.execution": {"threads": 1, "_target_": "os.getpid"}}, "not of this suite"),
        ({"batch": {"members": [0], "galleries": 1, "execution": {"threads": "x"}}}, "x threads"),
        ({"batch": {"members": [0], "galleries": 1}}, "does not say its execution"),
    ],
)
def test_what_a_file_names_is_not_called_unless_it_is_ours(
    images, tmp_path, changes, message, capsys, monkeypatch
):
    made = image_metadata(images[0])
    for name in [name for name in changes if "." in name]:
        group, _, key = name.partition(".")
        changes = {group: made[group] | {key: changes[name]}}
    with monkeypatch.context() as patch:
        for name in ("system", "getpid"):
            patch.setattr(os, name, lambda *_, **__: pytest.fail("it was called"))
        theirs = altered(images[0], tmp_path / "theirs.png", **changes)
        assert message in refused(theirs, capsys=capsys)


def test_other_weights_are_refused(images, tmp_path, capsys):
    model = image_metadata(images[0])["model"] | {"weights": "sha256:0"}
    theirs = altered(images[0], tmp_path / "weights.png", model=model)
    assert "was made with other weights" in refused(theirs, capsys=capsys)


def test_where_weights_are_is_not_for_an_image_to_say(images, tmp_path):
    model = image_metadata(images[0])["model"] | {"source": "their/model", "revision": "main"}
    assert main([altered(images[0], tmp_path / "source.png", model=model)]) == 0


def test_a_file_that_is_no_image_of_ours_is_refused(tmp_path, capsys):
    (tmp_path / "text.png").write_text("no image")
    Image.new("RGB", (8, 8)).save(tmp_path / "theirs.jpg")
    for name, message in {
        "text.png": "cannot be read as an image",
        "theirs.jpg": "does not say how it was made",
        "gone.png": "cannot be read",
    }.items():
        assert message in refused(tmp_path / name, capsys=capsys)


def test_an_image_made_around_an_object_says_that_it_needs_its_picture(images, tmp_path, capsys):
    theirs = altered(images[0], tmp_path / "x.png", method={"coupling": {}})
    assert "made around the object of a picture, which it" in refused(theirs, capsys=capsys)


@pytest.mark.parametrize("words", [[], ["model.num_steps=2"], ["--gone", "x.png"]])
def test_words_without_an_image_end_in_usage(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m experiments.replay")
