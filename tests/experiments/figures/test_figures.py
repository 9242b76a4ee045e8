"""Figures: the pixels that were given stand where the layout says, and the bytes repeat."""

import math

import matplotlib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from experiments import figures
from experiments.figures import board as board_module
from experiments.figures.compute import _means
from experiments.figures.curve import _ratio, _reported
from experiments.figures.effects import COLOURS
from experiments.tables import table as tables
from experiments.tables.results import Results
from experiments.tables.scorerows import PROVENANCE, pivot
from experiments.tables.spec import TableSpec
from experiments.tables.statistics import paired

PROMPTS = ("a bedroom with a red bed", "a picture that costs $5 and $6 " * 6)


def galleries(size, *, members=3, seed=0):
    rng = np.random.default_rng(seed)
    return [
        (prompt, {label: rng.integers(0, 256, (members, *size, 3), np.uint8) for label in "ab"})
        for prompt in PROMPTS
    ]


def corners(board: np.ndarray, tile: np.ndarray) -> list[tuple[int, int]]:
    """Upper left corners (row, column) at which the tile stands on the board, exactly."""
    height, width = tile.shape[:2]
    rows, columns = np.nonzero((board == tile[0, 0]).all(-1))
    return [
        (y, x)
        for y, x in zip(rows.tolist(), columns.tolist(), strict=True)
        if np.array_equal(board[y : y + height, x : x + width], tile)
    ]


@pytest.mark.parametrize(("size", "factor"), [((64, 64), 4), ((32, 48), 5)])
def test_every_image_is_enlarged_by_a_whole_factor_at_its_place(tmp_path, size, factor):
    rows = galleries(size)
    png, _ = figures.comparison_board(rows, tmp_path / "board")
    board = np.asarray(Image.open(png).convert("RGB"))
    height, width = (side * factor for side in size)
    block = 3 * width + 2 * board_module.GUTTER
    assert board.shape[1] == 2 * (board_module.MARGIN + block) + board_module.BETWEEN
    tops = []
    for _, methods in rows:
        for j, label in enumerate(methods):
            for k, image in enumerate(methods[label]):
                tile = image.repeat(factor, axis=0).repeat(factor, axis=1)
                ((top, left),) = corners(board, tile)
                block_left = board_module.MARGIN + j * (block + board_module.BETWEEN)
                assert left == block_left + k * (width + board_module.GUTTER)
                tops.append(top)
    assert len(set(tops[:6])) == len(set(tops[6:])) == 1
    assert tops[6] >= tops[0] + height
    assert board.shape[0] == tops[6] + height + board_module.MARGIN


def test_large_images_are_reduced_smoothly(tmp_path):
    y, x = np.mgrid[:512, :512]
    wave = (127.5 + 100 * np.sin(x / 40) * np.cos(y / 60)).astype(np.uint8)
    smooth = np.repeat(wave[..., None], 3, axis=-1)
    rows = [("p", {"a": smooth[None], "b": smooth[None]})]
    png, _ = figures.comparison_board(rows, tmp_path / "board")
    board = np.asarray(Image.open(png).convert("RGB")).astype(int)
    left = board_module.MARGIN
    shown = board[-board_module.MARGIN - 256 : -board_module.MARGIN, left : left + 256, 0]
    means = smooth[..., 0].reshape(256, 2, 256, 2).mean((1, 3))
    assert np.abs(shown - means).max() <= 3


def test_galleries_that_do_not_match_are_refused(tmp_path):
    rows = galleries((8, 8))
    rows[1][1]["b"] = rows[1][1]["b"][:2]
    with pytest.raises(ValueError, match=r"b of .* is \(2, 8, 8, 3\)"):
        figures.comparison_board(rows, tmp_path / "board")


def measured(effect: float, *, better="higher", baselines=None) -> Results:
    """A table of one metric over 20 prompts in which `coupled` differs from `iid` by `effect`."""
    rng = np.random.default_rng(0)
    iid = rng.normal(1.0, 0.1, 20)
    values = {"iid": iid, "coupled": iid + effect + rng.normal(0, 0.02, 20)}
    made = dict.fromkeys(PROVENANCE, "-")
    scores = pd.DataFrame(
        {"row": row, "job": f"{j}", "prompt": f"{j}", "metric": "l2", "value": value, **made}
        for row, column in values.items()
        for j, value in enumerate(column)
    )
    spec = TableSpec(
        name="own",
        title="Own",
        rows=["iid", "coupled"],
        columns={"l2": {"label": "L2", "better": better, "digits": 3}},
        baselines={"coupled": "iid"} if baselines is None else baselines,
        paper=None,
        jobs=20,
    )
    return Results(tables.build(spec, scores, paper_model="tiny"), scores)


def test_figures_repeat_byte_by_byte_and_leave_matplotlib_alone(tmp_path):
    before = dict(matplotlib.rcParams)
    results = measured(0.1)
    for name, draw in {
        "board": lambda path: figures.comparison_board(galleries((256, 256), members=2), path),
        "effect": lambda path: figures.paired_effect(results, path),
        "tradeoff": lambda path: figures.tradeoff(results, path, x="l2", y="l2", path_rows=["iid"]),
    }.items():
        first, second = draw(tmp_path / "1" / name), draw(tmp_path / "2" / name)
        for one, other in zip(first, second, strict=True):
            assert one.read_bytes() == other.read_bytes()
        assert first[0].read_bytes().startswith(b"\x89PNG")
        assert first[1].read_bytes().startswith(b"%PDF")
    assert dict(matplotlib.rcParams) == before


def hues(png) -> set[str]:
    """Verdicts whose colour occurs in a figure; grey says nothing, text has it too."""
    pixels = np.unique(np.asarray(Image.open(png).convert("RGB")).reshape(-1, 3), axis=0)
    seen = {"#{:02X}{:02X}{:02X}".format(*pixel) for pixel in pixels.tolist()}
    return {name for name, colour in COLOURS.items() if name and colour in seen}


@pytest.mark.parametrize(("effect", "verdict"), [(-0.1, "better"), (0.1, "worse")])
def test_the_colour_of_an_effect_is_its_verdict(tmp_path, effect, verdict):
    png, _ = figures.paired_effect(measured(effect, better="lower"), tmp_path / "effect")
    assert hues(png) == {verdict}


def test_a_method_against_itself_is_drawn_grey(tmp_path):
    results = measured(0.0)
    iid = results.scores[results.scores["row"] == "iid"]
    same = pd.concat([iid, iid.assign(row="coupled")])
    table = tables.build(results.table.spec, same, paper_model="tiny")
    png, _ = figures.paired_effect(Results(table, same), tmp_path / "effect")
    assert hues(png) == set()


def test_a_table_without_baselines_has_no_effect_to_draw(tmp_path):
    with pytest.raises(ValueError, match="no baselines"):
        figures.paired_effect(measured(0.1, baselines={}), tmp_path / "effect")


def test_the_papers_ratios_stand_beside_ours():
    spec = TableSpec(
        name="own",
        title="Own",
        rows=["K=3 iid", "K=3 coupled"],
        columns={"l2": {"label": "L2", "better": "higher", "digits": 3}},
        baselines={"K=3 coupled": "K=3 iid"},
        paper="table5",
        jobs=20,
    )
    named = {"iid": "K=3 iid", "coupled": "K=3 coupled"}
    scores = measured(0.1).scores.replace({"row": named})
    table = tables.build(spec, scores, paper_model="tiny")
    x, against = {"K=3 coupled": 3}, {"K=3 coupled": "K=3 iid"}
    assert _reported(table, "l2", x, against) == {"sd15": [0.1567 / 0.1267]}
    assert _reported(table, "l2", {"K=9": 9}, {"K=9": "K=3 iid"}) == {}


def test_a_curve_without_a_step_stays_at_one(tmp_path):
    """A row that stands for its own baseline has ratio 1 and no interval; the picture repeats."""
    options = {
        "x_label": "x",
        "x": {"iid": 0, "coupled": 1},
        "against": {"iid": "iid", "coupled": "iid"},
        "predicted_metric": "l2",
        "predicted": {"iid": 1.0, "coupled": 1.1},
    }
    paths = [
        figures.effect_curve(measured(0.1), tmp_path / str(k) / "curve", **options)[0]
        for k in range(2)
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    values = pivot(measured(0.1).scores, "l2", rows=["iid", "coupled"])
    assert _ratio(values["iid"], values["iid"]) == (1.0, 0.0)
    ratio, half = _ratio(values["coupled"], values["iid"])
    test, mean = paired(values["coupled"], values["iid"]), values["iid"].mean()
    assert ratio == pytest.approx(1 + test.difference / mean)
    assert half == pytest.approx((test.ci_high - test.ci_low) / 2 / mean)
    two = options | {"curves": {"one": ["iid"], "other": ["coupled"]}}
    beside = figures.effect_curve(measured(0.1), tmp_path / "two" / "curve", **two)[0]
    assert beside.read_bytes() != paths[0].read_bytes()


def test_a_ratio_to_a_mean_below_zero_is_not_drawn(tmp_path):
    """As a score of a network may have one: the other panels are there."""
    results = measured(0.1)
    below = results.scores.assign(value=results.scores["value"] - 10)
    x, against = {"iid": 0, "coupled": 1}, {"iid": "iid", "coupled": "iid"}
    options = {"x_label": "x", "x": x, "against": against}
    shown = Results(results.table, below)
    drawn = figures.effect_curve(
        shown, tmp_path / "curve", **options, predicted_metric="l2", predicted={}
    )
    assert all(path.is_file() for path in drawn)
    values = pivot(below, "l2", rows=["iid", "coupled"])
    assert all(map(math.isnan, _ratio(values["coupled"], values["iid"])))


def test_intervals_beside_one_another_are_those_of_the_paired_difference():
    """Of two rows: the half widths are the difference's over sqrt(2), however prompts differ."""
    values = pivot(measured(0.1).scores, "l2", rows=["iid", "coupled"])
    means, halves = _means(values.add(np.arange(len(values)), axis="index"))
    difference = values["coupled"] - values["iid"]
    assert means["coupled"] - means["iid"] == pytest.approx(difference.mean())
    assert halves.tolist() == pytest.approx([1.96 * difference.sem() / 2**0.5] * 2)
