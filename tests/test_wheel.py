"""The wheel holds all that a run needs, and runs where there is no checkout."""

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distributions as metadata_of
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("coupling", "experiments", "metrics")
CODE = """
import runpy, sys
runpy.run_module("experiments.run", run_name="__main__", alter_sys=True)
modules = [m for name, m in sys.modules.items() if name.split(".")[0] in {packages}]
print(*(m.__file__ for m in modules if getattr(m, "__file__", None)), sep="\\n")
""".replace("{packages}", repr(PACKAGES))

pytestmark = pytest.mark.slow


def files(folder: Path) -> set[str]:
    """The files under a folder, by their paths in it, without what Python caches."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder into which the wheel is installed, built from a copy of the checkout."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    for folder in (*PACKAGES, "configs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, source / folder, ignore=ignored)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    alone = ["--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "wheel", *alone, f"--wheel-dir={source}", str(source)], check=True)
    (wheel,) = source.glob("*.whl")
    subprocess.run([*pip, "install", *alone, f"--target={target}", str(wheel)], check=True)
    return target


def test_it_holds_every_file_of_the_packages_and_every_configuration(installed):
    for package in PACKAGES:
        assert files(ROOT / package) <= files(installed / package)
    assert files(ROOT / "configs") == files(installed / "experiments" / "configs")


def test_the_couplings_alone_need_torch_numpy_and_safetensors(installed):
    (metadata,) = metadata_of(path=[str(installed)], name="couple-to-control")
    needed = [line for line in metadata.requires or () if "extra ==" not in line]
    assert [re.split(r"[<>=]", line)[0] for line in needed] == ["torch", "numpy", "safetensors"]
    assert "couple" in {script.name for script in metadata.entry_points}


def test_a_table_is_made_in_an_empty_folder_by_the_installed_code(installed, tmp_path):
    overrides = ["experiment=demo", "task.num_prompts=2", "model.num_steps=2"]
    done = subprocess.run(
        [sys.executable, "-c", CODE, *overrides],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
    )
    modules = [line for line in done.stdout.splitlines() if line.endswith(".py")]
    assert modules
    assert all(Path(module).is_relative_to(installed) for module in modules)
    assert len(list(tmp_path.glob("outputs/tiny-*/galleries/*/*.png"))) == 2 * 2 * 3
    assert (tmp_path / "outputs/results/demo/tiny.html").is_file()
