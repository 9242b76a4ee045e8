"""The main job: compose a configuration, generate what is missing, score it, write its table.

    python -m experiments.run model=tiny coupling=repulsive
    python -m experiments.run experiment=table1 model=tiny
    python -m experiments.run -m coupling=iid,repulsive

A sweep over methods (-m) ends in a table of its runs. A mistake in the configuration ends the run
before any model is loaded. Exit status: 0 done, 1 an error in one line, 75 pre-empted (see
`preemption`), 130 stopped by Ctrl-C.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from experiments.compose import (
    CONFIGS,
    Config,
    build,
    mistakes,
    plain,
    published,
    require_kinds,
    rows_of,
    start,
)
from experiments.errors import UsageError, command
from experiments.inputs.prompts import from_file
from experiments.inputs.settings import require_writable

if TYPE_CHECKING:  # torch and the networks load when they are needed, not for --help
    import pandas as pd

    from experiments.cells.cell import Cell


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="config")
def main(config: DictConfig) -> None:
    overrides = HydraConfig.get().overrides.task
    with command(), mistakes(overrides, name="config"):
        _check(config, overrides)

        from experiments.workers.preemption import requeueable

        with requeueable():
            run(config, overrides=overrides)


def run(config: Config, *, overrides: Sequence[str]) -> None:
    """Makes and scores the cells of a configuration; writes their table, if it is one.

    The tracking service, if there is one, is told of it meanwhile, and of what came of it.

    Args:
        overrides: what composed `config`; every table row adds overrides of its own.

    Raises:
        UsageError: something that the user can mend.
    """
    from experiments.cells.build import cells_of
    from experiments.cells.measure import unfinished
    from experiments.cells.plan import headline, plan

    rows = rows_of(config, overrides)
    cells = cells_of(rows)
    print(headline(config.table.name if config.table else cells[0].label, cells))
    notes = tuple(dict.fromkeys(note for cell in cells for note in cell.notes))
    for note in notes:
        print(note)
    if config.plan:
        lines = [line for cell in cells for line in plan(cell)]
        print("\n".join([*lines, *_power(cells, config)]))
    elif config.shard:
        _make_shard(cells, config.shard)
    else:
        with _tracking(cells, config, rows) as tell:
            scores = _scores(cells, config)
            if len(scores):
                files = _publish(cells, scores, config, rows, notes=notes)
                if tell:
                    tell(scores, model=config.model.name, files=files)
        if lack := unfinished(cells):
            raise UsageError(lack)


def _power(cells: Sequence["Cell"], config: Config) -> list[str]:
    """How many prompts would show an effect of 1 %, at the spread that was measured so far.

    By what the cells have been scored, or else by the table that was published of this model.
    """
    from experiments.report.committed import read_scores
    from experiments.tables.power import measured, planned

    if not config.table:
        return []
    scores = measured(cells)
    published = Path(config.results_dir, config.table.name, f"{config.model.name}-scores.csv")
    if scores.empty and published.is_file():
        scores = read_scores(published)
    pairs = [
        (row, one)
        for row, against in plain(config.table)["baselines"].items()
        for one in ([against] if isinstance(against, str) else against)
    ]
    unknown = "prompts that show an effect of 1 %: unknown, as no two rows are scored"
    return list(planned(scores, pairs, cells[0].suite.scores)) or [unknown]


def _make_shard(cells: Sequence["Cell"], shard: str) -> None:
    """Makes the galleries of a shard, and scores none."""
    from experiments.cells.measure import make, unfinished

    make(cells, scored=False)
    if lack := unfinished(cells):
        raise UsageError(lack)
    productions = [cell.production for cell in cells if cell.production]
    lacking = sum(len(production.missing_everywhere()) for production in productions)
    print(f"shard {shard} is done; {lacking} galleries of the others are missing")


def _scores(cells: Sequence["Cell"], config: Config) -> "pd.DataFrame":
    """The score rows of all cells: of what their galleries show, or of what they cost."""
    from experiments.cells.cost import time_galleries
    from experiments.cells.measure import make, score, unfinished

    if config.table and (timing := config.table.get("timing")):
        return time_galleries(cells, **timing)
    make(cells)
    scores = score(cells)
    if config.table and not config.allow_partial and (lack := unfinished(cells)):
        raise UsageError(f"{lack}; allow_partial=true makes the table of the others")
    return scores


def _publish(
    cells: Sequence["Cell"],
    scores: "pd.DataFrame",
    config: Config,
    rows: Mapping[str, Config],
    *,
    notes: Sequence[str],
) -> Sequence[Path]:
    """Writes and prints the table of a configuration, or the summary of its one cell."""
    from experiments.report.publish import end_in, publish, summarise
    from experiments.tables.spec import spec_of

    shown: dict[str, Any] = {
        "model": config.model.name,
        "configs": {label: published(row) for label, row in rows.items()},
        "report": plain(config.report),
    }
    if not config.table:
        return summarise(cells, scores, **shown)
    table = plain(config.table)
    figures = build("table.figures", config) or {}
    written = publish(
        spec_of(table, cells, scores, notes=notes),
        cells,
        scores,
        folder=Path(config.results_dir) / table["name"],
        figures={name: draw for name, draw in figures.items() if draw},
        allow_partial=config.allow_partial,
        **shown,
    )
    print(written)
    end_in(written.page)
    return [*written.files, written.page]


def _tracking(
    cells: Sequence["Cell"], config: Config, rows: Mapping[str, Config]
) -> AbstractContextManager[Any]:
    """What tells the tracking service, if there is one; or None."""
    tracker = build("tracking", config)
    if not tracker:
        return nullcontext()
    configs = {label: plain(row) for label, row in rows.items()}
    return tracker.watching(cells, configs=configs, table=config.table and config.table.name)


def _sweep(words: Sequence[str]) -> None:
    """Writes the table of a sweep that has ended."""
    if "-m" in words or "--multirun" in words:
        from experiments.cells.sweep import table_of_sweep

        with command():
            if found := table_of_sweep(words):
                config, shared = found
                run(config, overrides=shared)


def _check(config: Config, overrides: Sequence[str]) -> None:
    """Raises UsageError for what can be told before torch is imported."""
    require_kinds(config, overrides)
    if not config.plan:
        require_writable("output_dir", Path(config.output_dir))
        require_writable("results_dir", Path(config.results_dir))
    if (prompts := dict(config.prompts)).pop("_target_", "") == "experiments.tasks.from_file":
        prompts.pop("_partial_", None)
        from_file(config.task.get("num_prompts"), **prompts)


if __name__ == "__main__":
    start(main, name="config")
    _sweep(sys.argv[1:])
