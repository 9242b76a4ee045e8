"""The task of diverse galleries: one for each prompt (paper, 4.1)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from experiments.errors import UsageError
from experiments.inputs.settings import require_whole
from experiments.tasks.job import Job, jobs_of
from experiments.tasks.making import Making


@dataclass(frozen=True)
class Diversity:
    """Galleries of `gallery_size` images, one for each of `num_prompts` prompts (paper, 4.1).

    `num_prompts` None takes all that there are.

    `keep` of them are shown and scored, the most diverse; None for all.
    """

    num_prompts: int | None
    gallery_size: int
    keep: int | None
    prompts: Callable[[int | None], list[str]]

    made_elsewhere = False
    notes = ()

    def __post_init__(self) -> None:
        require_whole("task.gallery_size", self.gallery_size, least=1)
        if self.num_prompts is not None:
            require_whole("task.num_prompts", self.num_prompts, least=1)
        if self.keep is None:
            return
        require_whole("task.keep", self.keep, least=1)
        if not 2 <= self.keep <= self.gallery_size:
            raise UsageError(
                f"task.keep = {self.keep} must be from 2 to task.gallery_size = "
                f"{self.gallery_size}; null keeps all"
            )

    def jobs(self) -> list[Job]:
        """Raises UsageError if the source has too few prompts, no end, or something else in it."""
        try:
            prompts = self.prompts(self.num_prompts)
        except TypeError:  # a source of somebody's own takes numbers alone
            if self.num_prompts is not None:
                raise
            raise UsageError(
                "this source of prompts needs a number: set task.num_prompts"
            ) from None
        for prompt in prompts:
            if not isinstance(prompt, str):
                raise UsageError(f"prompts: their source gives {prompt!r}, which is no text")
        return jobs_of(prompts)

    def making(self, method: Any) -> Making:
        """How `method` (see `experiments.methods`) answers these jobs.

        Raises:
            UsageError: it is for another task, or couples another number of noises.
        """
        if method.around_objects:
            raise UsageError("method: it keeps the object of a picture, so it needs task=objects")
        if method.size < self.gallery_size:
            raise UsageError(
                f"coupling: it couples {method.size} noises, but task.gallery_size is "
                f"{self.gallery_size}; make them equal, or plan for more noises than are made now"
            )
        if method.optimizer is not None and method.size > self.gallery_size:
            raise UsageError(
                f"optimizer: {self.gallery_size} of {method.size} noises cannot be optimised now "
                "and grow later; make task.gallery_size and the coupling's size equal"
            )
        steering = method.steering
        if steering is not None and steering.whole_gallery and method.size > self.gallery_size:
            raise UsageError(
                f"steering: {self.gallery_size} of {method.size} images cannot be steered together "
                "now and grow later; make task.gallery_size and the coupling's size equal"
            )
        together = {"whole_gallery": True} if steering and steering.whole_gallery else {}
        return Making(
            groups=("coupling", "optimizer", *(["steering"] if steering else [])),
            gallery_size=self.gallery_size,
            # how many of them are made now is no input
            inputs={"gallery_size": method.size, **together},
            keep=self.keep,
        )
