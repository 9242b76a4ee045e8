"""Table 3 is read from the configurations, and they are the paper's."""

from experiments.table3 import settings


def test_the_paper_models_have_the_papers_settings():
    table = settings()
    assert table.loc["SD3"].tolist() == ["7", "3", "0.001", "32", "28"]
    assert (
        table.loc["SD1.5"].tolist() == table.loc["SDXL"].tolist() == ["6", "3", "0.01", "16", "50"]
    )
    assert not table.apply(lambda column: column.str.contains(r"\[")).to_numpy().any()


def test_a_difference_shows_the_papers_value(monkeypatch):
    monkeypatch.setattr("experiments.table3.SETTINGS", {"cfg_scale": ("optimizer", "num_steps")})
    assert settings().loc["SD1.5", "cfg_scale"] == "3 [6]"
