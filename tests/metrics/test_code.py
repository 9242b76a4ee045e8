import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import torch

import coupling
import metrics
from experiments.models import SDXL
from metrics.code import door, source_hash


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., type]]:
    """Writes somebody's modules, imports `saturation` among them and returns its class."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def forget() -> None:
        for name in set(sys.modules) - before:
            if str(tmp_path) in str(getattr(sys.modules[name], "__file__", None)):
                del sys.modules[name]
        importlib.invalidate_caches()

    def write(**modules: str) -> type:
        forget()
        for name, text in modules.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(dedent(text))
        found: type = importlib.import_module("saturation").Saturation
        return found

    yield write
    forget()


SATURATION = "from weight import WEIGHT\nclass Saturation: pass\n"


def test_the_door_is_the_outermost_package_that_exports_it():
    assert door(SDXL) == "experiments.models.SDXL"
    assert door(metrics.PairwiseL2) == "metrics.PairwiseL2"
    assert door(coupling.repulsive) == "coupling.repulsive"
    assert door(Path) == "pathlib.Path"


def test_what_is_exported_under_another_name_keeps_its_own():
    assert door(metrics.brightness_contrast) == "metrics.brightness.contrast"


def test_a_door_leads_to_what_it_names():
    for code in (SDXL, SDXL.networks, metrics.PairwiseL2, torch.nn.Linear):
        module, _, name = door(code).partition(code.__qualname__)
        found = importlib.import_module(module.rstrip("."))
        for part in (code.__qualname__ + name).split("."):
            found = getattr(found, part)
        assert found == code


def test_the_door_of_other_peoples_code(foreign):
    assert door(foreign(saturation="class Saturation: pass")) == "saturation.Saturation"


@pytest.mark.parametrize(
    "code", [SDXL, coupling.repulsive, metrics.PairwiseL2, torch.nn.Linear, Path, len]
)
def test_the_suite_and_what_is_installed_have_no_source_hash(code):
    assert source_hash(code) is None


def test_the_hash_is_the_same_wherever_the_source_lies(foreign, tmp_path, monkeypatch):
    before = source_hash(foreign(saturation=SATURATION, weight="WEIGHT = 1"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("saturation.py", "weight.py"):
        shutil.move(tmp_path / name, elsewhere)
    monkeypatch.syspath_prepend(str(elsewhere))
    assert source_hash(foreign()) == before


@pytest.mark.parametrize(
    "saturation",
    [
        SATURATION,
        "import weight\nclass Saturation: pass",
        "class Saturation:\n    def __call__(self):\n        from weight import WEIGHT",
        "from middle import get\nclass Saturation: pass",
        "from folder.inner import get\nclass Saturation: pass",
    ],
    ids=["its constant", "a module", "within a function", "over another module", "relatively"],
)
def test_the_hash_follows_what_the_source_imports(foreign, saturation):
    others = {
        "middle": "import weight\ndef get(): return weight.WEIGHT",
        "folder__inner": "from .outer import weight\ndef get(): return weight.WEIGHT",
        "folder__outer": "import weight",
        "bystander": "",
    }
    hashes = [
        source_hash(foreign(saturation=saturation, weight=weight, **others))
        for weight in ("WEIGHT = 1", "WEIGHT = 1", "WEIGHT = 2")
    ]
    assert hashes[0] == hashes[1] != hashes[2]
    others["bystander"] = "changed = True"
    assert source_hash(foreign(saturation=saturation, weight="WEIGHT = 2", **others)) == hashes[2]


def test_modules_that_import_each_other_have_a_hash(foreign):
    assert source_hash(foreign(saturation=SATURATION, weight="import saturation\nWEIGHT = 1"))


def test_what_is_missing_or_installed_does_not_enter(foreign):
    text = "try:\n    import not_there.at_all\nexcept ImportError: pass\n{}class Saturation: pass"
    assert source_hash(foreign(saturation=text.format("import torch, os\n")))


def test_code_of_an_interactive_session_has_no_source():
    session: dict = {"__name__": "__main__"}
    exec("class Typed: pass", session)
    file = sys.modules["__main__"].__dict__.pop("__file__", None)
    try:
        with pytest.raises(ValueError, match="Typed is defined in no file"):
            source_hash(session["Typed"])
    finally:
        if file is not None:
            sys.modules["__main__"].__file__ = file
