"""The comparison as Markdown and as a bar chart."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.bench.gate import SLACK, Deviation
from experiments.bench.scoring import ScoreRate
from experiments.bench.verdict import ArmResult, Hardware
from experiments.figures.style import canvas, save, style
from experiments.tables.typeset import grid

STAGES = ("encode", "couple", "denoise", "decode", "pipeline", "write", "score")


def markdown(
    table: Sequence[ArmResult],
    hardware: Hardware,
    *,
    title: str,
    settings: str,
    yardsticks: Mapping[str, Deviation],
    scores: Sequence[ScoreRate],
    notes: Sequence[str],
) -> str:
    """The tables of a comparison: speeds, stages, how equal the pictures are, and scoring."""
    parts = [
        f"# {title}",
        f"{hardware.device}, {hardware.dtype}, {hardware.threads} threads; its matrix products and "
        f"convolutions reach {_flops(hardware.peak)} in the same run. {settings}",
        _speeds(table),
        "Galleries a second are medians over the rounds [slowest, fastest]. *over A* compares with "
        "the faster of diffusers' eager arms, *factor* with the arm above. Every arm goes from "
        "prompts to PNG files on disk; ours also hash, flush and describe them.",
        "## Seconds of a gallery by stage",
        _stages(table),
        "In lanes several batches share the time, so stages add up to more than a gallery takes. "
        "Scoring, with `metrics=tiny`, comes after and is not among the galleries a second. "
        + _embeddings(table),
        "## The same pictures",
        _equality(table, yardsticks),
        "Deviation from A: of latents, relative; of images, in grey levels of 255. The gate "
        f"allows {SLACK:g} times what the shape of a batch alone does to A, one grey level, and "
        "metrics within the bootstrap interval of A's.",
        "## Scoring, galleries a second",
        _scoring(scores),
        "Ours takes all galleries at once, the others one after another; the same images, features "
        "and weights. *apart* is the largest difference of a score.",
        *notes,
    ]
    return "\n\n".join(parts) + "\n"


def chart(table: Sequence[ArmResult], hardware: Hardware, path: Path) -> tuple[Path, Path]:
    """Bars of galleries a second, whiskers from the slowest round to the fastest."""
    with style():
        figure = canvas(5.5, 0.32 * len(table) + 0.8, layout="constrained")
        axis = figure.subplots()
        places = range(len(table))[::-1]
        colours = ["C0" if arm.is_ours else "0.65" for arm in table]
        slow, rate, fast = zip(*(arm.rates for arm in table), strict=True)
        axis.barh(places, rate, color=colours, height=0.7)
        spread = [  # a median of equal rounds may lie beside them, by rounding
            [max(0.0, r - s) for r, s in zip(rate, slow, strict=True)],
            [max(0.0, f - r) for f, r in zip(fast, rate, strict=True)],
        ]
        axis.errorbar(rate, places, xerr=spread, fmt="none", ecolor="black", elinewidth=0.8)
        for place, arm in zip(places, table, strict=True):
            axis.annotate(
                f"×{arm.over_reference:.2f}" + (" fails the gate" if arm.reasons else ""),
                (arm.rates[2], place),
                (4, 0),
                textcoords="offset points",
                va="center",
            )
        axis.set_yticks(list(places), [f"{arm.name}: {arm.label}" for arm in table])
        axis.set_xlim(0, 1.15 * max(fast))
        axis.set_xlabel(f"galleries a second ({hardware.device}, {hardware.dtype})")
        return save(figure, path)


def _speeds(table: Sequence[ArmResult]) -> str:
    head = (
        "arm", "", "galleries/s", "images/s", "over A", "factor", "FLOP/s", "of peak", "peak MiB",
        "compile s", "repaid after", "gate",
    )  # fmt: skip
    return grid(
        head,
        [
            (
                arm.name,
                arm.label,
                f"{arm.rates[1]:.3g} [{arm.rates[0]:.3g}, {arm.rates[2]:.3g}]",
                f"{arm.images:.3g}",
                f"{arm.over_reference:.2f}",
                _maybe(arm.over_previous, ".2f"),
                _flops(arm.flops),
                f"{100 * arm.of_peak:.0f} %",
                f"{arm.memory:.0f}",
                _maybe(arm.compile, ".0f"),
                _maybe(arm.repaid_after, ".0f"),
                "fails" if arm.reasons else "equal",
            )
            for arm in table
        ],
    )


def _stages(table: Sequence[ArmResult]) -> str:
    used = [stage for stage in STAGES if any(stage in arm.stages for arm in table)]
    lines = [(arm.name, *(_maybe(arm.stages.get(s), ".4f") for s in used)) for arm in table]
    return grid(("arm", *used), lines)


def _embeddings(table: Sequence[ArmResult]) -> str:
    """What there would be to gain from keeping the embeddings of prompts."""
    ours = [arm for arm in table if arm.is_ours]
    shares = [
        arm.stages["encode"] / sum(arm.stages[stage] for stage in arm.stages if stage != "score")
        for arm in ours
    ]
    most = 100 * max(shares, default=0)
    return f"Prompts are encoded again for every batch, for {most:.1f} % at the most."


def _equality(table: Sequence[ArmResult], yardsticks: Mapping[str, Deviation]) -> str:
    def line(name: str, found: Deviation, verdict: str) -> tuple[str, ...]:
        return name, f"{found.latents:.1e}", f"{found.images:.1e}", str(found.worst), verdict

    scale = [line(f"*{name}*", found, "") for name, found in yardsticks.items()]
    lines = [line(r.name, r.deviation, "; ".join(r.reasons) or "equal") for r in table]
    return grid(("arm", "latents", "images", "largest", "gate"), [*scale, *lines])


def _scoring(scores: Sequence[ScoreRate]) -> str:
    return grid(
        ("score", "one at a time", "by it", "ours", "factor", "apart"),
        [
            (
                rate.score,
                rate.package,
                f"{rate.theirs:.3g}",
                f"{rate.ours:.3g}",
                f"{rate.ours / rate.theirs:.1f}",
                f"{rate.apart:.0e}",
            )
            for rate in scores
        ],
    )


def _maybe(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _flops(value: float) -> str:
    return f"{value / 1e12:.3g} TFLOP/s"
