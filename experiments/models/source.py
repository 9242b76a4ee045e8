"""Where a model comes from: small and picklable, unlike the model, which loads once a process."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from inspect import signature
from threading import Lock
from typing import Any

import torch

from experiments.errors import UsageError
from experiments.models.device import select_device, select_dtype
from experiments.models.execution import EAGER, Auto, Execution
from experiments.models.fingerprint import fingerprint, local_folder
from experiments.models.hub import Unfetched, resolve
from experiments.models.model import Model
from metrics.code import door

ADDRESS = ("source", "revision", "device", "offload")
"""Settings that say where weights lie or run, and nothing about the images."""

_loaded: dict[str, Model] = {}  # the one model of this process; two might not fit the device
_one_at_a_time = Lock()
"""Lanes ask at once, and diffusers changes torch itself for as long as it loads."""
_sketched: dict[str, Model | UsageError] = {}


@dataclass(frozen=True)
class ModelSource:
    """A model that can be loaded here, or in another process; `settings` are what its `load` takes.

    Raises UsageError: a setting is missing, unknown or invalid; nothing has been fetched.
    """

    family: type[Model]
    settings: Mapping[str, Any]
    execution: Execution | Auto

    def __post_init__(self) -> None:
        try:
            own = signature(self.family.load).bind(**self.settings).arguments.get("own", {})
        except TypeError as error:
            raise UsageError(f"model: {self.family.__name__} is {error}") from None
        guidance = {k: v for k, v in self.settings.items() if k == "guidance"}
        self.family.check_settings(**guidance | own)

    def load(self) -> Model:
        """The model, on its device, run as it shall be; once a process, however often asked for.
        Raises UsageError: the files, the device or a setting is not to be had; says the remedy.
        """
        key = repr((self.family, self.settings))
        execution = EAGER if isinstance(self.execution, Auto) else self.execution
        with _one_at_a_time:
            if key not in _loaded:
                _loaded.clear()
                _loaded[key] = self.family.load(**self.settings)
            return _loaded[key].executed(execution)

    def sketch(self) -> Model:
        """The model without its weights, for what it would refuse; once a process.

        Raises:
            UsageError: a setting does not fit its configuration, or that is not to be had.
        """
        key = repr(self)
        with _one_at_a_time:
            if key not in _sketched:
                try:
                    sketch = self.family.load(**{**self.settings, "device": "meta"})
                    sketch.execution = EAGER if isinstance(self.execution, Auto) else self.execution
                    _sketched[key] = sketch
                except UsageError as error:  # a hub that does not answer is not asked again
                    _sketched[key] = error
            found = _sketched[key]
        if isinstance(found, UsageError):
            raise found
        return found

    def fetch(self) -> None:
        """Downloads the weights that are not on this machine; loads nothing. Raises UsageError."""
        self.family.fetch(**self.settings)

    @property
    def device(self) -> torch.device:
        """Where it will run on this machine. Raises UsageError."""
        return select_device(self.settings["device"])

    def inputs(self) -> dict[str, Any]:
        """What the model is on this machine, as JSON values that enter a cell's inputs."""
        source, revision = self.settings["source"], self.settings["revision"]
        if not (revision or local_folder(source)):  # its commit, which the cache remembers
            with suppress(Unfetched):
                resolve(source, revision=None, variant=None, parts=(), weights=False)
        rest = {key: value for key, value in self.settings.items() if key not in ADDRESS}
        return {
            "_target_": door(self.family),
            **rest,
            "weights": fingerprint(source, revision),
            "dtype": str(select_dtype(self.settings["dtype"], self.device)),
        }
