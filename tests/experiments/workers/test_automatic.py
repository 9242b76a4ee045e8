"""workers=auto, the default: every GPU that can be seen, or this process."""

import pytest

from experiments.compose import build, compose
from experiments.workers import LocalWorkers, RayWorkers


@pytest.fixture
def workers(monkeypatch):
    def workers(*overrides: str, cards: int, ray: bool = True):
        monkeypatch.setattr("torch.cuda.device_count", lambda: cards)
        found = "experiments.workers.automatic.find_spec"
        monkeypatch.setattr(found, lambda name: object() if ray else None)
        return build("workers", compose(overrides))

    return workers


def test_eight_cards_have_an_actor_each(workers):
    crew = workers(cards=8)
    assert isinstance(crew, RayWorkers)
    assert (crew.num, crew.gpus) == (8, 1)


@pytest.mark.parametrize(
    ("overrides", "cards", "ray"),
    [((), 0, True), ((), 1, True), ((), 8, False)]
    + [((f"model.device={device}",), 8, True) for device in ("cpu", "mps", "cuda:1")],
)
def test_one_device_is_this_process(workers, overrides, cards, ray):
    assert isinstance(workers(*overrides, cards=cards, ray=ray), LocalWorkers)
