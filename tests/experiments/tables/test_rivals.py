"""What others have published is theirs, with its source, and stands beside rows of that method."""

import re

import pytest
from test_finding import CONFIGS, table

from experiments.compose import compose
from experiments.inputs.doors import located
from experiments.tables.rivals import reported
from experiments.tables.stated import stated


@pytest.mark.parametrize(
    "entry",
    stated("rivals")["published"],
    ids=lambda entry: f"{entry['name']}-{entry['metric']}",
)
def test_a_published_number_has_a_source_a_door_and_a_direction(entry):
    assert callable(located(entry["method"]))
    assert re.fullmatch(r"\d{4}\.\d{5}", entry["source"])
    assert entry["better"] in ("higher", "lower") and entry["from"] != entry["to"]
    assert entry.get("ours", "l2") in compose(["experiment=diversity"]).table.columns


def test_they_stand_beside_the_rows_of_their_method_alone():
    of = table(0.27, 0.1)
    assert reported(of, CONFIGS) == []
    configs = CONFIGS | {"own": CONFIGS["own"] | {"steering": {"_target_": "coupling.CADS"}}}
    recall, clip = reported(of, configs)
    assert (recall.metric, recall.before, recall.after) == ("recall ↑", 0.255, 0.46)
    assert recall.percent == pytest.approx(80.39, abs=0.01) and recall.here == ()
    effect = of.cell("own", "clip").comparison.percent
    assert clip.here == (f"own {effect:+.1f} %",) and clip.source == "2606.06813"
