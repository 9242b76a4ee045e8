"""Every command, setting and link of the README and of docs/ is one that works.

A command is run in a small form in a reader's folder. One for a large model, a table, many workers
or a service is composed: its settings exist. A target of make is expanded, and what it would run is
composed. ELSEWHERE holds the few that can be neither, and why. What is in none of these fails.
"""

import ast
import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache, wraps
from inspect import signature
from pathlib import PurePath

import diffusers
import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from experiments.compose import BUNDLED, CONFIGS, Config, compose
from tests.reader import FILES, ROOT, Reader

PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"(python|make|pip|hf|wandb|git) ")
SETTINGS = re.compile(r"([a-z_/][a-z_./0-9]*=\S+ ?)+")
OWN = {f"{path.parent.name}={path.stem}" for path in map(PurePath, FILES) if path.suffix == ".yaml"}
SWEEP = (
    "python -m experiments.run -m coupling=iid,repulsive optimizer=none,cno hydra/launcher=slurm"
)

BOOKS = (
    "python -m experiments.compare results theirs/results",
    "python -m experiments.compare 'HEAD~1' HEAD",
    "python -m experiments.book export mine",
    "python -m experiments.book merge mine --folder all",
)
STUDY = "python -m experiments.study results/table1/tiny.json --rows iid coupled --out study.html"

COMPOSED = {"experiments.run": "config", "experiments.learn": "learn"}
"""The commands that take a whole configuration, and its name."""

ELSEWHERE = {
    ". .venv/bin/activate": "the tests run in that environment",
    "hf download": "the hub",
    "pip install .": "a package index; the wheel has its own test",
    "pip install '.[suite]'": "a package index; the wheel has its own test",
    "pip install '.[ray]'": "a package index; the wheel has its own test",
    "pip install '.[slurm]'": "a package index; the wheel has its own test",
    "python -m scripts.scaling": "a million galleries; tests/experiments/bench measures forty",
    "python scripts/prepare_coco.py": "the network; tests/scripts runs it on an archive",
    "python scripts/prepare_lsun.py --size 512": "the network; tests/scripts runs it on an archive",
    "python scripts/prepare_prompts.py parti": "the network; tests/scripts runs it on stand-ins",
    STUDY: "the galleries of a table; tests/browser answers such a page",
    "python -m experiments.study 'answers/*.jsonl'": "people; tests/experiments/people has answers",
    "wandb sync 'outputs/wandb/offline-run-*'": "the service",
    "wandb sweep configs/wandb-sweep.yaml": "the service; tests/experiments/tracking plans it",
    BOOKS[0]: "another machine's results; tests/experiments/report compares two folders",
    BOOKS[1]: "a repository with results; tests/experiments/report has one",
    BOOKS[2]: "results of tables; tests/experiments/report exports some",
    BOOKS[3]: "an exported book; tests/experiments/report merges some",
    SWEEP: "Slurm; tests/experiments/test_slurm.py runs it with submitit's local executor",
}
"""Commands that cannot run here, and why."""


def spans(text: str) -> list[str]:
    """What stands in code within the lines of a page."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", FENCE.sub("", text))]


def commands(text: str) -> Iterator[str]:
    """The commands of a page, without comments, as `shlex.split` reads them."""
    for language, block in FENCE.findall(text):
        if language == "sh":
            yield from filter(None, block.splitlines())
    yield from (span for span in spans(text) if COMMAND.match(span))


LINES = sorted(
    {
        shlex.join(shlex.split(line, comments=True))
        for page in PAGES.values()
        for line in commands(page)
    }
)
TARGETS = [line for line in LINES if line.startswith("make ")]
TYPED = [line for line in LINES if line not in (*TARGETS, *ELSEWHERE)]


@pytest.fixture(scope="module")
def reader(tmp_path_factory) -> Reader:
    """A reader who has prompts, other people's galleries and two cells of their own."""
    reader = Reader(tmp_path_factory.mktemp("reader"))
    (reader.folder / "mine.txt").write_text("a bedroom\na red bed\n", encoding="utf-8")
    for name in ("1", "2"):
        (reader.folder / "theirs" / name).mkdir(parents=True)
        for member in range(3):
            pixels = np.random.default_rng(member).integers(256, size=(64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(reader.folder / "theirs" / name / f"{member}.png")
    for law in ("repulsive", "chain"):
        run([f"coupling={law}"], reader)
    return reader


@cache
def composed(overrides: tuple[str, ...], reader: Reader, name: str = "config") -> Config:
    """The configuration that a command's overrides make, in a checkout with the reader's files."""
    own = f"hydra.searchpath=[file://{reader.folder / 'configs'}]"
    return compose([own, *(text for text in overrides if not text.startswith("-"))], name=name)


def run(overrides: Sequence[str], reader: Reader) -> None:
    """Runs the main job, in a checkout with the reader's files: two jobs, two steps."""
    kept = [text for text in overrides if not text.startswith("task.num_")]
    less = ["task.num_prompts=2", "model.num_steps=2"]
    if "task=objects" in overrides:
        less = ["task.num_pictures=2", "model.num_steps=2", "objects.checkpoints=[2]"]
    if not any(text.startswith("workers") for text in overrides):
        less += ["workers.galleries_per_batch=2"]
    own = f"--config-dir={reader.folder / 'configs'}"
    reader.python("-m", "experiments.run", own, *kept, *less)


def is_small(overrides: Sequence[str], config: Config) -> bool:
    """Whether a command of the main job takes seconds in its small form, and nothing from outside.

    What is made of the reader's own files, tests/test_extending.py runs.
    """
    here = config.workers._target_.endswith("LocalWorkers") and not config.tracking
    bundled = config.model.image_size <= 64
    return here and bundled and config.table is None and not OWN & set(overrides)


def filled(word: str, words: list[str], reader: Reader) -> str:
    """A word of a command, with a reader's own file where the page has a placeholder."""
    if word.startswith("outputs/CELL/"):
        law = "chain" if "allow=chain" in words else "repulsive"
        return str(next(reader.folder.glob(f"outputs/tiny-{law}-*/galleries/*/2.png")))
    return re.sub(r"(?<==)(FOLDER|DIR|/where/they/are)$", str(BUNDLED / "pipeline"), word)


@pytest.mark.parametrize("line", TYPED)
def test_a_command_does_what_it_says(line, reader):
    typed = shlex.split(line)
    python, _, module, *arguments = (filled(word, typed, reader) for word in typed)
    assert python == "python"
    if module != "experiments.run":
        reader.python("-m", module, *arguments)
    elif is_small(arguments, composed(tuple(arguments), reader)):
        run(arguments, reader)


@pytest.mark.parametrize("line", TARGETS)
def test_a_target_of_make_expands_to_what_composes(line, reader):
    expand = ["make", "--dry-run", "--always-make", "--no-print-directory", *shlex.split(line)[1:]]
    done = subprocess.run(expand, cwd=ROOT, capture_output=True, text=True, check=True)
    for command in re.split(r"\n|&&", done.stdout):
        words = shlex.split(command)
        match words[1:]:
            case ["-m", module, *overrides] if module in COMPOSED:
                composed(tuple(overrides), reader, COMPOSED[module])
            case [program, *_] if program.startswith("scripts/"):
                assert (ROOT / program).is_file()


def test_what_cannot_run_here_is_still_on_a_page_and_its_script_in_the_tree():
    assert set(ELSEWHERE) <= set(LINES)
    for line in ELSEWHERE:
        assert all((ROOT / name).is_file() for name in re.findall(r"scripts/\S+", line))


BASES = (
    (), ("model=sd3",), ("model=any",), ("optimizer=cno_release",), ("workers=ray",),
    ("tracking=wandb",), ("task=folder",), ("task=objects", "method=refined"),
    ("experiment=beyond",), ("steering=early_spread",),
)  # fmt: skip
"""What a setting may be a setting of."""


@pytest.mark.parametrize(
    "setting",
    sorted({span for page in PAGES.values() for span in spans(page) if SETTINGS.fullmatch(span)}),
)
def test_a_setting_exists(setting, reader):
    if setting.endswith("="):  # a group, to choose from
        assert (CONFIGS / setting.removesuffix("=")).is_dir()
        return
    words = tuple(filled(word, [], reader) for word in setting.split())
    keys = [word.partition("=")[0].lstrip("+~") for word in words]
    base = next((base for base in BASES if all(knows(base, key, reader) for key in keys)), ())
    composed((*base, *words), reader)


def knows(base: tuple[str, ...], key: str, reader: Reader) -> bool:
    """Whether there is such a group, or such a setting in a configuration."""
    parent, _, name = key.rpartition(".")
    config = composed(base, reader)
    within = OmegaConf.select(config, parent) if parent else config
    return (CONFIGS / key).is_dir() or (OmegaConf.is_dict(within) and name in set(within))


class StableDiffusionPipeline(diffusers.StableDiffusionPipeline):
    """The bundled pipeline, at one step if none are asked for; pages write `pipe`."""

    @wraps(diffusers.StableDiffusionPipeline.__call__)
    def __call__(self, *args, **settings):
        return super().__call__(*args, num_inference_steps=1, output_type="pt", **settings)


CALL = signature(diffusers.StableDiffusionPipeline.__call__)
ONE_STEP = CALL.parameters["num_inference_steps"].replace(default=1)
StableDiffusionPipeline.__call__.__signature__ = CALL.replace(
    parameters=[{**CALL.parameters, "num_inference_steps": ONE_STEP}[n] for n in CALL.parameters]
)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A folder to work in, and batches of few galleries."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("experiments.workers.worker.ON_CPU", 2)


@pytest.mark.parametrize("page", PAGES)
def test_python_runs_as_it_stands(page, small):
    pipe = StableDiffusionPipeline.from_pretrained(BUNDLED / "pipeline")
    names = {"pipe": pipe, "prompt": "a bedroom"}
    for language, block in FENCE.findall(PAGES[page]):
        if language == "python" and block not in FILES.values():
            exec(compile(block, page, "exec"), names)
    if page == "README.md":
        assert names["images"].shape == (4, 3, 64, 64)
        assert set(names["tests"].row) == {"repulsive"} and names["page"].is_file()
        assert len(names["scores"]) == 1


@pytest.mark.walks
def test_the_notebook_runs_as_it_stands(small):
    """At one step; what a cell ends in is shown, as a notebook shows it."""
    cells = json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    names, shown = {}, []
    for text in ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"):
        *body, last = ast.parse(
            text.replace("num_inference_steps=20", "num_inference_steps=1")
        ).body
        exec(compile(ast.Module(body, []), "notebook", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "notebook", "eval"), names)
            if value is not None:
                shown.append(value._repr_html_() if hasattr(value, "_repr_html_") else repr(value))
        else:
            exec(compile(ast.Module([last], []), "notebook", "exec"), names)
    assert shown[0].startswith("[iid(K=4, rho=0)") and "Figure: effects" in shown[4]
    assert names["result"].page.is_file() and set(names["result"].tests.row) == {
        "repulsive",
        "variations",
    }


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_its_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", FENCE.sub("", PAGES[page])):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.resolve().is_relative_to(ROOT) and file.exists(), target
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), target


def test_every_page_is_reached_from_the_readme():
    linked = re.findall(r"\]\((docs/[^)#]+\.md)", PAGES["README.md"])
    assert set(PAGES) - {"README.md"} == set(linked)
