"""A table never replaces one that has more to show, or that was made with other settings."""

import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from experiments.compose import compose, published, rows_of
from experiments.report.committed import published as tables_in
from experiments.report.overwriting import free_stem
from experiments.tables.spec import TableSpec
from experiments.tables.table import Table

TABLE6 = Path(__file__).parents[3] / "results" / "table6"
SPEC = TableSpec(
    name="demo",
    title="",
    rows=["iid"],
    columns={"l2": {"label": "L2", "better": "higher", "digits": 3}},
    baselines={},
    paper=None,
    jobs=100,
)
TABLE = Table(spec=SPEC, model="tiny", cells=(), provenance={}, gaps=(), paper=None)


@cache
def configs(*overrides: str, rows: str = "demo") -> dict:
    everything = [f"experiment={rows}", *overrides]
    composed = rows_of(compose(everything), everything)
    return {label: published(config) for label, config in composed.items()}


@pytest.fixture
def stem(tmp_path):
    """The stem for a table of so many prompts, which is then written there."""

    def stem(*overrides: str, jobs: int = 100, gaps=(), rows: str = "demo") -> str:
        table = replace(TABLE, spec=replace(SPEC, jobs=jobs), gaps=gaps)
        made = configs(*overrides, rows=rows)
        name, why = free_stem(tmp_path, table, made)
        assert "\n" not in why and why.endswith(f"written beside it, as {name}") == (name != "tiny")
        document = {"spec": {"jobs": jobs}, "gaps": gaps, "made_by": {"configs": made}}
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
        return name

    return stem


def test_as_many_prompts_or_more_replace(stem):
    assert [stem(jobs=n) for n in (2, 2, 100)] == ["tiny"] * 3


def test_fewer_are_written_beside_and_replace_their_own_kind(stem):
    assert [stem(jobs=n) for n in (100, 2, 2, 5, 100)] == [
        "tiny", "tiny-n2", "tiny-n2", "tiny-n5", "tiny"
    ]  # fmt: skip


def test_why_is_said_in_one_line(stem, tmp_path):
    stem(jobs=100)
    table = replace(TABLE, spec=replace(SPEC, jobs=2))
    assert free_stem(tmp_path, table, configs()) == (
        "tiny-n2",
        f"{tmp_path}/tiny.json has 100 prompts, not 2; this table is written beside it, as tiny-n2",
    )
    _, why = free_stem(tmp_path, TABLE, configs("seed=1"))
    assert why.startswith(f"{tmp_path}/tiny.json has another seed; ")


@pytest.mark.parametrize(
    "other",
    ["seed=1", "model.num_steps=3", "metrics=open", "task.gallery_size=4", "model.source=elsewhere",
     "prompts.seed=1"],
)  # fmt: skip
def test_other_settings_are_written_beside_however_many_prompts(stem, other):
    assert stem() == "tiny"
    assert stem(other, jobs=200) == stem(other, jobs=200) == "tiny-n200"
    assert stem(other, "optimizer=cno", jobs=200) == "tiny-n200-2"


@pytest.mark.parametrize(
    "other",
    ["workers=ray", "output_dir=elsewhere", "results_dir=elsewhere", "tracking=wandb",
     "execution=compiled", "model.device=cpu", "report.galleries=3", "task.num_prompts=100",
     "scale.table1=7", "table.title=Another", "~table.figures.effects"],
)  # fmt: skip
def test_what_says_nothing_about_the_results_does_not_matter(stem, other):
    assert stem() == stem(other) == "tiny"


def test_a_setting_is_what_it_comes_to_and_not_how_it_is_written(stem):
    assert stem() == stem("coupling.size=3") == "tiny"
    assert stem("task.gallery_size=4", "coupling.size=3") == "tiny-n100"


def test_other_rows_are_written_beside(stem):
    assert stem() == "tiny"
    assert stem("+table.foreign.theirs=theirs") == "tiny-n100"
    assert stem(rows="table4") == "tiny-n100-2"


def test_a_table_with_gaps_never_replaces_a_whole_one(stem):
    assert stem(gaps=["iid lacks 3"]) == stem() == "tiny"
    assert stem(gaps=["iid lacks 3"]) == "tiny-n100"


def test_what_is_no_table_stays(stem, tmp_path):
    (tmp_path / "tiny.json").write_text("{")
    assert stem() == "tiny-n100"


def test_tables_that_stand_beside_each_other_have_their_own_pictures(tmp_path):
    shutil.copytree(TABLE6, tmp_path / "table6")
    for path in TABLE6.glob("tiny*"):
        beside = path.name.replace("tiny", "tiny-n2", 1)
        shutil.copy(path, tmp_path / "table6" / beside)
    first, second = tables_in(tmp_path)
    assert {first.path.stem, second.path.stem} == {"tiny", "tiny-n2"}
    assert first.pictures.keys() == second.pictures.keys()
    for table in (first, second):
        names = {path.name for path in table.pictures.values()}
        assert names == {f"{table.path.stem}-{name}.png" for name in table.pictures}
