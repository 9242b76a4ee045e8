"""The dashboard as code: what the configurations make of it, and what is said if it cannot be."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "dashboard.py"


@pytest.fixture(scope="module")
def dashboard():
    spec = importlib.util.spec_from_file_location("dashboard", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def described(dashboard):
    """Every experiment is composed for it."""
    return dashboard.described()


def test_every_table_has_its_columns_and_figures_in_it(described):
    keys = [panel.key for panels in described.values() for panel in panels]
    assert {"l2.mean", "gap.mean", "seconds.mean", "galleries", "effects", "drift"} <= set(keys)
    assert len(keys) == len(set(keys))


def test_a_bar_chart_for_each_metric_says_which_way_is_better(dashboard):
    columns = {
        "l2": {"label": "L2", "better": "higher", "digits": 3},
        "mss": {"label": "MSS", "better": "lower", "digits": 3},
        "passes": {"label": "passes", "better": "neutral", "digits": 0},
    }
    methods = next(iter(dashboard.sections(columns, []).values()))
    assert methods == [
        ("bars", "L2 ↑", "l2.mean"),
        ("bars", "MSS ↓", "mss.mean"),
        ("bars", "passes", "passes.mean"),
    ]


def test_pictures_and_prompts_stand_under_the_names_that_they_are_logged_by(dashboard):
    panels = {panel for panels in dashboard.sections({}, ["effects"]).values() for panel in panels}
    assert {("lines", "", "prompts"), ("pictures", "effects", "effects")} < panels
    assert "correlation" in {panel.key for panel in panels}


def test_the_workspace_has_what_is_described(dashboard, described):
    pytest.importorskip("wandb_workspaces")
    built = dashboard.workspace(described, entity="someone", project="p")
    assert [section.name for section in built.sections] == list(described)
    bars, described_bars = built.sections[0].panels, next(iter(described.values()))
    assert [bar.title for bar in bars] == [panel.title for panel in described_bars]
    assert built._to_model().project == "p"  # the form that is sent can be made of it


def test_the_report_has_the_same_panels_with_room_for_words(dashboard, described):
    pytest.importorskip("wandb_workspaces")
    built = dashboard.report(described, entity="someone", project="p")
    kinds = [type(block).__name__ for block in built.blocks]
    assert kinds == ["TableOfContents", *["H2", "P", "PanelGrid"] * len(described)]
    grids = built.blocks[3::3]
    assert [len(grid.panels) for grid in grids] == [len(panels) for panels in described.values()]
    assert {runs.project for grid in grids for runs in grid.runsets} == {"p"}


@pytest.mark.parametrize(
    ("package", "message"),
    [
        (None, "pip install 'couple-to-control[dashboard]'"),  # as where it is not installed
        (ModuleType("wandb_workspaces"), "set WANDB_API_KEY, or run wandb login"),
    ],
)
def test_what_is_missing_is_said_in_one_line(dashboard, package, message, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb_workspaces", package)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--entity", "someone"])
    with pytest.raises(SystemExit) as ended:
        dashboard.main()
    line = ended.value.code
    assert line.startswith("error: ") and message in line and "\n" not in line
