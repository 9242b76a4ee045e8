"""execution=auto: the fastest way as timed, compiled where that is repaid; kept, and made again."""

import json
from dataclasses import replace

import pytest

from experiments import replay
from experiments.cells.build import cells_of, model_of
from experiments.cells.measure import make
from experiments.compose import build, compose
from experiments.models import Auto, Execution
from experiments.models.execution import EAGER
from experiments.models.model import Model
from experiments.tasks.job import Job
from experiments.workers import timing
from experiments.workers.timing import COMPILED, LAST, choose

AUTO = Auto(least_batches=8, seconds=0.0, compile_after=900.0)
JOB = Job("a", "a bedroom")
SLOW, FAST = {"eager": 1.0, "channels_last": 1.2}, {"eager": 1.0, "channels_last": 0.6}
BUILT = {"channels_last, compiled": 0.5, "compiling": 60.0}


def unasked(*ways):
    pytest.fail(f"times {ways}")


@pytest.mark.parametrize(
    ("known", "batches", "chosen"),
    [
        (SLOW, 1, EAGER),
        (FAST, 1, LAST),
        ({"eager": 1.0, "channels_last": 0.99}, 1, EAGER),  # within the margin
        (SLOW | BUILT, 119, EAGER),  # 119 * 0.5 s do not repay 60
        (SLOW | BUILT, 121, COMPILED),
        (FAST | BUILT, 121, LAST),  # 12 s saved
        (SLOW | {"channels_last, compiled": 1.1, "compiling": 0.0}, 9999, EAGER),
    ],
)
def test_what_is_known_decides_without_timing(known, batches, chosen):
    before = dict(known)
    assert choose(AUTO, known, batches, unasked) == chosen
    assert known == before


def test_compiling_is_tried_where_the_work_left_is_long_and_then_costs_nothing_more():
    asked, known = [], {}

    def measure(*ways):
        asked.append(ways)
        return SLOW if ways == (EAGER, LAST) else BUILT

    assert choose(AUTO, known, 900, measure) == EAGER  # as long, and no longer
    assert choose(AUTO, known, 901, measure) == COMPILED
    assert asked == [(EAGER, LAST), (COMPILED,)] and known == SLOW | BUILT


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("COUPLE_TO_CONTROL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "execution"


@pytest.fixture
def small():
    few = ["model.num_steps=2", "task.num_prompts=2", "workers.galleries_per_batch=2"]
    return ["execution.least_batches=0", "execution.seconds=0", *few]


def test_a_machine_times_once_for_each_shape_of_a_batch(cache, small, monkeypatch):
    source = model_of(compose(small))
    assert source.execution == Auto(least_batches=0, seconds=0, compile_after=900.0)
    first, why = timing.decided(source, JOB, rows=2, batches=1)
    assert first in (EAGER, LAST) and why.startswith(f"execution=auto: {first}; a batch of 2")
    (file,) = cache.iterdir()
    assert json.loads(file.read_text()).keys() == {"eager", "channels_last"}
    monkeypatch.setattr(timing, "timed", unasked)
    assert timing.decided(source, JOB, rows=2, batches=1) == (first, why)
    with pytest.raises(pytest.fail.Exception):
        timing.decided(source, JOB, rows=3, batches=1)


@pytest.mark.parametrize("way", [EAGER, LAST], ids=str)
def test_the_way_is_recorded_with_the_images_and_a_replay_repeats_it(
    cache, small, monkeypatch, tmp_path, way
):
    monkeypatch.setattr(timing, "choose", lambda *_: way)
    config = compose([*small, f"output_dir={tmp_path}/out", f"results_dir={tmp_path}/results"])
    (cell,) = cells_of({"repulsive": config})
    make([cell], scored=False)
    source = cell.production.recipe.model
    assert replace(source, execution=way).load().execution == way
    images = sorted(tmp_path.glob("out/*/galleries/*/*.png"))
    assert len(images) == 6
    for _, difference in replay.replay(images, overrides=["execution=compiled"]):
        assert not difference.any()
    entry = cell.production.entries()[0]
    assert entry.made_with["execution"] == str(way)


def test_a_model_that_was_compiled_runs_as_before_again(monkeypatch):
    model = model_of(compose(["model.num_steps=2"])).load()
    seen = []
    monkeypatch.setattr(
        "torch.compile", lambda call, **_: lambda *a, **k: seen.append(1) or call(*a, **k)
    )
    noise = build("coupling", compose([])).sample(model.noise_shape, seed=0)
    condition = model.encode_prompts(["a bed"] * len(noise))
    compiled = model.executed(Execution(channels_last=True, compiled=True))
    compiled.predict(noise, 0, condition)
    assert seen
    seen.clear()
    plain = compiled.executed(EAGER)
    plain.predict(noise, 0, condition)
    weights = [value for value in plain.modules[0].parameters() if value.dim() == 4]
    assert not seen and all(value.is_contiguous() for value in weights)


def test_what_fails_is_not_chosen_and_not_kept(cache, small, monkeypatch):
    """A black box has no network to time; another has no memory for the batch, or no compiler."""
    box = model_of(compose(["model=tiny_any", "execution=auto"]))
    assert timing.decided(box, JOB, rows=2, batches=1) == (
        EAGER, "execution=auto: eager; its network cannot be timed alone"
    )  # fmt: skip
    source = model_of(compose([*small, "execution.compile_after=0"]))
    executed = Model.executed

    def refusing(model, execution):
        if execution.compiled:
            raise RuntimeError("no compiler")
        return executed(model, execution)

    monkeypatch.setattr(Model, "executed", refusing)
    chosen, why = timing.decided(source, JOB, rows=2, batches=1)
    assert not chosen.compiled and "compil" not in why
    assert not cache.exists()


def test_what_is_steered_is_not_timed(cache, small, monkeypatch, tmp_path):
    monkeypatch.setattr("experiments.workers.dispatch.decided", unasked)
    here = [f"output_dir={tmp_path}/out", f"results_dir={tmp_path}/results"]
    (cell,) = cells_of({"steered": compose([*small, *here, "steering=guidance"])})
    make([cell], scored=False)
    assert len(cell.production.entries()) == 2


@pytest.mark.parametrize(("least", "asked"), [(1.0, 1), (1.01, 0)])
def test_a_few_batches_are_not_worth_timing(cache, small, monkeypatch, tmp_path, least, asked):
    times = []
    decided = "experiments.workers.dispatch.decided"
    monkeypatch.setattr(decided, lambda *_, **how: times.append(how) or (EAGER, "so"))
    here = [f"output_dir={tmp_path}/out", f"results_dir={tmp_path}/results", "workers.lanes=1"]
    config = compose([*small, *here, f"execution.least_batches={least}"])
    (cell,) = cells_of({"repulsive": config})
    make([cell], scored=False)
    assert times == asked * [{"rows": 6, "batches": 1.0}]
