"""A mistake in a setting is told in one line, by its key, before anything is loaded or written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.compose import compose, plain, require_kinds, rows_of
from experiments.errors import UsageError
from experiments.inputs.settings import require_writable

ROOT = Path(__file__).parents[3]

WITHOUT_TORCH = """
import runpy, sys
try:
    runpy.run_module("experiments.run", run_name="__main__", alter_sys=True)
finally:
    print("torch" in sys.modules)
"""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["task.num_prompts=lots"], "task.num_prompts=lots is no whole number"),
        (["task.num_prompts=0"], "task.num_prompts = 0 must be at least 1"),
        (["seed=1.5"], "seed=1.5 is no whole number"),
        (["seed=true"], "seed=True is no whole number"),
        (["seed=null"], "seed=null is no whole number"),
        (["task.keep=2.5"], "task.keep=2.5 is no whole number"),
        (["model.guidance=high"], "model.guidance=high is no number"),
        (["model.guidance=inf"], "model.guidance=inf must be finite"),
        (["coupling=equicorrelated", "coupling.rho=-1/3"], "write coupling.rho=-0.333333333333333"),
        (["workers.lanes=some"], "workers.lanes=some is no whole number"),
        (["plan=perhaps"], "write plan=true or plan=false"),
        (["output_dir=7"], "quote it for Hydra, too: \"output_dir='7'\""),
        (["metrics.scores=l2"], "metrics.scores=l2 must be a group of settings"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_its_key(words, message):
    with pytest.raises(UsageError) as refused:
        require_kinds(compose(words), words)
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_values_of_their_kind_are_taken():
    words = [
        "seed=-1", "task.num_prompts=null", "task.keep=2", "model.guidance=3", "workers.lanes=auto",
        "coupling=equicorrelated", "coupling.rho=-0.1", "output_dir=out", "+model.other=x",
        "report.galleries=null", "experiment=table1", "model.revision=main",
    ]  # fmt: skip
    config = compose(words)
    require_kinds(config, words)
    assert (config.seed, config.task.keep, config.coupling.rho) == (-1, 2, -0.1)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("task.num_prompt=3", "no setting task.num_prompt; did you mean task.num_prompts?"),
        ("couplin=iid", "there is no setting couplin; did you mean coupling?"),
        ("coupling=repulsiv", "there is no coupling=repulsiv; did you mean repulsive?"),
        ("coupling=zzz", "there is no coupling=zzz; there are antithetic, correlation,"),
        ("+seed=1", "seed is there already: write seed=... without the +"),
        ("seed", "'seed' is no setting: write key=value"),
        ("output_dir=/tmp/é", "write \"output_dir='/tmp/é'\""),
        ("output_dir=a,b", "write \"output_dir='a,b'\"; with -m"),
        ("output_dir={a}", "write \"output_dir='{a}'\""),
        ("output_dir=it's", "that need quotes, for Hydra and the shell: write 'output_dir="),
        ("model=null", "Config group override must be a string"),
        ("seed=${gone}", "Interpolation key 'gone' not found"),
    ],
)  # fmt: skip
def test_what_hydra_cannot_read_is_told_with_its_remedy(word, told):
    with pytest.raises(UsageError) as refused:
        plain(compose([word]))
    assert told in str(refused.value) and "\n" not in str(refused.value)


def test_a_folder_may_be_called_anything():
    for path in ("/tmp/it's {mine}, é", "back\\slash\\", "a${b}c"):
        words = ["experiment=demo", "task.num_prompts=1"]
        config = compose(words)
        config.table.foreign = {"theirs": path.replace("${", "\\${")}
        assert rows_of(config, words)["theirs"].task.path == path


def test_a_folder_that_cannot_be_written_is_refused_and_none_is_left(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "x", Path("/proc/x"), Path("a\0b")):
        with pytest.raises(UsageError, match="output_dir="):
            require_writable("output_dir", path)
    require_writable("output_dir", tmp_path / "new" / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "words",
    [
        ["task.num_prompt=3"],
        ["seed=1.5"],
        ["output_dir=/proc/x"],
        ["prompts=file", "prompts.path=gone.txt"],
        ["prompts=file", "prompts.path=three.txt", "task.num_prompts=4"],
        ["coupling=gone"],
    ],
)
def test_a_mistake_is_one_line_before_torch_is_imported(tmp_path, words):
    (tmp_path / "three.txt").write_text("a\nb\nc\n")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and done.stdout == "False\n"
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["three.txt"]
