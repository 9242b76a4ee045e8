"""A dashboard shows every column and figure that a table can have, under the keys that runs log."""

from experiments.tracking.panels import Bars, Lines, Pictures, sections

COLUMNS = {
    "l2": {"label": "L2", "better": "higher", "digits": 3},
    "mss": {"label": "MSS", "better": "lower", "digits": 3},
    "passes": {"label": "passes", "better": "neutral", "digits": 0},
}


def test_a_bar_chart_for_each_metric_says_which_way_is_better():
    methods = sections(COLUMNS, [])[0]
    assert methods.panels == (
        Bars("L2 ↑", "l2.mean"),
        Bars("MSS ↓", "mss.mean"),
        Bars("passes", "passes.mean"),
    )


def test_pictures_and_prompts_stand_under_the_names_that_they_are_logged_by():
    panels = {panel for section in sections({}, ["effects"]) for panel in section.panels}
    assert {Lines("prompts"), Pictures("effects", "effects")} < panels
    assert "correlation" in {panel.key for panel in panels}
