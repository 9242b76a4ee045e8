"""The first step of a real small pipeline, as optimisers see it."""

from functools import cache

import pytest
import torch

from coupling import Guidance, Particle, base_noise, iid, repulsive
from coupling.optimizers.contrastive import Contrastive
from experiments.cells.build import model_of
from experiments.compose import build, compose
from experiments.errors import UsageError
from experiments.methods.coupled import Coupled, FirstStep
from experiments.methods.method import generate
from experiments.models.condition import repeat_rows
from experiments.models.process import FlowEuler
from experiments.tasks.job import jobs_of

JOBS = jobs_of(["a bedroom with a red bed", "a blue room", "a bedroom at night"])


@cache
def model():
    return model_of(compose(["model=tiny", "model.num_steps=2"])).load()


def sketch():
    """The model without its weights, as a plan sees it."""
    return model_of(compose(["model=tiny", "model.num_steps=2"])).sketch()


def optimizer(name: str, *overrides: str) -> Contrastive:
    return build("optimizer", compose([f"optimizer={name}", *overrides]))


def first_step(count: int, *, rows_per_pass: int = 100) -> FirstStep:
    with torch.no_grad():
        prompts = [job.prompt for job in JOBS[:count]]
        condition = model().encode_prompts(prompts)
    return FirstStep(model(), condition, prompts, rows_per_pass=rows_per_pass)


def base(count: int, members: int = 3) -> torch.Tensor:
    shape = model().noise_shape
    return torch.stack(
        [base_noise(shape, seed=0, job=job.id, members=range(members)) for job in JOBS[:count]]
    )


def test_it_is_the_models_own_first_step():
    first, noise = first_step(2), base(2)
    rows = repeat_rows(first._condition, 3)
    output = first.output(noise)
    torch.testing.assert_close(output.flatten(0, 1), model().predict(noise.flatten(0, 1), 0, rows))
    clean = model().clean(noise.flatten(0, 1), 0, rows)
    torch.testing.assert_close(first.clean(noise, output).flatten(0, 1), clean)


def test_ahead_it_is_the_models_own_sampling():
    first, noise, states = first_step(2), base(2), []
    rows = repeat_rows(first._condition, 3)
    with torch.no_grad():
        model().sample(noise.flatten(0, 1), rows, on_step=lambda step, x: states.append(x))
        clean, x = first.ahead(noise, 0)
        assert torch.equal(clean, first.clean(noise, first.output(noise)))
        assert torch.equal(x.flatten(0, 1), states[0])
        clean, x = first.ahead(x, 1)
    assert torch.equal(x.flatten(0, 1), states[1]) and clean.shape == x.shape
    assert first.passes["forward"] == 3 * 2 * 3


def test_group_inference_keeps_what_a_clip_prefers_and_says_what_it_costs():
    """Without diversity and early pruning, those whose last estimates show the prompt best."""
    chosen = optimizer("group_inference", "optimizer.diversity=0", "optimizer.keep=0.99")
    method, first, x = Coupled(iid(3), chosen), first_step(1), base(1, members=9)
    with torch.no_grad():
        for step in range(2):
            clean, x = first.ahead(x, step)
        shown, apart = first.judged(clean, chosen.judge)
    assert (
        shown.shape == (1, 9)
        and apart.shape == (1, 9, 9)
        and apart[0].diagonal().abs().max() < 1e-5
    )
    best = shown[0].topk(3).indices.sort().values
    noise = list(chosen.optimize(base(1, members=9), iid(3), first_step(1)))[-1].noise
    assert torch.equal(noise, base(1, members=9)[:, best])
    (gallery,) = generate(model(), method, JOBS[:1], seed=0, galleries_per_batch=1)
    assert gallery.passes == {"sample": 6, "forward": 9 + 9, "backward": 0}
    assert method.cost(sketch()) == (gallery.passes, gallery.rows)


def test_a_shifted_model_samples_from_the_table_with_a_one_before_it():
    """As the release does: told t, it reads the training step before t, and ends at the estimate
    of its last step."""
    plain, shifted = model().process, model().shifted().process
    assert shifted.timesteps == plain.timesteps
    assert shifted.alphas_cumprod == plain.earlier_alphas_cumprod
    assert shifted.next_alphas_cumprod[:-1] == shifted.alphas_cumprod[1:]
    x, output = base(1)[0], torch.ones(1)
    last = plain.num_steps - 1
    torch.testing.assert_close(
        shifted.advance(x, output, last), shifted.clean(x, output, last), rtol=0, atol=0
    )
    with pytest.raises(UsageError, match=r"optimizer\.shifted"):
        FlowEuler(timesteps=(1000.0,), sigmas=(1.0, 0.0)).shifted()


@pytest.mark.parametrize(
    ("name", "overrides", "passes"),
    [
        ("cno", [], {"forward": 9, "backward": 0}),
        ("cno_release", [], {"forward": 12, "backward": 9}),
        ("cno_release", ["optimizer.checkpointed=true"], {"forward": 21, "backward": 9}),
        ("preview", [], {"forward": 9, "backward": 0}),
        ("preview_cno", [], {"forward": 18, "backward": 0}),
        ("reward", [], {"forward": 9, "backward": 0}),
        ("divin", [], {"forward": 3, "backward": 3}),
    ],
)
def test_the_passes_of_a_gallery_are_counted(name, overrides, passes, monkeypatch):
    rows = []
    branches = model().branches  # of a guided pass, and of no other
    monkeypatch.setattr(
        model(), "branches", lambda x, *rest: rows.append(len(x)) or branches(x, *rest)
    )
    method = optimizer(name, *overrides)
    (gallery,) = generate(
        model(), Coupled(repulsive(3), method), JOBS[:1], seed=0, galleries_per_batch=1
    )
    assert gallery.passes == {"sample": 6, **passes}
    assert sum(rows) == 6 + passes["forward"]  # the calls that really happened
    assert gallery.rows == 2 * sum(gallery.passes.values())  # every one is guided
    assert Coupled(repulsive(3), method).cost(sketch()) == (gallery.passes, gallery.rows)
    assert len(gallery.loss) >= 1 and all(map(torch.isfinite, torch.tensor(gallery.loss)))


def test_a_steered_gallery_costs_the_rows_that_it_takes():
    """A step of two is unguided: one row an image in place of two."""
    steering = Guidance(None, (0.5, 1.0), None)
    method = Coupled(repulsive(3), optimizer("cno"), steering)
    (gallery,) = generate(model(), method, JOBS[:1], seed=0, galleries_per_batch=1)
    assert gallery.passes == {"sample": 6, "forward": 9, "backward": 0}
    assert gallery.rows == 3 * (1 + 2) + 9 * 2
    assert method.cost(sketch()) == (gallery.passes, gallery.rows)


def test_what_a_steering_cannot_act_on_is_refused():
    with pytest.raises(UsageError, match=r"steering: particle guidance of 2 .* at least 3"):
        Coupled(repulsive(2), None, Particle(scale=30.0, least=1.0))


def test_the_paper_calls_the_network_once_a_step(monkeypatch):
    calls = []
    predict = model().predict
    monkeypatch.setattr(model(), "predict", lambda x, *rest: calls.append(1) or predict(x, *rest))
    for step, _ in enumerate(optimizer("cno").optimize(base(2), repulsive(3), first_step(2)), 1):
        assert len(calls) == step


def test_a_gallery_does_not_see_the_others_of_its_batch():
    cno, coupling = optimizer("cno"), repulsive(3)

    def last(noise, first):
        return list(cno.optimize(noise, coupling, first))[-1].noise

    together = last(base(3), first_step(3))
    changed = base(3)
    changed[1:] = -changed[1:]
    assert torch.equal(last(changed, first_step(3))[0], together[0])  # bitwise on equal shapes
    torch.testing.assert_close(last(base(1), first_step(1))[0], together[0], rtol=0, atol=1e-4)


def test_small_passes_change_nothing_but_rounding():
    cno, coupling = optimizer("cno_release", "optimizer.checkpointed=true"), repulsive(3)
    whole, parts = (
        list(cno.optimize(base(2), coupling, first_step(2, rows_per_pass=rows)))[-1].noise
        for rows in (100, 2)
    )
    # Adam's first step is the gradient's sign: where it is near 0, rounding decides
    assert ((whole - parts).abs() < 1e-3).float().mean() > 0.99


def test_the_gradient_through_the_network_is_that_of_differences():
    """Of a smooth function of the clean estimate, along a random direction."""
    first, noise = first_step(1), base(1)
    direction = base_noise(noise.shape, seed=1, members=[0])[0]

    def value(z):
        return first.clean(z, first.output(z)).square().mean()

    z = noise.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(value(z), z)
    step = 1e-2
    with torch.no_grad():
        slope = (value(noise + step * direction) - value(noise - step * direction)) / (2 * step)
    assert float((gradient * direction).sum()) == pytest.approx(float(slope), rel=0.02)


def test_a_window_larger_than_the_latent_is_refused():
    with pytest.raises(
        ValueError, match="window = 32 must be from 1 to the latent's side: 16 x 16"
    ):
        list(optimizer("cno", "cno.window=32").optimize(base(1), repulsive(3), first_step(1)))
