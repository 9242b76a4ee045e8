"""Dependencies point one way: experiments -> coupling, metrics. Three files see Hydra."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def imports(path: Path) -> set[str]:
    """The top-level packages that a file imports, anywhere in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
    return names


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", files("coupling"), ids=lambda path: path.name)
def test_coupling_needs_torch_alone(path):
    assert imports(path) <= {"coupling", "torch", *sys.stdlib_module_names}


@pytest.mark.parametrize("path", files("metrics"), ids=lambda path: path.name)
def test_metrics_know_no_experiment_and_no_pipeline(path):
    assert not imports(path) & {"experiments", "coupling", "diffusers", "hydra", "omegaconf"}


@pytest.mark.parametrize("path", files("experiments"), ids=lambda path: path.name)
def test_only_composition_and_two_jobs_see_hydra(path):
    allowed = path.name in ("run.py", "learn.py", "compose.py")
    assert allowed or not imports(path) & {"hydra", "omegaconf"}


@pytest.mark.parametrize("package", ["coupling", "experiments", "metrics"])
def test_every_folder_of_code_is_a_package_and_so_installed(package):
    for folder in {file.parent for file in files(package)}:
        assert (folder / "__init__.py").is_file()
