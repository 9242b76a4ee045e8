"""The comparison as Markdown, as JSON and as a bar chart."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from experiments.bench.gate import SLACK, Deviation
from experiments.bench.overhead import Overhead
from experiments.bench.scoring import ScoreRate
from experiments.bench.speed import Hardware, Speed
from experiments.bench.verdict import ArmResult
from experiments.figures.style import canvas, save, style
from experiments.galleries.durable import replace_file
from experiments.tables.paper import values
from experiments.tables.typeset import grid

STAGES = ("encode", "couple", "denoise", "decode", "pipeline", "write", "score")


def write(speed: Speed, *, title: str, path: Path) -> str:
    """Writes PATH.json, .md and a bar chart; returns the text."""
    text = markdown(speed, title=title)
    record = asdict(speed)
    del record["settings"]  # in words, for the text
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path.with_suffix(".json"), (json.dumps(record, indent=1) + "\n").encode())
    replace_file(path.with_suffix(".md"), text.encode())
    chart(speed.arms, speed.hardware, path)
    return text


def markdown(speed: Speed, *, title: str) -> str:
    """The tables of a comparison: speeds, stages, how equal the pictures are, and scoring."""
    arms, hardware = speed.arms, speed.hardware
    parts = [
        f"# {title}",
        f"{hardware.device}, {hardware.dtype}, {hardware.threads} threads; its matrix products and "
        f"convolutions reach {_flops(hardware.peak)} in the same run. {speed.settings}",
        _speeds(arms),
        "Galleries a second are medians over the rounds [slowest, fastest]. *over A* compares with "
        "the faster of diffusers' eager arms, *factor* with the arm above. Every arm goes from "
        "prompts to PNG files on disk; ours also hash, flush and describe them.",
        "## Seconds of a gallery by stage",
        _stages(arms),
        "In lanes several batches share the time, so stages add up to more than a gallery takes. "
        "Scoring, with `metrics=tiny`, comes after and is not among the galleries a second. "
        + _embeddings(arms),
        "## The same pictures",
        _equality(arms, speed.yardsticks),
        "Deviation from A: of latents, relative; of images, in grey levels of 255. The gate "
        f"allows {SLACK:g} times what the shape of a batch alone does to A, one grey level, and "
        "metrics within the bootstrap interval of A's.",
        "## Scoring, galleries a second",
        _scoring(speed.scores),
        "Ours takes all galleries at once, the others one after another; the same images, features "
        "and weights. *apart* is the largest difference of a score.",
        "## What coupling and storing add",
        *_added(speed.overhead["here"], speed.overhead["sd15"], last=arms[-1]),
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
            text = f"×{arm.over_reference:.2f}" + (" fails the gate" if arm.reasons else "")
            end = (arm.rates[2], place)
            axis.annotate(text, end, (4, 0), textcoords="offset points", va="center")
        axis.set_yticks(list(places), [f"{arm.name}: {arm.label}" for arm in table])
        axis.set_xlim(0, 1.15 * max(fast))
        axis.set_xlabel(f"galleries a second ({hardware.device}, {hardware.dtype})")
        return save(figure, path)


def _speeds(table: Sequence[ArmResult]) -> str:
    columns = {
        "arm": lambda arm: arm.name,
        "": lambda arm: arm.label,
        "galleries/s": lambda arm: "{1:.3g} [{0:.3g}, {2:.3g}]".format(*arm.rates),
        "images/s": lambda arm: f"{arm.images:.3g}",
        "over A": lambda arm: f"{arm.over_reference:.2f}",
        "factor": lambda arm: _maybe(arm.over_previous, ".2f"),
        "FLOP/s": lambda arm: _flops(arm.flops),
        "of peak": lambda arm: f"{100 * arm.of_peak:.0f} %",
        "peak MiB": lambda arm: f"{arm.memory:.0f}",
        "compile s": lambda arm: _maybe(arm.compile, ".0f"),
        "repaid after": lambda arm: _maybe(arm.repaid_after, ".0f"),
        "gate": lambda arm: "fails" if arm.reasons else "equal",
    }
    return grid(tuple(columns), [[told(arm) for told in columns.values()] for arm in table])


def _stages(table: Sequence[ArmResult]) -> str:
    used = [stage for stage in STAGES if any(stage in arm.stages for arm in table)]
    lines = [(arm.name, *(_maybe(arm.stages.get(s), ".4f") for s in used)) for arm in table]
    return grid(("arm", *used), lines)


def _embeddings(table: Sequence[ArmResult]) -> str:
    """What there would be to gain from keeping the embeddings of prompts."""
    made = [{**arm.stages, "score": 0.0} for arm in table if arm.is_ours]
    most = max((seconds["encode"] / sum(seconds.values()) for seconds in made), default=0)
    return f"Prompts are encoded again for every batch, for {100 * most:.1f} % at the most."


def _equality(table: Sequence[ArmResult], yardsticks: Mapping[str, Deviation]) -> str:
    def line(name: str, found: Deviation, verdict: str) -> tuple[str, ...]:
        return name, f"{found.latents:.1e}", f"{found.images:.1e}", str(found.worst), verdict

    scale = [line(f"*{name}*", found, "") for name, found in yardsticks.items()]
    lines = [line(r.name, r.deviation, "; ".join(r.reasons) or "equal") for r in table]
    return grid(("arm", "latents", "images", "largest", "gate"), [*scale, *lines])


def _scoring(scores: Sequence[ScoreRate]) -> str:
    lines = [
        (
            rate.score,
            rate.package,
            f"{rate.theirs:.3g}",
            f"{rate.ours:.3g}",
            f"{rate.ours / rate.theirs:.1f}",
            f"{rate.apart:.0e}",
        )
        for rate in scores
    ]
    return grid(("score", "one at a time", "by it", "ours", "factor", "apart"), lines)


def _added(here: Overhead, sd15: Overhead, *, last: ArmResult) -> tuple[str, str]:
    """The arithmetic, here and for a gallery of the paper's model."""
    rate, paper = last.rates[1], values("table4", "sd15")["iid"]["seconds"][0]
    return (
        f"Here, a gallery of {last.name} takes {1e3 / rate:.0f} ms. {_sum(here)}: "
        f"{100 * here.added * rate:.2f} %.",
        f"Stable Diffusion 1.5 at 512 px, whose gallery takes the paper {paper} s: "
        f"{_sum(sd15)}: {100 * sd15.added / paper:.2f} %. In a lane it is done "
        "beside the next batch's denoising, and takes nothing off a GPU's time.",
    )


def _sum(found: Overhead) -> str:
    return (
        f"Coupling {1e3 * found.coupling:.1f} ms, statistics {1e3 * found.drift:.1f} ms, and a "
        f"commit of {1e3 * found.commit:.1f} ms in place of a plain save of "
        f"{1e3 * found.save:.1f} ms add {1e3 * found.added:.1f} ms"
    )


def _maybe(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _flops(value: float) -> str:
    return f"{value / 1e12:.3g} TFLOP/s"
