"""Loading says nothing that nobody can act on, in half precision either."""

import logging

import pytest
import torch


@pytest.mark.parametrize("name", ["sd", "sdxl"])
def test_loading_in_half_precision_is_silent(families, name, capfd, caplog, monkeypatch):
    """SDXL's decoder is cast to float32, of which diffusers would warn each time."""
    family = families(name)
    monkeypatch.setattr("experiments.models.loading.select_dtype", lambda *_: torch.float16)
    monkeypatch.setattr(logging.getLogger("diffusers"), "propagate", True)
    capfd.readouterr()
    with caplog.at_level(logging.WARNING):
        model = family.model(dtype="float16")
    assert model.dtype == torch.float16
    if name == "sdxl" and model.vae.config.force_upcast:
        assert model.vae.dtype == torch.float32
    said = capfd.readouterr()
    assert caplog.records == [] and said.out + said.err == ""
