"""Methods that keep an object: what they share, what they leave alone, what they reduce to."""

import pytest
import torch

from coupling import equicorrelated, identical, iid, repulsive
from coupling.optimizers.base import couple
from experiments.cells.build import model_of
from experiments.compose import build, compose
from experiments.errors import UsageError
from experiments.methods.method import Stopwatch, base_noises, generate
from experiments.methods.objects.editing import Blending, Inpainting, SDEdit
from experiments.methods.objects.inversion import Inversion, ObjectInversion, Refined, invert
from experiments.methods.objects.method import Given

K = 3


def refined(coupling, checkpoints=(1, 2), checkpointed=False) -> Refined:
    return Refined(coupling, learning_rate=0.03, checkpoints=checkpoints, checkpointed=checkpointed)


METHODS = {
    "inversion": Inversion(identical(K)),
    "object inversion": ObjectInversion(iid(K)),
    "repulsive": ObjectInversion(repulsive(K)),
    "refined": refined(repulsive(K)),
    "SDEdit": SDEdit(iid(K), strength=0.8),
    "blending": Blending(iid(K)),
}


@pytest.fixture(scope="module", params=["tiny", "tiny_ddpm"])
def setting(request):
    """A bundled model and two pictures for it."""
    config = compose(["task=objects", f"model={request.param}", "task.num_pictures=2",
                      "model.num_steps=3", "model.guidance=1"])  # fmt: skip
    return model_of(config).load(), build("task", config).jobs()


def started(model, jobs, method) -> tuple[torch.Tensor, torch.Tensor]:
    """What the sampler starts from, and what the coupling drew, both (G, K, C, h, w)."""
    with torch.no_grad():
        base = base_noises(model, jobs, seed=0, count=method.coupling.base_size)
        noise = couple(base, method.coupling).flatten(0, 1)
        timed = Stopwatch(model.device)
        edit = method.edit(model, Given.of(model, jobs), noise, timed)
    return tuple(rows.unflatten(0, (len(jobs), -1)) for rows in (edit.noise, noise))


@pytest.mark.parametrize("name", ["object inversion", "repulsive", "refined"])
def test_the_background_is_bitwise_what_the_coupling_drew(setting, name):
    model, jobs = setting
    start, drawn = started(model, jobs, METHODS[name])
    for job, ours, theirs in zip(jobs, start, drawn, strict=True):
        assert torch.equal(ours[..., ~job.region], theirs[..., ~job.region])


@pytest.mark.parametrize("name", ["inversion", "object inversion", "repulsive"])
def test_the_noise_of_the_object_is_bitwise_shared_and_the_pictures_inversion(setting, name):
    model, jobs = setting
    start, _ = started(model, jobs, METHODS[name])
    with torch.no_grad():
        inverted = invert(model, Given.of(model, jobs), Stopwatch(model.device))
    for job, gallery, own in zip(jobs, start, inverted, strict=True):
        inside = gallery[..., job.region]
        assert all(torch.equal(noise, inside[0]) for noise in inside)
        assert torch.equal(inside[0], own[..., job.region])


def test_refinement_moves_the_object_of_every_image_and_lowers_its_error(setting):
    model, jobs = setting
    start, _ = started(model, jobs, METHODS["repulsive"])
    end, _ = started(model, jobs, METHODS["refined"])
    for job, before, after in zip(jobs, start, end, strict=True):
        assert (before != after)[..., job.region].any(-1).all()
    for gallery in made(setting, METHODS["refined"]):
        assert gallery.loss[0] > gallery.loss[1] > gallery.loss[2] > 0


def made(setting, method, *, jobs=slice(None)):
    model, every = setting
    chosen = every[jobs]
    return list(generate(model, method, chosen, seed=0, galleries_per_batch=len(chosen)))


def test_a_checkpoint_on_the_way_is_the_end_of_a_shorter_run(setting):
    method = refined(repulsive(K), checkpoints=(0, 1, 2))
    none, one, two = (method.part(step) for step in (0, 1, 2))
    ends = made(setting, METHODS["repulsive"]), made(setting, refined(repulsive(K), (1,)))
    for long, start, short in zip(made(setting, method), *ends, strict=True):
        assert (long.images[none] == start.images).all()
        assert (long.images[one] == short.images).all()
        assert (long.images[one] != long.images[two]).any()
        assert len(long.loss) == 3 and len(long.images) == 3 * K == method.size


def test_checkpointed_gradients_give_the_same_images(setting):
    plain, again = (
        made(setting, refined(repulsive(K), checkpointed=checkpointed), jobs=slice(1))[0]
        for checkpointed in (False, True)
    )
    assert abs(plain.images.astype(int) - again.images).max() <= 1
    assert again.passes["forward"] - plain.passes["forward"] == plain.passes["backward"]


@pytest.mark.parametrize("name", METHODS)
def test_galleries_do_not_see_each_other(setting, name):
    """As far as two shapes of a batch allow."""
    together = made(setting, METHODS[name])
    for number, one in enumerate(together):
        (alone,) = made(setting, METHODS[name], jobs=slice(number, number + 1))
        assert abs(alone.images.astype(int) - one.images).max() <= 1
        assert alone.job == one.job and alone.images.shape == one.images.shape


def test_sdedit_keeps_the_objects_pixels_and_a_gallery_of_inversions_is_one_image(setting):
    for job, gallery in zip(setting[1], made(setting, METHODS["SDEdit"]), strict=True):
        mask = job.picture.mask
        assert (gallery.images[:, mask] == job.picture.image[mask]).all()
        assert (gallery.images[0][~mask] != gallery.images[1][~mask]).any()
    for gallery in made(setting, METHODS["inversion"]):
        assert (gallery.images == gallery.images[0]).all()


def test_methods_share_their_base_noises(setting):
    """At rho = 0 the equicorrelated coupling is the iid one."""
    for kind in (ObjectInversion, Blending):
        ones, others = (made(setting, kind(law)) for law in (iid(K), equicorrelated(K, rho=0.0)))
        for one, other in zip(ones, others, strict=True):
            assert (one.images == other.images).all()


def test_the_drift_is_read_against_the_law_of_both_regions(setting):
    """<x_i, x_j> / D is one on the object, for a z* of unit variance, and -1/2 around it."""
    _, jobs = setting
    for job, gallery in zip(jobs, made(setting, METHODS["repulsive"]), strict=True):
        share = job.region.double().mean().item()
        assert gallery.drift.target[0][1] == pytest.approx(share - (1 - share) / 2)


def test_pictures_and_models_that_do_not_fit_are_named(setting):
    model, _ = setting
    wrong = build("task", compose(["task=objects", "task.num_pictures=1", "task.patch=16"])).jobs()
    if model.image_size == 64:
        with pytest.raises(UsageError, match=r"task\.patch: a pixel .* stands for 4 pixels"):
            ObjectInversion(iid(K)).check(model, wrong)
    else:
        with pytest.raises(UsageError, match="is 64 x 64, the model's images are 32 x 32"):
            ObjectInversion(iid(K)).check(model, wrong)
    with pytest.raises(UsageError, match="set model=sd15_inpaint"):
        Inpainting(iid(K)).check(model, wrong)


def test_checkpoints_that_do_not_exist_are_named():
    with pytest.raises(UsageError, match=r"task\.checkpoint = 5 is none of .*: 1, 2"):
        refined(iid(K)).part(5)
    with pytest.raises(UsageError, match="Blending has none"):
        Blending(iid(K)).part(10)
    with pytest.raises(UsageError, match=r"\[2, 1\] must be numbers of steps that grow"):
        refined(iid(K), checkpoints=(2, 1))
