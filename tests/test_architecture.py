"""The house: dependencies point one way, every room stands in its place, and no file is a maze."""

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import experiments

ROOT = Path(__file__).parents[1]
ROOMS = re.findall(r"^    (\w+) {2,}", experiments.__doc__, flags=re.MULTILINE)
"""The rooms of `experiments/`, in the order of its map."""

COMMANDS = {
    "book", "compare", "doctor", "learn", "noise", "redraw", "replay", "run", "study", "table3",
    "verify",
}  # fmt: skip
HYDRA = {"hydra", "omegaconf"}


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def named(path: Path) -> str:
    """The name of a file's test."""
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it, those for types alone included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path}: a relative import"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [name for name in inner if module_file(name)]
            yield from modules
            if len(modules) < len(inner):
                yield node.module


def module_file(module: str) -> Path | None:
    """The file of a module of ours, None of any other."""
    path = ROOT / module.replace(".", "/")
    found = [file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()]
    return found[0] if found else None


def packages(path: Path) -> set[str]:
    return {module.partition(".")[0] for module in imported(path)}


@pytest.mark.parametrize("path", files("coupling"), ids=named)
def test_coupling_needs_torch_alone(path):
    assert packages(path) <= {"coupling", "torch", *sys.stdlib_module_names}


@pytest.mark.parametrize("path", files("metrics"), ids=named)
def test_metrics_know_no_experiment_and_no_pipeline(path):
    assert not packages(path) & {"experiments", "coupling", "diffusers", *HYDRA}


def test_a_file_directly_in_experiments_is_a_command_or_compose_or_errors():
    here = {path.stem for path in (ROOT / "experiments").glob("*.py")}
    assert here == COMMANDS | {"__init__", "__main__", "compose", "errors"}
    assert {path.name for path in (ROOT / "experiments").iterdir() if path.is_dir()} - {
        "__pycache__"
    } == set(ROOMS)


@pytest.mark.parametrize("path", files("experiments"), ids=named)
def test_a_room_imports_only_rooms_above_it(path):
    """Those that its map names before it; commands stand below all."""
    room = path.relative_to(ROOT / "experiments").parts[0]
    above = ROOMS[: ROOMS.index(room) + 1] if room in ROOMS else ROOMS
    found = {module.split(".")[1] for module in imported(path) if module.startswith("experiments.")}
    allowed = {*above, "errors", "compose"}
    assert found <= allowed, f"imports {sorted(found - allowed)}"


@pytest.mark.parametrize("path", files("experiments"), ids=named)
def test_only_commands_and_cells_see_hydra_and_compose(path):
    room = path.relative_to(ROOT / "experiments").parts[0].removesuffix(".py")
    if room in {*COMMANDS, "compose", "cells"}:
        return
    assert not packages(path) & HYDRA and "experiments.compose" not in imported(path)


def test_there_is_no_circle_of_files():
    ours = {file: module for package in ("coupling", "metrics", "experiments")
            for file in files(package) for module in [_module(file)]}  # fmt: skip
    graph = {
        module: {
            _module(found)
            for name in imported(file)
            if (found := module_file(name)) in ours and found.name != "__init__.py"
        }
        for file, module in ours.items()
        if file.name != "__init__.py"
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def _module(file: Path) -> str:
    return file.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")


@pytest.mark.parametrize("package", ["coupling", "experiments", "metrics"])
def test_every_folder_of_code_is_a_package_and_so_installed(package):
    for folder in {file.parent for file in files(package)}:
        assert (folder / "__init__.py").is_file()
    assert (ROOT / package / "py.typed").is_file()


PRODUCT = [path for package in ("coupling", "metrics", "experiments", "scripts", "comfyui")
           for path in files(package)]  # fmt: skip


@pytest.mark.parametrize("path", [*PRODUCT, *files("tests")], ids=named)
def test_no_file_is_longer_than_300_lines_and_no_function_than_50_of_code(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert _lines_of_code(node, text) <= 50, node.name


def _lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef, text: str) -> int:
    """From `def` to the end, less the docstring, comments and empty lines."""
    lines = text.splitlines()[function.lineno - 1 : function.end_lineno]
    code = [line for line in lines if line.strip() and not line.strip().startswith("#")]
    docstring = ast.get_docstring(function, clean=False)
    return len(code) - len([line for line in (docstring or "").splitlines() if line.strip()])


def test_the_product_grows_no_further():
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in PRODUCT) <= 28_945


def test_the_map_of_the_readme_names_every_room():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [room for room in ROOMS if f"`{room}" not in text and f"{room}/" not in text] == []
