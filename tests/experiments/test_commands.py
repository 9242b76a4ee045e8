"""Every command says how it is used, at once, and takes no word that it does not know."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import verify

ROOT = Path(__file__).parents[2]
OPTIONS = ("book", "verify", "redraw", "report", "study", "table3", "doctor")
WORDS = ("compare", "run", "learn", "noise", "replay")

WITHOUT_TORCH = """
import runpy, sys
sys.argv = ["", *sys.argv[1:]]
try:
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
finally:
    print("torch" in sys.modules)
"""


def start(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_every_command_is_here():
    files = {path.stem for path in (ROOT / "experiments").glob("*.py")}
    assert files - {"__init__", "__main__", "compose", "errors"} == {*OPTIONS, *WORDS} - {"report"}


def test_couple_lists_every_command_with_its_first_line():
    done = start("-m", "experiments")
    listed = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")]
    assert listed == sorted(OPTIONS + WORDS)
    assert "verify   Hash every image again" in done.stdout


def test_couple_starts_a_command_with_its_words(tmp_path):
    done = start("-m", "experiments", "verify", "outputs", "--gone", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ") and "unrecognized arguments: --gone" in done.stderr
    assert start("-m", "experiments", "--version").stdout == "couple-to-control 0.1.0\n"


def test_couple_says_which_commands_there_are():
    done = start("-m", "experiments", "rnu")
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no command rnu; there are book, compare, doctor")


def test_couple_says_what_brings_a_package_that_is_missing(tmp_path):
    (tmp_path / "hydra.py").write_text("raise ModuleNotFoundError(name='hydra')")
    code = "import runpy; runpy.run_module('experiments', run_name='__main__')"
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv[1:] = ['run']; {code}"
    done = start("-c", code)
    assert done.returncode == 2
    assert done.stderr == (
        "error: hydra is not installed; pip install 'couple-to-control[suite]' brings it\n"
    )


@pytest.mark.parametrize("name", OPTIONS + WORDS)
def test_help_is_a_command_line_and_needs_no_torch(name):
    done = start("-c", WITHOUT_TORCH, f"experiments.{name}", "--help")
    assert done.returncode == 0
    assert f"experiments.{name}" in done.stdout and done.stdout.endswith("False\n")


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("words", [["--gone"], ["results", "size=3"], ["results", "more"]])
def test_a_word_that_is_unknown_ends_in_usage(name, words, tmp_path, monkeypatch, capsys):
    (tmp_path / "results").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [name, *words])
    with pytest.raises(SystemExit) as ended:  # in this process, where its libraries are loaded
        runpy.run_module(f"experiments.{name}", run_name="__main__", alter_sys=True)
    said = capsys.readouterr()
    assert ended.value.code == 2 and said.out == ""
    assert said.err.startswith(f"usage: python -m experiments.{name}")
    assert not list(tmp_path.glob("*/*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["outputs"], "outputs has no galleries to verify"),
        (["outputs", "--set", "model.sorce=x"], "model.sorce"),
        (["--set", "model.source=x", "outputs"], "outputs"),
    ],
)
def test_verify_never_says_that_all_is_well_of_something_else(
    words, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        verify.main(words)
    said = capsys.readouterr()
    assert ended.value.code == 2 and said.out == ""
    assert said.err.startswith("error: ") and message in said.err


@pytest.mark.parametrize("name", ["run", "learn", "noise"])
def test_a_setting_that_is_unknown_ends_in_a_line_that_names_it(name, tmp_path):
    shape = ["shape=1,1,1"] if name == "noise" else []
    done = start("-m", f"experiments.{name}", "gone=1", *shape, folder=tmp_path)
    assert done.returncode == 1 and "gone" in done.stderr and "Traceback" not in done.stderr
