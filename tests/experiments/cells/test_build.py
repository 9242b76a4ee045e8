"""Cells that ask for the same share it: a network is loaded once, however many rows there are."""

from experiments.cells.build import cells_of
from experiments.compose import compose, rows_of


def test_rows_share_networks_and_workers_and_another_setting_has_its_own():
    words = ["experiment=demo", "seeds=[0,1]"]
    one, *others = cells_of(rows_of(compose(words), words))
    assert len(others) == 3
    for other in others:
        assert other.suite.features["clip"] is one.suite.features["clip"]
        assert other.suite is not one.suite  # what is kept of features is of a cell
        assert other.production.workers is one.production.workers
    words += ["+table.rows.half=['metrics.batch_size=8']"]
    *_, last = cells_of(rows_of(compose(words), words))
    assert last.suite.features["clip"] is not one.suite.features["clip"]
