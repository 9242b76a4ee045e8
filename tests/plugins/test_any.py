"""`model=any`: a pipeline in a folder fills tables, resumes, replays, and refuses in one line."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import coupling
from coupling import iid, repulsive
from experiments import evaluate
from experiments.compose import compose
from experiments.errors import UsageError
from experiments.learn import run as learn
from experiments.models import Pipeline
from experiments.replay import replay
from experiments.run import run
from experiments.tasks.job import jobs_of
from tests.experiments.models.conftest import SD_SCHEDULE
from tests.plugins.cases import CASES, new

SMALL = [
    "model=any",
    "model.image_size=16",
    "model.num_steps=2",
    "model.dtype=float32",
    "model.device=cpu",
    "metrics=tiny",
    "prompts=captions",
    "cno.window=4",
    "task.num_prompts=2",
    "workers.galleries_per_batch=2",
    "report.galleries=1",
]
TABLE = ["experiment=table1", "table.figures=null", "model.call={max_sequence_length: 16}"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Where the small pipelines lie: a packed one, one that is not, and one without weights."""
    found = {}
    for name in ("flux", "sd3"):
        found[name] = tmp_path_factory.mktemp(name) / name
        new(CASES[name].build).save_pretrained(found[name])
    return found


def overrides(folder, place, *words: str) -> list[str]:
    here = [f"output_dir={place / 'outputs'}", f"results_dir={place / 'results'}"]
    return [*SMALL, f"model.source={folder}", *here, *words]


@pytest.mark.walks
@pytest.mark.parametrize("name", ["flux", "sd3"])
def test_table_1(name, folders, tmp_path, capsys, monkeypatch):
    words = overrides(folders[name], tmp_path, *TABLE)
    run(compose(words), overrides=words)
    table = json.loads(next(tmp_path.glob("results/table1/any*.json")).read_text())
    assert list(tmp_path.glob("results/table1/any*.html"))
    text = json.dumps(table)
    assert all(row in text for row in ("iid+cno", "coupled+cno"))
    images = sorted(tmp_path.glob("outputs/*/galleries/*/*.png"))
    assert len(images) == 4 * 2 * 3

    model = json.loads(next(tmp_path.glob("outputs/*/cell.json")).read_text())["model"]
    assert model["call"] == {"max_sequence_length": 16} and "offload" not in model
    for _, difference in replay(
        [images[0], images[-1]], overrides=[f"model.source={folders[name]}"]
    ):
        assert not difference.any()

    lost = images[0].parent  # a gallery that was not committed is made again, and no other
    manifest = lost.parents[1] / "manifest.jsonl"
    kept = [line for line in manifest.read_text().splitlines() if lost.name not in line]
    manifest.write_text("".join(f"{line}\n" for line in kept))
    before = {path: path.read_bytes() for path in images}
    shutil.rmtree(lost)
    made, own = [], Pipeline.images
    monkeypatch.setattr(Pipeline, "images", lambda *a, **k: made.append(len(a[1])) or own(*a, **k))
    run(compose(words), overrides=words)
    assert made == [2]  # a batch: the gallery and its copy
    assert {path: path.read_bytes() for path in images} == before


def test_in_memory_it_makes_what_it_makes_when_called(tmp_path):
    pipe, law = new(CASES["flux"].build), repulsive(2)
    call = {**CASES["flux"].call, "num_inference_steps": 2}
    rows = {"iid": iid(2), "repulsive": law}
    result = evaluate(pipe, ["a bed", "a cot"], rows=rows, metrics="tiny", folder=tmp_path, **call)
    assert set(result.tests["row"]) == {"repulsive"} and result.page.is_file()
    for job in jobs_of(["a bed", "a cot"]):
        latents = coupling.diffusers.latents(pipe, job.prompt, law, seed=0, jobs=[job.id], **call)
        images = pipe(
            job.prompt, num_images_per_prompt=2, latents=latents, output_type="np", **call
        )[0]
        for member, image in enumerate(images):
            (file,) = tmp_path.glob(f"outputs/*repulsive*/galleries/{job.id}/{member}.png")
            assert abs(np.asarray(Image.open(file)) - 255.0 * image).max() <= 0.5 + 1e-3


REFUSED = {
    "no source": (["model.source=???"], "Missing mandatory value: source"),
    "no folder": (["model.source=/nowhere/at/all"], "is no folder here and no hub repository"),
    "argument": (
        ["model.call={guidance: 3}"],
        "takes no such argument; did you mean guidance_scale",
    ),
    "ours": (["model.call={generator: 3}"], "is for the suite to say"),
    "draws": (["model.draws=some"], "must be one of start, all"),
    "offload": (["model.offload=all"], "must be one of none, model, sequential"),
    "release": (["optimizer=cno_release"], "is a black box, without a gradient"),
    "inversion": (["experiment=table2"], "a pipeline is a black box"),
    "piped": (["method=piped", "model=tiny"], "method=piped is for any pipeline"),
    "guidance": (["+model.guidance=3"], "state it as the pipeline calls it, in model.call"),
    "coupled": (["method=coupled"], "a pipeline is a black box"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("start", [["plan=true"], []], ids=["plan", "run"])
def test_what_it_cannot_do_is_refused_before_weights_are_read(
    start, name, folders, tmp_path, monkeypatch
):
    words, message = REFUSED[name]
    words = overrides(folders["flux"], tmp_path, *start, *words)
    monkeypatch.setattr("experiments.models.pipeline.loaded", lambda *_, **__: pytest.fail("read"))
    if "experiment=table2" in words:
        words.remove("task.num_prompts=2")
    if "model=tiny" in words:
        words.remove("model=any")
        words = [word for word in words if not word.startswith("model.")]
    with pytest.raises(UsageError, match=message) as refusal:
        run(compose(words), overrides=words)
    assert "\n" not in str(refusal.value)
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("model_index.json", {"_class_name": "FluxMagicPipeline"}, "which diffusers .* has not"),
        ("model_index.json", {"_class_name": ["code", "Mine"]}, "code of a repository is not run"),
        ("model_index.json", {"_class_name": "DDIMPipeline"}, "makes no images of a prompt"),
        (
            "scheduler/scheduler_config.json",
            {"_class_name": "LCMScheduler", **SD_SCHEDULE, "use_dynamic_shifting": False},
            "the first step of LCMScheduler is random.*leave out a table's rows",
        ),
    ],
)
def test_what_a_folder_says_is_held_against_what_is_asked(part, change, message, folders, tmp_path):
    folder = tmp_path / "changed"
    shutil.copytree(folders["flux"], folder)
    settings = json.loads((folder / part).read_text())
    (folder / part).write_text(json.dumps(settings | change))
    words = overrides(folder, tmp_path, "plan=true", "optimizer=cno")
    with pytest.raises(UsageError, match=message) as refusal:
        run(compose(words), overrides=words)
    assert "\n" not in str(refusal.value)


def test_pickles_are_not_opened(folders, tmp_path):
    folder = tmp_path / "pickled"
    shutil.copytree(folders["flux"], folder)
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    words = overrides(folder, tmp_path)
    with pytest.raises(UsageError, match="pickled weights"):
        run(compose(words), overrides=words)


def test_nothing_is_learned_through_it(folders, tmp_path):
    words = overrides(folders["flux"], tmp_path, "reward=ssim", "plan=true")
    words = [w for w in words if not w.startswith(("metrics", "cno", "workers", "report"))]
    with pytest.raises(UsageError, match="black box"):
        learn(compose(words, name="learn"), overrides=words)
