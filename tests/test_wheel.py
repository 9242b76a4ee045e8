"""sdist and wheel hold all that a run needs, and it runs where there is no checkout."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
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


def build(kind: str, source: Path, target: Path) -> Path:
    """What the build backend makes of a folder, an `sdist` or a `wheel`, as pip would ask it."""
    code = f"from setuptools import build_meta; build_meta.build_{kind}({str(target)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
    return max(target.iterdir(), key=lambda path: path.stat().st_mtime_ns)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path]:
    """The sdist of a copy of the checkout, and the wheel of that sdist."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    for folder in (*PACKAGES, "configs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, source / folder, ignore=ignored)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    sdist = build("sdist", source, target)
    shutil.unpack_archive(sdist, source / "unpacked", filter="data")
    (unpacked,) = (source / "unpacked").iterdir()
    return sdist, build("wheel", unpacked, target)


@pytest.fixture(scope="module")
def fresh(built, tmp_path_factory) -> Path:
    """A fresh environment with the wheel, and what it needs from the one that tests run in.

    The checkout is not in it: an editable install is not found through a path file.
    """
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    there = [*pip, "--python", str(folder / "bin" / "python")]
    subprocess.run([*there, "install", "--no-deps", "--no-index", str(built[1])], check=True)
    (folder / packages(folder) / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def packages(environment: Path) -> Path:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return environment / "lib" / version / "site-packages"


@pytest.fixture(scope="module")
def installed(fresh) -> Path:
    return packages(fresh)


def run(fresh: Path, folder: Path, *words: str) -> str:
    """What a program of the fresh environment prints, started in `folder`."""
    done = subprocess.run(
        [fresh / "bin" / words[0], *words[1:]],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.stdout


def test_an_index_would_take_them(built):
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *built], check=True)


def test_the_bundled_networks_keep_it_small(built):
    assert built[1].stat().st_size < 20e6


def test_it_holds_every_file_of_the_packages_and_every_configuration(installed):
    for package in PACKAGES:
        assert files(ROOT / package) <= files(installed / package)
    assert files(ROOT / "configs") == files(installed / "experiments" / "configs")


def test_the_couplings_alone_need_torch_numpy_and_safetensors(installed):
    (metadata,) = metadata_of(path=[str(installed)], name="couple-to-control")
    needed = [line for line in metadata.requires or () if "extra ==" not in line]
    assert [re.split(r"[<>=]", line)[0] for line in needed] == ["torch", "numpy", "safetensors"]
    assert "couple" in {script.name for script in metadata.entry_points}


@pytest.mark.timeout(900)
def test_an_empty_folder_is_enough_for_a_table_its_page_a_replay_and_noise(fresh, tmp_path):
    settings = ["experiment=demo", "task.num_prompts=2", "model.num_steps=2"]
    printed = run(fresh, tmp_path, "python", "-c", CODE, *settings).splitlines()
    modules = [line for line in printed if line.endswith(".py")]
    assert modules
    assert all(Path(module).is_relative_to(packages(fresh)) for module in modules)
    images = sorted(tmp_path.glob("outputs/tiny-*/galleries/*/*.png"))
    assert len(images) == 2 * 2 * 3
    assert (tmp_path / "outputs/results/demo/tiny.html").is_file()
    assert "couple-to-control" in run(fresh, tmp_path, "couple", "--version")
    assert run(fresh, tmp_path, "couple", "replay", str(images[0]))
    run(fresh, tmp_path, "couple", "noise", "shape=4,8,8", "out=noise.safetensors")
    assert (tmp_path / "noise.safetensors").is_file()
