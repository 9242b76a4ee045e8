"""A card: what is written is read, what is broken is named, and any model takes its coupling."""

import json
from functools import partial

import hydra
import pytest
import torch
from safetensors.torch import load_file, save_file

from coupling import MatrixCoupling, SubspaceCoupling, channels, iid, repulsive, subspace
from coupling.learned import LearningState, learn, random_coupling
from experiments.cells.identity import identified
from experiments.compose import CONFIGS, build, plain
from experiments.errors import UsageError
from experiments.galleries.gallery import METADATA_KEY
from experiments.learning.card import TENSORS, Card, learned, read

SETTINGS = {"within": None, "seed": 7}


def batch(step: int):
    generator = torch.Generator().manual_seed(step)
    return torch.randn(8, 3, 4, generator=generator), lambda noise: noise


@pytest.fixture
def card() -> Card:
    found = Card.begin(random_coupling(3, 3, seed=0), SETTINGS)
    reward = partial(torch.var, dim=(1, 2))
    for state in learn(found.state, batch=batch, reward=reward, num_steps=5, learning_rate=0.1):
        found = found.after(state)
    return found


@pytest.fixture
def path(card, tmp_path):
    card.write(tmp_path / "cards" / "some.safetensors")
    return tmp_path / "cards" / "some.safetensors"


def compose(*overrides: str):
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return hydra.compose("config", overrides=list(overrides))


def test_what_is_written_is_read(card, path):
    found = read(path)
    assert found.settings == SETTINGS and found.steps == 5
    assert all(torch.equal(getattr(found, name), getattr(card, name)) for name in TENSORS)
    assert torch.equal(learned(str(path), within=None).matrix, card.matrix)


def test_learning_goes_on_from_a_card(card, path):
    """The state that is read is the state that was left."""
    state: LearningState = read(path).state
    assert state.step == 5 and torch.equal(state.matrix, card.matrix)
    assert torch.equal(state.second_moment, card.second_moment)


def test_the_json_beside_it_says_what_came_of_it(card, path):
    document = json.loads(path.with_suffix(".json").read_text())
    assert document["correlation"] == card.correlations[-1].tolist()
    assert document["constraint_violation"] < 1e-6
    assert document["settings"] == SETTINGS


def test_distance_is_the_largest_from_the_repulsive_correlation():
    assert Card.begin(repulsive(4), SETTINGS).distances.tolist() == pytest.approx([0], abs=1e-12)
    assert Card.begin(iid(4), SETTINGS).distances.tolist() == pytest.approx([1 / 3])


def altered(path, name, change):
    tensors = load_file(path)
    tensors[name] = change(tensors[name]).contiguous()
    save_file(tensors, path, metadata={METADATA_KEY: json.dumps(SETTINGS)})


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("matrices", lambda a: 1.001 * a, "a row whose norm is off 1 by 0.001"),
        ("matrices", lambda a: a[0], r"matrices of shape \(3, 3\)"),
        ("rewards", lambda a: a[:2], r"rewards of shape \(2,\), not \(5,\)"),
        ("first_moment", lambda a: a[:2], r"first_moment of shape \(2, 3\), not \(3, 3\)"),
        ("rewards", lambda a: a / 0, "not finite"),
    ],
)
def test_a_card_that_is_no_coupling_is_refused_in_one_line(path, name, change, message):
    altered(path, name, change)
    with pytest.raises(UsageError, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value) and "learn it again" in str(caught.value)


def test_other_files_are_no_cards(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        read(tmp_path / "gone.safetensors")
    text = tmp_path / "text.safetensors"
    text.write_text("a card")
    with pytest.raises(UsageError, match="is no card"):
        read(text)
    save_file({"matrices": torch.eye(3)}, tmp_path / "weights.safetensors")
    with pytest.raises(UsageError, match="is no card"):
        read(tmp_path / "weights.safetensors")


@pytest.mark.parametrize("model", ["sd15", "sd3"])
def test_a_card_serves_any_model_at_no_cost(path, card, model):
    """No weights are needed to draw the noises of Stable Diffusion 1.5 and 3 from it."""
    config = compose(f"model={model}", "coupling=learned", f"coupling.card={path}")
    coupling = build("coupling", config)
    assert isinstance(coupling, MatrixCoupling)
    shape = {"sd15": (4, 64, 64), "sd3": (16, 128, 128)}[model]
    noise = coupling.sample(shape, seed=0, job="a bedroom")
    assert noise.shape == (3, *shape)
    flat = noise.flatten(1).double()
    sampled = flat @ flat.T / flat.shape[1]
    torch.testing.assert_close(sampled, card.correlations[-1], rtol=0, atol=0.05)


def test_a_cells_inputs_depend_on_what_the_card_holds_and_not_on_where_it_lies(path, card):
    def inputs(file):
        return identified(plain(compose("coupling=learned", f"coupling.card={file}").coupling))

    elsewhere = path.with_name("elsewhere.safetensors")
    card.write(elsewhere)
    assert inputs(path) == inputs(elsewhere)
    assert inputs(path)["matrix"] == card.matrix.tolist() and "card" not in inputs(path)
    Card.begin(repulsive(3), SETTINGS).write(elsewhere)
    assert inputs(path) != inputs(elsewhere)


def test_a_card_of_a_subspace_needs_its_subspace(card, tmp_path):
    path = tmp_path / "within.safetensors"
    Card.begin(repulsive(3), {"within": {"low": 0.1}}).write(path)
    within = partial(subspace, channels([0], of=4), outside=iid(3))
    coupling = learned(str(path), within=within)
    assert isinstance(coupling, SubspaceCoupling)
    expected = subspace(channels([0], of=4), inside=repulsive(3), outside=iid(3)).correlation
    torch.testing.assert_close(coupling.correlation, expected)
    with pytest.raises(UsageError, match="was learned on a subspace"):
        learned(str(path), within=None)
    card.write(path)
    with pytest.raises(UsageError, match=r"the whole noise; set coupling\.within=null"):
        learned(str(path), within=within)


def test_a_subspace_is_chosen_on_the_command_line(tmp_path):
    path = tmp_path / "within.safetensors"
    Card.begin(repulsive(3), {"within": {"low": 0.1}}).write(path)
    chosen = ["coupling=learned", f"coupling.card={path}", "+within@coupling.within=low_frequency"]
    coupling = build("coupling", compose(*chosen))
    assert isinstance(coupling, SubspaceCoupling)
    assert torch.equal(coupling.inside.matrix, repulsive(3).matrix)
