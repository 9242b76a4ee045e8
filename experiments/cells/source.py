"""The model that a configuration names: loaded once a process, wherever galleries are made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.compose import Config, build, plain, restored

if TYPE_CHECKING:  # torch loads when a run begins, not for --help
    import torch

    from experiments.models.model import Model


@dataclass(frozen=True)
class ConfiguredModel:
    """The model that plain values of the group `model` describe; see `recipe.ModelSource`.

    Attributes:
        execution: of the group `execution`; says how it is run.
    """

    values: Mapping[str, Any]
    execution: Mapping[str, Any]

    def load(self) -> "Model":
        return load_model(restored({"model": self.values, "execution": self.execution}), _loaded)

    def fetch(self) -> None:
        family, _, _ = self.values["_target_"].rpartition(".")  # of family.load
        build("model", restored({"model": {**self.values, "_target_": f"{family}.fetch"}}))

    @property
    def device(self) -> "torch.device":
        from experiments.models.device import select_device

        return select_device(self.values["device"])

    def inputs(self) -> dict[str, Any]:
        return model_inputs(self.values)


_loaded: dict[str, Any] = {}  # the model that the cells of this process share


def load_model(config: Config, models: dict[str, "Model"]) -> "Model":
    """The model of `config`, run as it says; whoever gives the same `models` shares it."""
    key = repr((plain(config.model), plain(config.execution)))
    if key not in models:
        models.clear()  # two at once might not fit the device
        models[key] = build("execution", config)(build("model", config))
    return models[key]


def model_inputs(model: Mapping[str, Any]) -> dict[str, Any]:
    """What a model is. Where its weights lie or run is no input."""
    from experiments.models.device import select_device, select_dtype
    from experiments.models.fingerprint import fingerprint

    rest = {
        key: value for key, value in model.items() if key not in ("source", "revision", "device")
    }
    dtype = str(select_dtype(model["dtype"], select_device(model["device"])))
    return {**rest, "weights": fingerprint(model["source"], model["revision"]), "dtype": dtype}
