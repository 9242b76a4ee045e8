"""A page holds what the table has, and repeats byte by byte."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.cells.account import account
from experiments.cells.production import Production
from experiments.galleries.folder import CellFolder
from experiments.report.distribution import HEIGHT, WIDTH, distributions
from experiments.report.effects import effects
from experiments.report.noise import averages, mean_drift
from experiments.report.page import page
from experiments.report.pictures import photo
from experiments.report.settings import overrides, settings
from experiments.tables import table as tables
from experiments.tables.results import Results
from experiments.tables.scorerows import PROVENANCE
from experiments.tables.spec import TableSpec
from experiments.tasks.job import jobs_of

HOSTILE = '</script><img src="http://example.com/x.png">'


def results(effects=(0.1, -0.3), *, prompt="a bed") -> Results:
    """Two rows over 20 prompts against a third, in two metrics; `passes` is constant."""
    rng = np.random.default_rng(0)
    base = rng.normal(1.0, 0.1, 20)
    made = dict.fromkeys(PROVENANCE, "-")
    rows = {"iid": base, "one": base + effects[0] + rng.normal(0, 0.05, 20)}
    rows["two"] = base + effects[1] + rng.normal(0, 0.05, 20)
    scores = pd.DataFrame(
        {"row": row, "job": f"{j}", "prompt": f"{prompt} {j}", "metric": metric, "value": v, **made}
        for row, values in rows.items()
        for j, value in enumerate(values)
        for metric, v in (("l2", value), ("passes", 75.0))
    )
    spec = TableSpec(
        name="own",
        title=f"Own {HOSTILE}",
        rows=list(rows),
        columns={
            "l2": {"label": "L2", "better": "higher", "digits": 3},
            "passes": {"label": "passes", "better": "neutral", "digits": 0},
        },
        baselines={"one": "iid", "two": "iid"},
        paper=None,
        jobs=20,
    )
    return Results(tables.build(spec, scores, paper_model="tiny"), scores)


MADE_BY = {
    "configs": {
        row: {"seed": 0, "coupling": {"size": size}, "table": {"rows": {"two": ["task.K=4"]}}}
        for row, size in (("iid", 3), ("one", 3), ("two", 4))
    },
    "cells": {
        row: {
            "median_seconds_per_gallery": {"couple": 0.5, "denoise": seconds},
            "coupling_share": 0.5 / (0.5 + seconds),
        }
        for row, seconds in (("iid", 1.5), ("one", 1.5), ("two", 3.5))
    },
}


def shown(results: Results) -> str:
    return page(results, made_by=MADE_BY, pictures={}, galleries=None, pixels=64)


def test_a_page_repeats_byte_by_byte_and_believes_no_text():
    first, second = (shown(results()) for _ in range(2))
    assert first == second
    assert HOSTILE not in first and "&lt;/script&gt;" in first


def test_bars_of_a_metric_have_one_scale_with_no_effect_in_the_middle():
    table = results().table
    bars = {}
    for (row, _), (effect, _) in effects(table).items():
        test = table.cell(row, "l2").comparison.test
        assert effect.comparison.test == test
        low, high = effect.comparison.corrected
        ends = (low, test.ci_low, test.difference, test.ci_high, high)
        bars[row] = [effect.place(x) for x in ends]
        assert sorted(bars[row]) == bars[row]
    ends = [end for low, *_, high in bars.values() for end in (low, high)]
    assert min(ends) == pytest.approx(3) or max(ends) == pytest.approx(97)
    assert bars["two"][-1] < 50 < bars["one"][0]
    one, two = (table.cell(row, "l2").comparison.test.difference for row in ("one", "two"))
    ratio = (bars["two"][2] - 50) / (bars["one"][2] - 50)
    assert ratio == pytest.approx(two / one, rel=1e-3)


def test_a_density_is_as_high_as_its_box_from_where_it_is_seen_on_and_a_constant_has_none():
    l2, passes = distributions(results())
    for axis in (l2.values, l2.differences):
        for outline in axis.outlines:
            points = [pair.split(",") for pair in outline.path[1:-1].replace("L", "").split()]
            x, y = np.array(points, dtype=float).T
            assert 0 <= x[0] < outline.mean < x[-1] <= WIDTH and (np.diff(x) >= 0).all()
            assert y.min() == pytest.approx(0.08 * HEIGHT, abs=0.1) and y.max() <= HEIGHT
            assert y[0] == y[-1] == HEIGHT
            assert max(y[2], y[-3]) < HEIGHT  # it is seen but for a point at each end,
            assert x[0] == 0 or y[1] > HEIGHT - 0.15  # and nothing that is seen is cut off
            assert x[-1] == WIDTH or y[-2] > HEIGHT - 0.15
    assert not any(outline.path for outline in passes.values.outlines)
    places = [place for place, _ in l2.differences.ticks]
    assert l2.differences.zero in places and 2 <= len(places) <= 6


def test_bars_of_cost_are_shares_and_tell_no_seconds():
    stacks = re.findall(r'<div class="stack">(.*?)</div>', shown(results()))
    widths = [sum(map(float, re.findall(r"width:([\d.]+)%", stack))) for stack in stacks]
    assert widths == [100.0, 100.0, 100.0]


def test_settings_are_what_rows_share_and_what_makes_each():
    shared, own = settings(MADE_BY["configs"])
    assert shared == "seed: 0\n"
    assert own["two"] == ["coupling.size=4"]
    assert overrides(MADE_BY["configs"]) == {"iid": [], "one": [], "two": ["task.K=4"]}


def test_a_heat_map_holds_means_and_the_distance_from_the_law():
    class Drift:
        def __init__(self, rho):
            self.correlation, self.target = [[1.0, rho], [rho, 1.0]], [[1.0, -1.0], [-1.0, 1.0]]
            self.spectrum = [1.0, None]

    noise = averages([Drift(-0.8), Drift(-0.9)])
    assert noise["correlation"][0] == [1.0, -0.85] and noise["spectrum"] == [1.0, None]
    own = results()
    white = own.scores[own.scores["metric"] == "l2"].assign(metric="noise_norm", value=1.0)
    own = Results(own.table, pd.concat([own.scores, white]))
    made = {**MADE_BY["cells"], "iid": {"noise": noise}}
    text = page(own, made_by=MADE_BY | {"cells": made}, pictures={}, galleries=None, pixels=64)
    first_line = re.search(r'<table class="heat">.*?<tbody>\s*(<tr>.*?</tr>)', text, re.S)
    entries = re.findall(r'<td class="(.*?)" style="--v:(.*?)%">(.*?)</td>', first_line[1])
    assert entries == [("positive", "100.0", "+1.00"), ("negative", "85.0", "-0.85")]
    assert "at most 0.150 from its law" in text
    assert mean_drift(own).to_dict("index") == {
        row: {"noise_norm": 1.0} for row in own.table.spec.rows
    }


@pytest.mark.parametrize(("size", "shown"), [((64, 48), (64, 48)), ((1024, 512), (256, 128))])
def test_large_images_are_reduced_and_small_ones_kept(size, shown):
    image = np.zeros((size[1], size[0], 3), np.uint8)
    picture = photo(image, "black", pixels=256)
    assert (picture.width, picture.height) == shown
    assert picture.uri.startswith("data:image/webp;base64,")


def test_failed_tries_are_told_and_a_torn_line_is_none(tmp_path: Path):
    folder = CellFolder(tmp_path, {}, gallery_size=3)
    own = Production("own", jobs_of(["a bed"]), folder, None, None, None)
    assert account(own).failed == ()
    line = {"job": "1", "prompt": "a bed", "attempt": 2, "error": "no memory", "final": True}
    line["when"] = "2026-01-01T00:00:00+00:00"
    (tmp_path / "failures.jsonl").write_text(json.dumps(line) + '\n{"job": "2", "pro')
    found = account(own)
    assert found.failed == ("a bed: try 2, no memory",)
    assert (found.asked, found.made, found.damaged) == (1, 0, 0)
