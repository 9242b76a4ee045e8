import pytest

from metrics.weights import VARIANTS
from scripts import fetch_weights


def names(*wanted: str) -> list[str]:
    return [variant.name for variant in fetch_weights.variants(list(wanted))]


def test_a_configuration_names_what_it_needs():
    assert names("tiny") == []
    assert names("open") == ["sscd_int8", "lpips_alex", "brisque_live"]
    assert names("paper", "clip_vit_l14") == [
        "sscd_disc_mixup", "clip_vit_l14", "pickscore_v1", "clip_h_processor"
    ]  # fmt: skip


def test_a_configuration_needs_what_those_it_builds_on_need():
    assert names("fidelity") == [
        "sscd_disc_mixup", "clip_vit_l14", "pickscore_v1", "clip_h_processor", "dinov2_base",
        "openclip_vit_h14", "hps_v21", "clip_h_config", "inception_2015",
    ]  # fmt: skip


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="neither a configuration nor a variant"):
        fetch_weights.variants(["opne"])


def test_listing_fetches_nothing_and_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COUPLE_TO_CONTROL_CACHE", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["fetch_weights", "open", "--list"])
    assert fetch_weights.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["missing", "sscd_int8"], ["missing", "lpips_alex"], ["missing", "brisque_live"]
    ]  # fmt: skip
    assert f"{VARIANTS['sscd_int8'].size / 1e6:.1f} MB" in lines[0]
    assert list(tmp_path.iterdir()) == []
