"""Other people's galleries: any folder of images, scored by the same code as ours.

    flat       DIR/*.png          K files a prompt, in the natural order of their names
    nested     DIR/*/*.png        one folder a prompt, K files in each
    listing    FILE.jsonl         one gallery a line: {"prompt": ..., "images": [K paths]}

Flat and nested folders take their prompts from the prompt source of the configuration: by their
names, where these are prompts or begin with them, else in order. The files are read, never written.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from experiments.errors import UsageError
from experiments.inputs import folders, pictures, text
from experiments.inputs.settings import require_whole
from experiments.inputs.text import shown
from experiments.tasks.job import Job, jobs_of

SHOWN = 3  # pairs of a name and a prompt that are told


@dataclass(frozen=True)
class ForeignEntry:
    """A gallery of somebody else's."""

    job: str
    prompt: str
    paths: tuple[Path, ...]

    @cached_property
    def digest(self) -> str:
        """One hash for the gallery: its scores are scores of exactly these files."""
        hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in self.paths]
        return hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Foreign:
    """The task of scoring the galleries of a folder, or of a listing.

    Attributes:
        path: a folder of images, a folder of such folders, or a `.jsonl` listing.
        num_prompts: how many galleries are scored, the first ones; None for all.
        gallery_size: K, how many images each gallery has.
        prompts: where the prompts of flat and nested folders come from.
    """

    path: str
    num_prompts: int | None
    gallery_size: int
    prompts: Callable[[int | None], list[str]]

    made_elsewhere = True

    def __post_init__(self) -> None:
        require_whole("task.gallery_size", self.gallery_size, least=1)
        if self.num_prompts is not None:
            require_whole("task.num_prompts", self.num_prompts, least=1)

    @property
    def notes(self) -> tuple[str, ...]:
        """How galleries and prompts were paired."""
        return (self._paired[1],)

    @property
    def folder(self) -> Path:
        return Path(self.path)

    def jobs(self) -> list[Job]:
        return [Job(id=entry.job, prompt=entry.prompt) for entry in self.entries.values()]

    @cached_property
    def entries(self) -> dict[str, ForeignEntry]:
        """The galleries by job id.

        Raises:
            UsageError: there are none, or one has not K images.
        """
        galleries, _ = self._paired
        for prompt, paths in galleries:
            if len(paths) != self.gallery_size:
                raise UsageError(
                    f"{self.path}: the gallery of {prompt!r} has {len(paths)} images, "
                    f"but task.gallery_size is {self.gallery_size}"
                )
        jobs = jobs_of([prompt for prompt, _ in galleries])
        return {
            job.id: ForeignEntry(job=job.id, prompt=job.prompt, paths=tuple(paths))
            for job, (_, paths) in zip(jobs, galleries, strict=True)
        }

    def committed(self) -> Mapping[str, ForeignEntry]:
        return self.entries

    def where(self, entry: ForeignEntry) -> str:
        """The folder of a gallery, for messages."""
        return str(entry.paths[0].parent)

    def read(self, entry: ForeignEntry) -> np.ndarray:
        """The images of a gallery, (K, H, W, 3) uint8.

        Raises:
            UsageError: a file is no image, or not of the size of the others.
        """
        images = []
        for path in entry.paths:
            images.append(pictures.read(path, of=self.path).pixels)
            if images[-1].shape != images[0].shape:
                raise UsageError(
                    f"{shown(path)} has another size than {shown(entry.paths[0])}; "
                    "score equal sizes"
                )
        return np.stack(images)

    @cached_property
    def _paired(self) -> tuple[list[folders.Gallery], str]:
        """Prompts and pictures, and a line that says how they were paired."""
        if self.folder.is_file():
            galleries = self._listed()[: self.num_prompts]
            return galleries, f"{self.path}: {len(galleries)} galleries, as they are listed."
        if not self.folder.is_dir():
            raise UsageError(f"{self.path} is neither a folder nor a .jsonl listing; set task.path")
        nested, found = folders.found(self.folder)
        offered = self._offered(len(found) if nested else len(found[0][1]) // self.gallery_size)
        if not nested:
            found = [(path.stem, [path]) for path in found[0][1]]
        ids = [job.id for job in jobs_of(offered)]
        places = folders.by_name([name for name, _ in found], offered, ids)
        if places is None:
            return self._in_order(found if nested else self._in_groups(found))
        by_place: dict[int, list[Path]] = {}
        for place, (name, paths) in sorted(zip(places, found, strict=True), key=lambda p: p[0]):
            if nested and place in by_place:
                raise UsageError(
                    f"{self.path}: the folders {by_place[place][0].parent.name!r} and {name!r} "
                    f"both begin with {offered[place]!r}; rename one"
                )
            by_place.setdefault(place, []).extend(paths)
        galleries = [(offered[place], paths) for place, paths in by_place.items()]
        galleries = galleries[: self.num_prompts]
        return galleries, f"{self.path}: {len(galleries)} galleries, paired with prompts by name."

    def _in_groups(self, found: Sequence[folders.Gallery]) -> list[folders.Gallery]:
        """Pictures, K at a time, each gallery called by its first."""
        if len(found) % self.gallery_size:
            raise UsageError(
                f"{self.path} has {len(found)} images, which are no galleries of "
                f"{self.gallery_size}; set task.gallery_size"
            )
        groups = [
            found[start : start + self.gallery_size]
            for start in range(0, len(found), self.gallery_size)
        ]
        return [(group[0][0], [path for _, (path,) in group]) for group in groups]

    def _in_order(self, found: Sequence[folders.Gallery]) -> tuple[list[folders.Gallery], str]:
        found = found[: self.num_prompts]
        prompts = self.prompts(len(found))
        pairs = list(zip(found, prompts, strict=True))
        told = [f"{shown(name)} is {prompt!r}" for (name, _), prompt in pairs[:SHOWN]]
        told += ["..."] if len(pairs) > SHOWN else []
        how = f"{len(pairs)} galleries, paired with prompts in order: {', '.join(told)}"
        return [(prompt, paths) for (_, paths), prompt in pairs], f"{self.path}: {how}."

    def _offered(self, count: int) -> list[str]:
        """All prompts of the source, or as many as there are galleries where it has no end."""
        try:
            return self.prompts(None)
        except (UsageError, TypeError):
            return self.prompts(min(filter(None, (count, self.num_prompts))))

    def _listed(self) -> list[folders.Gallery]:
        beside = self.folder.parent  # relative paths are relative to the listing
        galleries = []
        for number, row in text.objects(self.folder):
            names = row.get("images")
            if not (isinstance(names, list) and names and all(isinstance(n, str) for n in names)):
                raise UsageError(
                    f'{self.path}, line {number} must be like {{"prompt": "...", "images": '
                    '["a.png"]}'
                )
            paths = [beside / name for name in names]
            for path in paths:
                if not path.is_file():
                    raise UsageError(
                        f"{self.path}, line {number} lists {shown(path)}, which does not exist"
                    )
            galleries.append((text.field(self.folder, number, row, "prompt"), paths))
        if not galleries:
            raise UsageError(
                f'{self.path} is empty; write lines like {{"prompt": "...", "images": ["a.png"]}}'
            )
        return galleries
