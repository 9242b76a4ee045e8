"""What enters a cell's key: doors, the hash of foreign source, a learned coupling's matrix."""

import importlib
import json
import sys

import hydra
import pytest
import torch

from coupling import antithetic, equicorrelated, iid, mask, repulsive, subspace
from experiments.cells.build import cells_of
from experiments.cells.identity import described, identified
from experiments.compose import build, compose, plain, rows_of
from experiments.errors import UsageError
from experiments.learning.card import Card

CHAIN = """
import torch
import coupling

def chain(size, rho):
    order = torch.arange(size, dtype=torch.float64)
    return coupling.from_correlation(rho ** (order - order.unsqueeze(1)).abs())
"""


LAW = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Law:
    size: int
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module of the user's, and forgets what was imported of it."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(text: str, name: str = "chain") -> None:
        sys.modules.pop(name, None)
        (tmp_path / f"{name}.py").write_text(text)

    yield write
    for name in ("chain", "law"):
        sys.modules.pop(name, None)


@pytest.fixture
def key(tmp_path):
    """The name of the folder of the one cell that overrides make."""

    def key(*overrides: str) -> str:
        everything = [f"output_dir={tmp_path}", f"results_dir={tmp_path}", *overrides]
        (cell,) = cells_of(rows_of(compose(everything), everything))
        return cell.place.name

    return key


def test_a_cell_that_nothing_steers_has_the_key_that_it_had_before_steering(key):
    assert key("coupling=repulsive", "steering=none") == "tiny-repulsive-62a8f29d"
    assert key("coupling=iid", "optimizer=cno") == "tiny-iid-contrastive-5217bcdb"
    assert key("steering=spell").startswith("tiny-repulsive-spell-")


def test_code_is_named_by_its_door_wherever_its_file_is():
    values = {"_target_": "coupling.optimizers.contrastive.Contrastive", "num_steps": 3}
    assert identified(values) == {"_target_": "coupling.Contrastive", "num_steps": 3}
    nested = [{"a": {"_target_": "coupling.named.repulsive"}}, "text", None]
    assert identified(nested) == [{"a": {"_target_": "coupling.repulsive"}}, "text", None]


@pytest.mark.parametrize("optimizer", ["cno", "cno_release", "preview_cno", "reward"])
def test_an_object_is_described_as_its_configuration_is(optimizer):
    config = compose([f"optimizer={optimizer}"])
    assert described(build("optimizer", config)) == identified(plain(config.optimizer))


def test_a_law_is_described_by_what_it_is(module):
    def law(region):
        return subspace(mask(region), inside=iid(2), outside=repulsive(2))

    left = torch.arange(4).expand(4, 4) < 2
    assert described(law(left)) == described(law(left.clone())) != described(law(~left))
    rebuilt = hydra.utils.instantiate(described(equicorrelated(3, rho=-0.2)))
    assert rebuilt == equicorrelated(3, rho=-0.2)
    assert json.loads(json.dumps(described(law(left)))) == described(law(left))
    module(LAW, "law")
    before = described(importlib.import_module("law").Law(2))
    assert before.keys() == {"_target_", "size", "_source_"}
    module(LAW + "# another\n", "law")
    assert described(importlib.import_module("law").Law(2)) != before
    with pytest.raises(UsageError, match="make its class a dataclass"):
        described(object())


def test_a_renamed_module_changes_no_key(key, monkeypatch):
    """As if coupling/named.py were coupling/laws.py."""
    before = key("coupling=repulsive")
    laws = sys.modules["coupling.named"]
    monkeypatch.setitem(sys.modules, "coupling.laws", laws)
    monkeypatch.delitem(sys.modules, "coupling.named")
    monkeypatch.setattr(laws.repulsive, "__module__", "coupling.laws")
    assert key("coupling=repulsive") == before


def test_an_edited_law_of_the_users_is_another_cell(key, module):
    chain = ["+coupling.rho=-0.4", "coupling._target_=chain.chain"]
    module(CHAIN)
    first = key(*chain)
    module(CHAIN)
    assert key(*chain) == first
    module(CHAIN.replace("rho **", "abs(rho) **"))
    assert key(*chain) != first


def test_what_a_module_of_the_users_imports_counts_too(key, module):
    module("import law\n\ndef chain(size):\n    return law.law(size)\n")
    module("import coupling\n\nlaw = coupling.iid\n", name="law")
    first = key("coupling._target_=chain.chain")
    module("import coupling\n\nlaw = coupling.identical\n", name="law")
    module("import law\n\ndef chain(size):\n    return law.law(size)\n")
    assert key("coupling._target_=chain.chain") != first


def test_a_learned_coupling_is_its_matrix_and_not_where_its_card_lies(tmp_path):
    card = Card.begin(antithetic(4), {"within": None})
    found = []
    for name in ("a", "b"):
        card.write(path := tmp_path / f"{name}.safetensors")
        found.append(identified({"_target_": "experiments.learning.learned", "card": str(path)}))
    assert found[0] == found[1]
    assert found[0]["_target_"] == "coupling.from_matrix"
    torch.testing.assert_close(torch.tensor(found[0]["matrix"]).double(), card.matrix)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("coupling.repulsiv", r"coupling: _target_ .* does not exist; the nearest is .*repulsive"),
        ("experiments.method.Coupled", "the nearest is experiments.methods.Coupled"),
        ("chain.chain", "coupling: _target_ chain.chain does not exist"),
        ("nowhere", "coupling: _target_ nowhere"),
    ],
)
def test_a_target_that_does_not_exist_ends_in_one_line_with_the_nearest(key, target, message):
    with pytest.raises(UsageError, match=message) as caught:
        key(f"coupling._target_={target}")
    assert "\n" not in str(caught.value)


def test_a_module_that_does_not_import_says_why(key, module):
    module("import no_such_library")
    with pytest.raises(UsageError, match="cannot be imported: No module named 'no_such_library'"):
        key("coupling._target_=chain.chain")
    module("def chain(:")
    with pytest.raises(UsageError, match="cannot be imported: SyntaxError") as caught:
        key("coupling._target_=chain.chain")
    assert "\n" not in str(caught.value)
