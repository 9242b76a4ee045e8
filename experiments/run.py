"""The main job: compose a configuration, generate what is missing, score it, write its table.

    python -m experiments.run model=tiny coupling=repulsive
    python -m experiments.run experiment=table1 model=tiny

A mistake in the configuration ends the run before any model is loaded. Exit status: 0 done, 1 an
error in one line, 75 pre-empted (see `preemption`), 130 stopped by Ctrl-C.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from experiments.compose import CONFIGS, build, rows_of
from experiments.errors import UsageError, command

if TYPE_CHECKING:  # the networks of metrics load when they are needed, not for --help
    from metrics import MetricSuite


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="config")
def main(config: DictConfig) -> None:
    with command():
        from experiments.workers.preemption import requeueable

        with requeueable():
            run(config, overrides=HydraConfig.get().overrides.task)


def run(config: DictConfig, *, overrides: Sequence[str]) -> None:
    """Generates and scores the cells of a configuration; writes their table, if it is one.

    What came of it is told to the tracking service, if there is one, when all else is done.

    Args:
        overrides: what composed `config`; every row of a table adds overrides of its own.

    Raises:
        UsageError: something that the user can mend.
    """
    from experiments.cells.build import cells_of

    rows = rows_of(config, overrides)
    cells = cells_of(rows)
    notes = tuple(dict.fromkeys(note for cell in cells for note in cell.notes))
    for note in notes:
        print(note)
    if config.plan:
        from experiments.cells.plan import plan

        print("\n".join(line for cell in cells for line in plan(cell)))
        return

    from experiments.cells.measure import generate_galleries, score_galleries, unfinished
    from experiments.report.publish import publish, summarise
    from experiments.tables.table import TableSpec

    if config.shard:
        generate_galleries(cells)
        if lack := unfinished(cells):
            raise UsageError(lack)
        lacking = sum(len(cell.lacking()) for cell in cells)
        print(f"shard {config.shard} is done; {lacking} galleries of the others are missing")
        return
    model = config.model.name
    shown = {
        "configs": {label: OmegaConf.to_container(row) for label, row in rows.items()},
        "report": OmegaConf.to_container(config.report, resolve=True),
    }
    track = partial(build("tracking", config) or _untracked, configs=_resolved(rows), model=model)
    if config.table is None:
        scores = score_galleries(cells)
        if not scores.empty:
            summarise(cells[0], scores, model=model, **shown)
            track(cells, scores)
        if lack := unfinished(cells):
            raise UsageError(lack)
        return
    table = OmegaConf.to_container(config.table, resolve=True)
    measure, figures = build("table.measure", config), build("table.figures", config)
    scores = measure(cells)
    lack = unfinished(cells)
    if lack and not config.allow_partial:
        raise UsageError(f"{lack}; allow_partial=true makes the table of the others")
    files = publish(
        TableSpec(
            name=table["name"],
            title=table["title"],
            rows=list(rows),
            columns=_columns(
                table["columns"], measured=set(scores["metric"]), suite=cells[0].suite
            ),
            baselines={
                row: baselines
                for row, baselines in table["baselines"].items()
                if table["rows"].get(row, ()) is not None
            },
            paper=table["paper"],
            jobs=len(cells[0].jobs),
            unit=table.get("unit", "prompt"),
            notes=notes,
        ),
        cells,
        scores,
        folder=Path(config.results_dir) / config.table.name,
        figures={name: draw for name, draw in (figures or {}).items() if draw},
        model=model,
        allow_partial=config.allow_partial,
        **shown,
    )
    track(cells, scores, table=table["name"], files=files)
    if lack:
        raise UsageError(lack)


def _columns(named: dict, *, measured: set[str], suite: "MetricSuite") -> dict:
    """Those of a table's columns that were measured, and a plain one for each score beside them."""
    plain = {
        name: {"label": name, "better": "neutral", "digits": 3}
        for name in suite.scores
        if name not in named
    }
    return {name: column for name, column in (named | plain).items() if name in measured}


def _untracked(*_, **__) -> None:
    """tracking=none"""


def _resolved(rows: dict[str, DictConfig]) -> dict[str, dict]:
    return {label: OmegaConf.to_container(row, resolve=True) for label, row in rows.items()}


if __name__ == "__main__":
    main()
