"""The parts of a pipeline folder, loaded onto a device.

What cannot work is found out in seconds, before diffusers is imported: the device, the dtype, the
hub, the licence, every file. Nothing but safetensors is opened, except of the one repository that
has none (`snapshot.OPENED`), and no code of a repository runs.
"""

import hashlib
import pickle
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import torch
from safetensors.torch import save_file

from experiments.errors import UsageError
from experiments.models import snapshot
from experiments.models.device import select_device, select_dtype
from experiments.models.fingerprint import fingerprint, local_folder
from experiments.models.hub import resolve
from experiments.models.process import Process
from experiments.models.quiet import no_progress_bars, quiet


class Parts(Protocol):
    """The parts of a pipeline, in a folder (`Checkpoint`) or in memory (`held.InMemory`)."""

    @property
    def index(self) -> Mapping[str, Any]:
        """The options of the pipeline as a whole."""

    def model(self, part: str, kind: Any) -> Any:
        """A network of class `kind` (diffusers or transformers), where it is to run."""

    def config(self, part: str, kind: Any) -> Any:
        """A tokenizer."""

    def scheduler(self, sampler: type[Process]) -> Any:
        """The scheduler of a sampler, with the pipeline's settings."""

    def settings(self, part: str) -> tuple[Any, Mapping[str, Any]]:
        """What the configuration of a part is called, and what it says."""

    def identity(self, *, name: str, family: str) -> dict[str, str]:
        """What made the images."""


@dataclass(frozen=True)
class Checkpoint:
    """A whole pipeline folder, and how its parts are to be loaded: on the meta device without
    weights, which the folder then need not hold.
    """

    folder: Path
    source: str
    revision: str
    variant: str | None
    index: dict[str, Any]
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def open(
        cls,
        source: str,
        *,
        revision: str | None,
        variant: str | None,
        parts: Sequence[str],
        pipelines: Sequence[str],
        dtype: str,
        device: str,
    ) -> "Checkpoint":
        """Fetches what is not here yet, and checks that every part is whole.

        Args:
            parts: the parts that the family loads.
            pipelines: the diffusers pipeline classes whose parts mean the same to the family.

        Raises:
            UsageError: anything is missing; the line says the remedy.
        """
        place = select_device(device)
        precision = select_dtype(dtype, place)
        folder = resolve(
            source, revision=revision, variant=variant, parts=parts, weights=place.type != "meta"
        )
        index = snapshot.read_index(folder)
        if index.get("_class_name") not in pipelines:
            raise UsageError(
                f"model.source={source} holds a {index.get('_class_name')}, not a {pipelines[0]}: "
                "choose the model= config of its family and override its source"
            )
        local = local_folder(source) is not None
        return cls(
            folder=folder,
            source=folder.name if local else source,
            # A hub snapshot lies in a folder named by its commit.
            revision=fingerprint(source, None) if local else folder.name,
            variant=variant,
            index=index,
            dtype=precision,
            device=place,
        )

    def model(self, part: str, kind: Any) -> Any:
        """A network of class `kind` (diffusers or transformers) on the device."""
        where = self._where(part)
        if self.device.type == "meta":
            return _shaped(where, kind)
        files = {path.name for path in where.iterdir()}
        opened = snapshot.OPENED.get(self.source)
        first, *_ = snapshot.weights(files, "", self.variant, opened)
        if first == opened:
            with TemporaryDirectory() as folder:
                _unpickle(where / first, Path(folder))
                return self._loaded(Path(folder), kind, variant=None)
        marked = self.variant and f".{self.variant}" in first
        return self._loaded(where, kind, variant=self.variant if marked else None)

    def _loaded(self, where: Path, kind: Any, *, variant: str | None) -> Any:
        with quiet(), no_progress_bars():
            network = kind.from_pretrained(
                where,
                dtype=self.dtype,
                variant=variant,
                use_safetensors=True,
                local_files_only=True,
            )
        return network.to(self.device)

    def config(self, part: str, kind: Any) -> Any:
        """A tokenizer, or a scheduler; one published for another sampler gives its settings."""
        with quiet():
            return kind.from_pretrained(self._where(part), local_files_only=True)

    def scheduler(self, sampler: type[Process]) -> Any:
        """The scheduler of a sampler, with the published settings."""
        import diffusers

        return self.config("scheduler", getattr(diffusers, sampler.scheduler))

    def settings(self, part: str) -> tuple[Path, dict[str, Any]]:
        """The published configuration of a part: its file, and what it says."""
        name = "scheduler_config.json" if part == "scheduler" else "config.json"
        path = self._where(part) / name
        return path, snapshot.read_json(path)

    def identity(self, *, name: str, family: str) -> dict[str, str]:
        """What made the images."""
        return {"name": name, "family": family, "source": self.source, "revision": self.revision}

    def _where(self, part: str) -> Path:
        return self.folder / part if (self.folder / part).is_dir() else self.folder


def _shaped(where: Path, kind: Any) -> Any:
    """A network of class `kind` (diffusers or transformers) that has shapes and no weights."""
    with quiet(), torch.device("meta"):
        if hasattr(kind, "load_config"):
            return kind.from_config(kind.load_config(where)).to("meta")
        return kind(kind.config_class.from_pretrained(where)).to("meta")


def _unpickle(path: Path, folder: Path) -> None:
    """Puts the tensors of a pickle into `folder`, as safetensors, beside their configuration.

    Raises:
        UsageError: it is not the file that the hub's cache has stored under its SHA-256, or holds
            anything but tensors.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    stored = path.resolve().name
    if len(stored) == len(found) and stored != found:
        raise UsageError(f"{path} is not as it was fetched (sha256 {found[:12]}...): delete it")
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        why = str(error).splitlines()[0]
        raise UsageError(f"{path} holds more than tensors, or is cut ({why}): delete it") from None
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(whole, folder / f"{path.stem}.safetensors", metadata={"format": "pt"})
    shutil.copy(path.with_name("config.json"), folder)
