"""The comparison as Markdown and as a bar chart."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.bench.gate import SLACK, Deviation
from experiments.bench.scoring import ScoreRate
from experiments.bench.verdict import Hardware, Row
from experiments.figures.style import canvas, save, style

STAGES = ("encode", "couple", "denoise", "decode", "pipeline", "write", "score")


def markdown(
    table: Sequence[Row],
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


def chart(table: Sequence[Row], hardware: Hardware, path: Path) -> tuple[Path, Path]:
    """Bars of galleries a second, whiskers from the slowest round to the fastest."""
    with style():
        figure = canvas(5.5, 0.32 * len(table) + 0.8, layout="constrained")
        axis = figure.subplots()
        places = range(len(table))[::-1]
        colours = ["0.65" if "pipeline" in row.stages else "C0" for row in table]
        slow, rate, fast = zip(*(row.rates for row in table), strict=True)
        axis.barh(places, rate, color=colours, height=0.7)
        spread = [  # a median of equal rounds may lie beside them, by rounding
            [max(0.0, r - s) for r, s in zip(rate, slow, strict=True)],
            [max(0.0, f - r) for f, r in zip(fast, rate, strict=True)],
        ]
        axis.errorbar(rate, places, xerr=spread, fmt="none", ecolor="black", elinewidth=0.8)
        for place, row in zip(places, table, strict=True):
            axis.annotate(
                f"×{row.over_reference:.2f}" + (" fails the gate" if row.reasons else ""),
                (row.rates[2], place),
                (4, 0),
                textcoords="offset points",
                va="center",
            )
        axis.set_yticks(list(places), [f"{row.name}: {row.label}" for row in table])
        axis.set_xlim(0, 1.15 * max(fast))
        axis.set_xlabel(f"galleries a second ({hardware.device}, {hardware.dtype})")
        return save(figure, path)


def _speeds(table: Sequence[Row]) -> str:
    head = (
        "arm", "", "galleries/s", "images/s", "over A", "factor", "FLOP/s", "of peak", "peak MiB",
        "syncs a step", "compile s", "repaid after", "gate",
    )  # fmt: skip
    return _grid(
        head,
        [
            (
                row.name,
                row.label,
                f"{row.rates[1]:.3g} [{row.rates[0]:.3g}, {row.rates[2]:.3g}]",
                f"{row.images:.3g}",
                f"{row.over_reference:.2f}",
                _maybe(row.over_previous, ".2f"),
                _flops(row.flops),
                f"{100 * row.of_peak:.0f} %",
                f"{row.memory:.0f}",
                _maybe(row.synchronisations, ".1f"),
                _maybe(row.compile, ".0f"),
                _maybe(row.repaid_after, ".0f"),
                "fails" if row.reasons else "equal",
            )
            for row in table
        ],
    )


def _stages(table: Sequence[Row]) -> str:
    used = [stage for stage in STAGES if any(stage in row.stages for row in table)]
    lines = [(row.name, *(_maybe(row.stages.get(s), ".4f") for s in used)) for row in table]
    return _grid(("arm", *used), lines)


def _embeddings(table: Sequence[Row]) -> str:
    """What there would be to gain from keeping the embeddings of prompts."""
    ours = [row for row in table if "encode" in row.stages]
    shares = [
        row.stages["encode"] / sum(row.stages[stage] for stage in row.stages if stage != "score")
        for row in ours
    ]
    most = 100 * max(shares, default=0)
    return f"Prompts are encoded again for every batch, for {most:.1f} % at the most."


def _equality(table: Sequence[Row], yardsticks: Mapping[str, Deviation]) -> str:
    def line(name: str, found: Deviation, verdict: str) -> tuple[str, ...]:
        return name, f"{found.latents:.1e}", f"{found.images:.1e}", str(found.worst), verdict

    scale = [line(f"*{name}*", found, "") for name, found in yardsticks.items()]
    rows = [line(r.name, r.deviation, "; ".join(r.reasons) or "equal") for r in table]
    return _grid(("arm", "latents", "images", "largest", "gate"), [*scale, *rows])


def _scoring(scores: Sequence[ScoreRate]) -> str:
    return _grid(
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


def _grid(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, [":--"] + ["--:"] * (len(head) - 1), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _maybe(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _flops(value: float) -> str:
    return f"{value / 1e12:.3g} TFLOP/s"
