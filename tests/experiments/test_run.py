"""The main job with the bundled model: what it leaves, does not do twice, and refuses."""

import json
import re
import subprocess
import sys
from pathlib import Path

import hydra
import numpy as np
import pytest

from coupling import antithetic
from experiments.compose import CONFIGS
from experiments.errors import UsageError
from experiments.galleries.gallery import image_metadata
from experiments.learning.card import Card
from experiments.models import StableDiffusion
from experiments.run import run
from experiments.tasks.prompts import captions

QUICK = ["model.num_steps=2", "workers.galleries_per_batch=2"]


@pytest.fixture
def start(tmp_path):
    """Runs the main job with the given overrides in this process."""

    def start(*overrides: str) -> None:
        here = [f"output_dir={tmp_path / 'outputs'}", f"results_dir={tmp_path / 'results'}"]
        everything = [*QUICK, *here, *overrides]
        with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
            run(hydra.compose("config", overrides=everything), overrides=everything)

    start.folder = tmp_path
    return start


def galleries(folder: Path) -> dict[str, list[str]]:
    """The image hashes of every committed gallery under a folder, by job."""
    return {
        row["job"]: row["images"]
        for manifest in folder.glob("outputs/*/manifest.jsonl")
        for row in map(json.loads, manifest.read_text().splitlines())
    }


def test_a_run_commits_and_scores_and_a_second_one_does_nothing(start, capsys, monkeypatch):
    start("task.num_prompts=3")
    first = galleries(start.folder)
    assert len(first) == 3
    assert len(list(start.folder.glob("outputs/*/galleries/*/*.png"))) == 9
    assert len(list(start.folder.glob("results/scores/*.jsonl"))) == 1

    monkeypatch.setattr(StableDiffusion, "load", lambda **_: pytest.fail("loads it"))
    capsys.readouterr()
    start("task.num_prompts=3")
    assert "3 galleries, nothing to generate" in capsys.readouterr().out
    assert galleries(start.folder) == first


def test_a_run_grows_and_keeps_what_it_has(start, capsys):
    start("task.num_prompts=3")
    first = galleries(start.folder)
    capsys.readouterr()
    start("task.num_prompts=5")
    assert "5 galleries, 2 to generate" in capsys.readouterr().out
    grown = galleries(start.folder)
    assert len(grown) == 5 and first.items() <= grown.items()


def test_a_gallery_grows_within_its_plan_and_keeps_its_images(start, capsys):
    """Two images of five planned, then all: the first are the same files, the rest is new."""
    plan = ["task.num_prompts=2", "coupling.size=5"]
    start(*plan, "task.gallery_size=2")
    two = galleries(start.folder)
    kept = {path: path.stat() for path in start.folder.glob("outputs/*/galleries/*/*.png")}
    assert len(kept) == 4
    start(*plan, "task.gallery_size=5")
    manifest = next(start.folder.glob("outputs/*/manifest.jsonl")).read_text().splitlines()
    assert [len(json.loads(row)["images"]) for row in manifest] == [2, 2, 5, 5]
    five = galleries(start.folder)
    assert {job: images[:2] for job, images in five.items()} == two
    assert {path: path.stat() for path in kept} == kept

    capsys.readouterr()
    start(*plan, "task.gallery_size=3")
    assert "2 galleries, nothing to generate" in capsys.readouterr().out
    assert galleries(start.folder) == five


def test_images_that_were_grown_are_those_of_the_whole_plan(start, tmp_path_factory):
    """As far as two shapes of a batch allow."""
    plan = ["task.num_prompts=1", "coupling.size=4"]
    start(*plan, "task.gallery_size=3")
    start(*plan, "task.gallery_size=4")
    other = tmp_path_factory.mktemp("other")
    start(*plan, "task.gallery_size=4", f"output_dir={other / 'outputs'}")
    for member in range(4):
        grown, at_once = (
            _pixels(next(folder.glob(f"outputs/*/galleries/*/{member}.png"))).astype(int)
            for folder in (start.folder, other)
        )
        assert abs(grown - at_once).max() <= 1


def test_images_do_not_depend_on_what_was_left_to_do(start, tmp_path_factory):
    """Three galleries at once, and one after another, have the same bytes."""
    start("task.num_prompts=3")
    at_once = galleries(start.folder)
    start.folder = other = tmp_path_factory.mktemp("other")
    here = [f"output_dir={other / 'outputs'}", f"results_dir={other / 'results'}"]
    for count in (1, 2, 3):
        start(f"task.num_prompts={count}", *here)
    assert galleries(other) == at_once


def test_a_gallery_of_one_image_is_scored_without_pairs(start, capsys):
    start("task.num_prompts=1", "task.gallery_size=1", "coupling=iid")
    printed = capsys.readouterr().out
    assert "Galleries of 1 are scored without l2, mss: they compare images." in printed
    (scores,) = start.folder.glob("results/scores/*.jsonl")
    rows = [json.loads(line) for line in scores.read_text().splitlines()]
    assert {row["metric"] for row in rows} == {"vendi", "clip"}


def test_methods_share_their_base_noises(start):
    """At rho = 0 the equicorrelated coupling is the iid one, in another cell."""
    start("task.num_prompts=1", "coupling=iid")
    start("task.num_prompts=1", "coupling=equicorrelated", "coupling.rho=0")
    paths = start.folder.glob("outputs/*/galleries/*/0.png")
    np.testing.assert_array_equal(*(_pixels(path) for path in paths))


def _pixels(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image)


def test_an_image_says_how_it_was_made(start):
    start("task.num_prompts=1", "seed=11")
    path = next(start.folder.glob("outputs/*/galleries/*/2.png"))
    metadata = image_metadata(path)
    assert metadata["member"] == 2 and metadata["seed"] == 11
    assert metadata["model"]["weights"].startswith("sha256:")
    assert metadata["coupling"] == {"_target_": "coupling.repulsive", "size": 3}
    assert metadata["job"]["prompt"].startswith("a ")


def test_the_table_of_a_small_run(start, capsys):
    start("experiment=demo", "task.num_prompts=6")
    folder = start.folder / "results" / "demo"
    document = json.loads((folder / "tiny.json").read_text())
    assert {cell["row"] for cell in document["cells"]} == {"iid", "coupled"}
    assert {cell["n"] for cell in document["cells"]} == {6}
    made_by = document["made_by"]["cells"]["coupled"]
    assert made_by["median_seconds_per_gallery"]["denoise"] > 0
    assert 0 < made_by["coupling_share"] < 1
    for name in ("tiny.csv", "tiny.md", "tiny.tex", "tiny-galleries.png", "tiny-effects.png"):
        assert (folder / name).stat().st_size > 0
    said = capsys.readouterr().out.splitlines()
    finding = "Repulsive noises (coupled) against independent noises (iid). "
    (first,) = (k for k, line in enumerate(said) if line.startswith(finding))
    after = said[first - 1 :]  # that line is empty, and before it are the bars
    assert after[0] == "" and len(after) <= 15
    assert not any("|" in line or "<" in line.replace(" < ", "") for line in after)
    assert after[-1].endswith((folder / "tiny.html").as_uri())


def test_galleries_are_found_by_their_prompts(start):
    start("task.num_prompts=3")
    (cell,) = start.folder.glob("outputs/tiny-*")
    text = (cell / "galleries.html").read_text(encoding="utf-8")
    entries = [json.loads(line) for line in (cell / "manifest.jsonl").open()]
    assert re.findall("<h3>(.*?)</h3>", text) == sorted(entry["prompt"] for entry in entries)
    images = re.findall('<a href="(galleries/.*?)"', text)
    assert len(images) == 9 and all((cell / image).is_file() for image in images)


def test_an_optimiser_makes_a_cell_of_its_own(start):
    start("task.num_prompts=1", "optimizer=preview_cno")
    (cell,) = start.folder.glob("outputs/*")
    assert cell.name.startswith("tiny-repulsive-preview-")
    row = json.loads((cell / "manifest.jsonl").read_text())
    assert len(row["loss"]) == 4 and row["passes"]["forward"] == 18


def test_a_kept_gallery_is_scored_in_place_of_the_whole(start, capsys):
    start("task.num_prompts=2", "task.gallery_size=4")
    start("task.num_prompts=2", "task.gallery_size=4", "task.keep=2")
    assert "nothing to generate" in capsys.readouterr().out
    names = sorted(path.name for path in start.folder.glob("results/scores/*.jsonl"))
    assert len(names) == 2 and "-best2" in names[0]
    whole, kept = (
        {
            (line["job"], line["metric"]): line["value"]
            for line in map(json.loads, (start.folder / "results/scores" / name).open())
        }
        for name in reversed(names)
    )
    assert all(kept[key] > whole[key] for key in whole if key[1] == "l2")


@pytest.mark.walks
def test_table_7_applies_a_card_to_prompts_that_it_was_not_learned_from(start):
    card = start.folder / "results" / "learn" / "cards" / "tiny-brightness.safetensors"
    card.parent.mkdir(parents=True)
    Card.begin(antithetic(4), {"within": None}).write(card)
    start("experiment=table7", "task.num_prompts=2", "scale.learning=5")
    document = json.loads((start.folder / "results" / "table7" / "tiny.json").read_text())
    assert [cell["metric"] for cell in document["cells"][:3]] == ["gap", "contrast", "margin"]
    assert {cell["row"] for cell in document["cells"]} == {"iid", "equicorrelated", "learned"}
    manifests = start.folder.glob("outputs/*/manifest.jsonl")
    prompts = {json.loads(line)["prompt"] for m in manifests for line in m.read_text().splitlines()}
    assert prompts == set(captions(7, seed=0)[5:])


@pytest.mark.walks
def test_foreign_galleries_get_a_row_in_a_table(start):
    """Our own images, copied out as bare files, score as they do in the store."""
    start("experiment=demo", "task.num_prompts=3")
    before = json.loads((start.folder / "results" / "demo" / "tiny.json").read_text())
    theirs = start.folder / "theirs"
    theirs.mkdir()
    cell = next(start.folder.glob("outputs/tiny-iid-*"))
    manifest = map(json.loads, (cell / "manifest.jsonl").read_text().splitlines())
    for order, row in enumerate(manifest):
        for member in range(3):
            image = (cell / "galleries" / row["job"] / f"{member}.png").read_bytes()
            (theirs / f"{3 * order + member}.png").write_bytes(image)
    start("experiment=demo", "task.num_prompts=3", f"+table.foreign.theirs={theirs}")
    results = start.folder / "results" / "demo"
    assert json.loads((results / "tiny.json").read_text()) == before  # its rows are others
    after = json.loads((results / "tiny-n3.json").read_text())
    means = {
        label: [cell["mean"] for cell in document["cells"] if cell["row"] == label]
        for document, label in ((before, "iid"), (after, "theirs"))
    }
    assert means["theirs"] == means["iid"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["coupling=equicorrelated", "coupling.rho=-0.9"], r"outside \[-0\.5, 1\]"),
        (["coupling=antithetic"], "K = 3 is odd"),
        (["optimizer=preview", "optimizer.candidates=2"], "optimizer: candidates = 2"),
        (["task.gallery_size=1"], "K = 1"),
        (["coupling=matrix", "coupling.matrix=[[1,0],[0.6,0.8]]"], "couples 2 noises, but"),
        (["coupling.size=5", "optimizer=cno"], "optimizer: 3 of 5 noises"),
        (["coupling=correlation"], "coupling.correlation"),
        (["task.num_prompts=0"], "task.num_prompts = 0 must be at least 1"),
        (["coupling=learned", "coupling.card=gone"], "card gone does not exist"),
        (["prompts=file", "prompts.path=gone.txt"], r"gone\.txt does not exist"),
        (["coupling=low_frequency", "coupling.projection.shape=[9,9]"], r"\(9, 9\)"),
    ],
)
def test_a_mistake_is_named_in_one_line_and_nothing_is_written(start, overrides, message):
    with pytest.raises(UsageError, match=message) as caught:
        start(*overrides)
    assert "\n" not in str(caught.value)
    assert not list(start.folder.glob("outputs/*/galleries"))


def test_the_command_line_ends_with_one_line_and_no_traceback(tmp_path):
    command = [sys.executable, "-m", "experiments.run", f"output_dir={tmp_path}"]
    overrides = ["coupling=equicorrelated", "coupling.rho=-0.9"]
    done = subprocess.run([*command, *overrides], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == (
        "error: coupling: rho = -0.9 is outside [-0.5, 1], the valid range at K = 3\n"
    )
