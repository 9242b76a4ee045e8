"""Theorem A.3: what a coupling changes to first order, known from independent noises alone.

Along R(t) = (1 - t) I + t R, Price's theorem gives

    d/dt E_t[F] = sum_{i<j} R_ij E_t[tr d2F / dx_i dx_j],

so E_R[F] is about E_I[F] + sum_{i<j} R_ij E_I[tr d2F / dx_i dx_j]. Where F is a mean over pairs of
f(x_i, x_j), integrating by parts twice (Stein) rids it of derivatives,

    E_I[tr d2f / dx dy] = E[f(x, y) <x, y>],   x, y iid N(0, I),

and so the prediction can be had for any model, smooth or not, from N independent images of a
prompt: their N (N - 1) / 2 pairs. Row and column means are taken off f first, which changes the
expectation by the factor 1 - 2/N alone and removes most of the variance.

On a linear generator the squared distance is quadratic in the noises, so first order is exact, and
the RBF similarity is not: its remainder must fall as t^2. On the bundled model both have one.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from coupling import base_noise, equicorrelated, from_correlation, repulsive
from coupling.learned import random_coupling
from coupling.optimizers.reward import of_pairs
from experiments.figures.style import canvas, save, style
from experiments.models.condition import repeat_rows
from experiments.models.model import Model
from experiments.tasks.job import jobs_of
from experiments.tasks.prompts import captions
from experiments.theory.evidence import Evidence, mean_and_error, require, squared_distances
from experiments.theory.separation import similarity

STATEMENT = "Theorem A.3"
TIMES = (0.25, 0.5, 0.75, 1.0)
STANDARD_ERRORS = 4

SIZE = 3
DIMENSION, FEATURES, SAMPLES, BANDWIDTH = 24, 6, 40_000, 12.0  # of the linear generator
PROMPTS, POOL, GALLERIES = 16, 48, 6  # of the bundled model: prompts, images and galleries of each
IMAGE_BANDWIDTH = 0.2  # h^2 = 0.04, about the mean squared difference of two images

PairFunction = Callable[[Tensor], Tensor]
"""Of squared distances, elementwise: f = g(|G(x) - G(y)|^2)."""


def price_slope(values: Tensor, noises: Tensor) -> Tensor:
    """The slope E_I[tr d2f / dx dy], estimated from N independent draws, unbiased.

    values: f of all pairs, (N, N), symmetric, the diagonal ignored; noises: (N, *shape).
    """
    count = len(values)
    off = 1 - torch.eye(count, dtype=values.dtype)
    values = values * off
    means = values.sum(1) / (count - 1)
    centred = (values - means[:, None] - means[None, :] + means.mean()) * off
    inner = noises.flatten(1).to(values) @ noises.flatten(1).to(values).T
    return (centred * inner).sum() / (count * (count - 1)) / (1 - 2 / count)


def check_linear(folder: Path) -> Evidence:
    """G(x) = L x, along R(t) to a random R: distance exactly linear, similarity to first order."""
    generator = torch.Generator().manual_seed(0)
    linear = torch.randn(FEATURES, DIMENSION, dtype=torch.float64, generator=generator)
    target = random_coupling(SIZE, SIZE, seed=0).correlation
    base = torch.randn(SIZE, SAMPLES, DIMENSION, dtype=torch.float64, generator=generator)
    pool = torch.randn(2_000, DIMENSION, dtype=torch.float64, generator=generator)
    total = of_pairs(target).mean().item()
    eigenvalues = torch.linalg.eigvalsh(linear @ linear.T)
    scaled = eigenvalues / BANDWIDTH**2

    def sampled(t: float, function: PairFunction) -> tuple[float, float]:
        """Mean and standard error of F at R(t), less its value on the independent noises."""
        noises = (from_correlation(along(t)).couple(base), base)
        after, before = (function(squared_distances(x @ linear.T)).mean(0) for x in noises)
        return mean_and_error(after - before)

    def along(t: float) -> Tensor:
        return (1 - t) * torch.eye(SIZE, dtype=torch.float64) + t * target

    def exact(t: float) -> float:
        """The change of the similarity at R(t)."""
        bandwidth = torch.tensor([BANDWIDTH], dtype=torch.float64)
        return (similarity(along(t), eigenvalues, bandwidth) - independent).item()

    features = pool @ linear.T
    squared = (features[:, None] - features[None]).square().sum(-1)
    independent = (1 + 2 * scaled).rsqrt().prod()
    slopes = {
        "distance": -2 * eigenvalues.sum(),
        "similarity": independent * (scaled / (1 + 2 * scaled)).sum(),
    }
    measured, curves = [], {}
    for name, function in _functions(BANDWIDTH).items():
        slope = float(slopes[name])
        stein = price_slope(function(squared), pool).item()
        require(abs(stein / slope - 1) < 0.1, STATEMENT, f"{name}: slope {stein}, exact {slope}")
        curves[name] = ([sampled(t, function) for t in TIMES], [total * slope * t for t in TIMES])
        measured.append(f"{name}: slope {total * slope:+.4g}, by Stein {total * stein:+.4g}")
    worst = max(abs(m - p) / e for (m, e), p in zip(*curves["distance"], strict=True))
    require(worst < STANDARD_ERRORS, STATEMENT, f"distance is {worst:.1f} errors off its line")
    ratio = _halving(exact, total * float(slopes["similarity"]))
    errors = [
        abs(m - exact(t)) / e for (m, e), t in zip(curves["similarity"][0], TIMES, strict=True)
    ]
    require(max(errors) < STANDARD_ERRORS, STATEMENT, f"similarity is {max(errors):.1f} errors off")
    text = (
        f"Linear generator, K = {SIZE}, random R. {'; '.join(measured)}. The distance follows its "
        f"line within {worst:.1f} standard errors up to t = 1; halving t multiplies the "
        f"similarity's remainder by {ratio:.3f}"
    )
    return Evidence(f"{STATEMENT}, linear", text, _draw(curves, folder / "first-order-linear"))


def _halving(exact: Callable[[float], float], slope: float) -> float:
    """What halving t multiplies the remainder of first order by: 1/4 if it falls as t^2."""
    remainders = [exact(t) - t * slope for t in (0.02, 0.01)]
    ratio = remainders[1] / remainders[0]
    require(0.22 < ratio < 0.28, STATEMENT, f"halving t multiplies the remainder by {ratio:.3f}")
    return ratio


def check_bundled(folder: Path) -> Evidence:
    """The bundled model changes as predicted along R(t) to the repulsive coupling."""
    model = bundled()
    jobs = jobs_of(captions(PROMPTS, seed=0))
    functions = _functions(IMAGE_BANDWIDTH)
    total = repulsive(SIZE).correlation[0, 1].item()
    slopes: dict[str, list[float]] = {name: [] for name in functions}
    changes: dict[str, list[Tensor]] = {name: [] for name in functions}
    for job in jobs:
        noises = base_noise(model.noise_shape, seed=1, job=job.id, members=range(POOL))
        squared = _mean_squares(_images(model, noises, job.prompt))
        for name, function in functions.items():
            slopes[name].append(total * price_slope(function(squared), noises).item())
        rows = [_along(model, job.prompt, f"{job.id} {g}", functions) for g in range(GALLERIES)]
        for name in functions:
            changes[name].append(torch.tensor([row[name] for row in rows]).mean(0))
    curves, measured = {}, []
    for name in functions:
        slope, slope_error = mean_and_error(torch.tensor(slopes[name], dtype=torch.float64))
        means = [mean_and_error(column) for column in torch.stack(changes[name]).unbind(1)]
        curves[name] = (means, [slope * t for t in TIMES])
        (early, early_error), (last, last_error) = means[0], means[-1]
        t = TIMES[0]
        off = abs(early - t * slope) / (early_error**2 + (t * slope_error) ** 2) ** 0.5
        require(off < STANDARD_ERRORS, STATEMENT, f"{name} is {off:.1f} errors off at t = {t}")
        require((last < 0) == (slope < 0), STATEMENT, f"{name}: predicted {slope}, measured {last}")
        measured.append(
            f"{name}: predicted {slope:+.4f} ± {slope_error:.4f} at t = 1, measured "
            f"{last:+.4f} ± {last_error:.4f}; at t = {t} {off:.1f} standard errors apart"
        )
    text = (
        f"Bundled model, {model.process.num_steps} sampler steps, K = {SIZE}, {PROMPTS} prompts, "
        f"{POOL} independent images and {GALLERIES} galleries of each. {'; '.join(measured)}"
    )
    return Evidence(f"{STATEMENT}, bundled model", text, _draw(curves, folder / "first-order-tiny"))


def bundled() -> Model:
    """The bundled model with few sampler steps."""
    from experiments.models.stable_diffusion import StableDiffusion

    return StableDiffusion.load(
        name="tiny",
        source=str(Path(__file__).parents[1] / "models" / "tiny" / "pipeline"),
        revision=None,
        variant=None,
        image_size=64,
        num_steps=6,
        guidance=5.0,
        dtype="float32",
        device="auto",
    )


def _along(
    model: Model, prompt: str, job: str, functions: dict[str, PairFunction]
) -> dict[str, list[float]]:
    """The change of every mean pair function from t = 0 to each of TIMES, on one base noise."""
    base = base_noise(model.noise_shape, seed=2, job=job, members=range(SIZE))
    lowest = repulsive(SIZE).correlation[0, 1].item()
    laws = [equicorrelated(SIZE, t * lowest) for t in (0.0, *TIMES)]
    images = _images(model, torch.cat([law.couple(base) for law in laws]), prompt)
    squared = torch.stack([of_pairs(_mean_squares(each)) for each in images.split(SIZE)])
    values = {name: function(squared).mean(1) for name, function in functions.items()}
    return {name: (value[1:] - value[0]).tolist() for name, value in values.items()}


@torch.inference_mode()
def _images(model: Model, noises: Tensor, prompt: str) -> Tensor:
    """The images of noises, (N, 3, H, W) in [0, 1], float64, on the CPU."""
    condition = repeat_rows(model.encode_prompts([prompt]), len(noises))
    return model.decode(model.sample(noises, condition)).cpu().double()


def _mean_squares(images: Tensor) -> Tensor:
    """Mean squared differences of all pairs, (N, N)."""
    flat = images.flatten(1)
    distances = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.square() / flat.shape[1]


def _functions(bandwidth: float) -> dict[str, PairFunction]:
    return {
        "distance": lambda squared: squared,
        "similarity": lambda squared: (-squared / (2 * bandwidth**2)).exp(),
    }


def _draw(curves: dict[str, tuple[list[tuple[float, float]], list[float]]], path: Path) -> Path:
    with style():
        figure = canvas(6, 2.5)
        axes = figure.subplots(1, len(curves))
        for axis, (name, (points, predicted)) in zip(axes, curves.items(), strict=True):
            axis.axhline(0, color="#999999", linewidth=0.6)
            axis.plot([0, *TIMES], [0, *predicted], color="#0072B2", label="first order")
            means, errors = zip(*points, strict=True)
            axis.errorbar(
                TIMES, means, [2 * e for e in errors], fmt="o", markersize=4, color="#D55E00",
                label="measured, ± 2 errors",
            )  # fmt: skip
            axis.set(xlabel="t", title=f"change of the {name}")
        axes[0].legend()
        return save(figure, path)[0]
