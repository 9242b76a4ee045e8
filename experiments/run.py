"""The main job: compose a configuration, generate what is missing, score it, write its table.

    python -m experiments.run model=tiny coupling=repulsive
    python -m experiments.run experiment=table1 model=tiny

A mistake in the configuration ends the run before any model is loaded.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from experiments.compose import CONFIGS, build, cells_of, rows_of
from experiments.errors import UsageError


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="config")
def main(config: DictConfig) -> None:
    try:
        run(config, overrides=HydraConfig.get().overrides.task)
    except UsageError as error:
        sys.exit(f"error: {error}")


def run(config: DictConfig, *, overrides: Sequence[str]) -> None:
    """Generates and scores the cells of a configuration; writes their table, if it is one.

    Args:
        overrides: what composed `config`; every row of a table adds overrides of its own.

    Raises:
        UsageError: something that the user can mend.
    """
    rows = rows_of(config, overrides)
    cells = cells_of(rows)

    notes = tuple(dict.fromkeys(note for cell in cells for note in cell.notes))
    for note in notes:
        print(note)

    from experiments.measure import score_galleries
    from experiments.publish import publish, summarise
    from experiments.tables import TableSpec

    if config.table is None:
        scores = score_galleries(cells)
        summarise(cells[0], scores)
        return
    table = OmegaConf.to_container(config.table, resolve=True)
    measure, figures = build("table.measure", config), build("table.figures", config)
    scores = measure(cells)
    measured = set(scores["metric"])
    publish(
        TableSpec(
            name=table["name"],
            title=table["title"],
            rows=list(rows),
            columns={name: column for name, column in table["columns"].items() if name in measured},
            baselines={
                row: baseline
                for row, baseline in table["baselines"].items()
                if table["rows"].get(row, ()) is not None
            },
            paper=table["paper"],
            jobs=len(cells[0].jobs),
            unit=table.get("unit", "prompt"),
            notes=notes,
        ),
        cells,
        scores,
        model=config.model.name,
        folder=Path(config.results_dir) / config.table.name,
        configs={label: OmegaConf.to_container(row) for label, row in rows.items()},
        figures={name: draw for name, draw in (figures or {}).items() if draw},
    )


if __name__ == "__main__":
    main()
