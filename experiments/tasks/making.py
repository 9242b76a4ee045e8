"""What a task asks of its method, and how the galleries that come of it are shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Making:
    """How the galleries of a task are made and shown.

    Attributes:
        groups: the groups of the configuration that decide about the images, and name the cell.
        gallery_size: how many images of a gallery are made now.
        inputs: what else decides about the images, as JSON values.
        keep: how many images of a gallery are shown and scored, the most diverse; None for all.
        part: the images of a gallery that stand for it, where a method makes it more than once;
            None for all.
    """

    groups: tuple[str, ...]
    gallery_size: int
    inputs: Mapping[str, Any] = field(default_factory=dict)
    keep: int | None = None
    part: slice | None = None

    @property
    def selection(self) -> str:
        """What tells the scores of the shown images from those of others of the same galleries."""
        if self.part:
            return f"-from{self.part.start}"
        return f"-best{self.keep}" if self.keep else ""
