"""The tables of fixed objects through the main job, with the bundled models."""

import json

import pytest
from PIL import Image

from experiments.compose import compose
from experiments.errors import UsageError
from experiments.run import run
from experiments.tasks.scenes import rendered

QUICK = ["model.num_steps=5", "workers.galleries_per_batch=2"]


@pytest.fixture
def start(tmp_path):
    def start(*overrides: str) -> None:
        here = [f"output_dir={tmp_path / 'outputs'}", f"results_dir={tmp_path / 'results'}"]
        everything = [*QUICK, *overrides, *here]
        run(compose(everything), overrides=everything)

    start.folder = tmp_path
    return start


@pytest.mark.walks
def test_table_2_and_its_pictures(start, capsys):
    start("experiment=table2", "task.num_pictures=2", "objects.checkpoints=[10]")
    folder = start.folder / "results" / "table2"
    document = json.loads((folder / "tiny.json").read_text())
    cells = {(cell["row"], cell["metric"]): cell for cell in document["cells"]}
    assert {cell["n"] for cell in cells.values()} == {2}
    assert cells["DDIM inversion", "lpips_b"]["mean"] == cells["SDEdit", "rmse_f"]["mean"] == 0
    before = cells["object inversion, repulsive", "rmse_f"]["mean"]
    assert cells["coupled", "rmse_f"]["mean"] < before
    assert not any(row == "SD inpainting" for row, _ in cells)  # the bundled model has none
    assert "Masks of the objects: exact, from the renderer." in (folder / "tiny.md").read_text()
    assert "Masks of the objects: exact" in capsys.readouterr().out
    for name in ("board", "effects", "inversion"):
        assert (folder / f"tiny-{name}.png").stat().st_size > 0


def test_every_checkpoint_of_a_run_is_scored_on_its_own_and_nothing_is_made_twice(start, capsys):
    cell = ["experiment=objects", "table=null", "method=refined", "objects.checkpoints=[1,3]",
            "task.num_pictures=2"]  # fmt: skip
    start(*cell, "task.checkpoint=1")
    capsys.readouterr()
    start(*cell)
    assert "2 galleries, nothing to generate" in capsys.readouterr().out
    early, late = (
        {line["job"]: line["value"] for line in lines if line["metric"] == "rmse_f"}
        for lines in (
            [json.loads(line) for line in path.read_text().splitlines()]
            for path in sorted((start.folder / "results" / "scores").glob("*.jsonl"))
        )
    )
    assert early.keys() == late.keys() and all(late[job] < early[job] for job in early)
    (manifest,) = start.folder.glob("outputs/*/manifest.jsonl")
    assert {len(json.loads(row)["images"]) for row in manifest.read_text().splitlines()} == {6}


def test_pictures_of_a_folder_that_cannot_be_used_are_named_and_the_others_are_made(start, capsys):
    folder, rows = start.folder / "lsun", []
    folder.mkdir()
    for scene in rendered(3, seed=0, image_size=32, prompt="a bedroom"):
        row = {"id": scene.id, "image": f"{scene.id}.png", "mask": f"{scene.id}-mask.png"}
        Image.fromarray(scene.image).save(folder / row["image"])
        Image.fromarray(scene.mask & (scene.id != "scene-0-1")).save(folder / row["mask"])
        rows.append(row)
    segmenter = {"segmenter": "mask_rcnn", "implementation": "torchvision 1"}
    card = {"segmenter": segmenter, "images": rows, "failures": ["bedless"]}
    (folder / "card.json").write_text(json.dumps(card))
    pictures = ["objects=ddpm_bedroom", f"objects.source.path={folder}", "task.num_pictures=4"]
    start("experiment=objects", "table=null", "method=sdedit", "model=tiny_ddpm", *pictures)
    said = capsys.readouterr().out.splitlines()[1:]
    assert said[0] == "Masks of the objects: mask_rcnn, torchvision 1."
    assert said[1].startswith("Left out: scene-0-1: its mask is empty")
    assert said[2] == "Left out: bedless: mask_rcnn, torchvision 1 found no object."
    assert said[3] == "repulsive: 2 galleries, 2 to generate"


OBJECTS = "task=objects"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([OBJECTS], "task=objects needs a method"),
        (["method=refined"], "so it needs task=objects"),
        (["experiment=table2", "task.gallery_size=1"], "K = 1"),
        ([OBJECTS, "method=blending", "task.checkpoint=3"], "Blending has none"),
        ([OBJECTS, "method=refined", "task.checkpoint=3"], r"3 is none of method\.checkpoints"),
        ([OBJECTS, "method=sdedit", "coupling.size=5"], "couples 5 noises, but"),
        ([OBJECTS, "method=inversion", "task.threshold=0"], "threshold = 0"),
        (["experiment=table2", "model=sd15", "objects.source.path=gone"], "scripts/prepare_lsun"),
        ([OBJECTS, "method=inpainting", "model.guidance=1"], "set model=sd15_inpaint"),
    ],
)
def test_a_mistake_is_named_in_one_line_and_nothing_is_made(start, overrides, message):
    with pytest.raises(UsageError, match=message) as caught:
        start(*overrides)
    assert "\n" not in str(caught.value)
    assert not list(start.folder.glob("outputs/*/manifest.jsonl"))
