"""The one way to find galleries in somebody's folder, and to tell whose prompts they are.

    flat       DIR/*.png      K files a gallery
    nested     DIR/*/*.png    a folder a gallery

What systems and editors leave behind is passed over everywhere. Anything else that is not
understood is refused with its name: pictures beside folders, folders without pictures, pictures of
a kind that is not read. Natural order puts 9.png before 10.png.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from experiments.errors import UsageError
from experiments.inputs.pictures import NOT_READ, READ
from experiments.inputs.text import shown

LEFT_BEHIND = {"__macosx", "@eadir", "__pycache__", "thumbs.db", "desktop.ini", "$recycle.bin"}
"""Names, in lower case; all that begins with a dot is passed over, too."""

Gallery = tuple[str, list[Path]]
"""A name, and pictures in natural order."""


def natural(paths: Iterable[Path]) -> list[Path]:
    """Sorts paths by name, the numbers in a name, in any digits, as numbers."""

    def key(path: Path) -> tuple:
        parts = re.split(r"(\d+)", path.name)
        return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts], path.name

    return sorted(paths, key=key)


def found(folder: Path) -> tuple[bool, list[Gallery]]:
    """Whether galleries are folders, and they: each folder's pictures, or all of `folder` in one.

    Raises:
        UsageError: there are none, or it cannot be told what they are.
    """
    pictures, folders = _pictures(folder), _folders(folder)
    if pictures and folders:
        raise UsageError(
            f"{shown(folder)} has pictures ({_some(pictures)}) beside folders "
            f"({_some(folders)}): move those out that are no galleries"
        )
    if not pictures and not folders:
        raise UsageError(f"{shown(folder)} has no images ({', '.join(sorted(READ))})")
    if pictures:
        return False, [(folder.name, pictures)]
    galleries = []
    for each in folders:
        if inner := _folders(each):
            raise UsageError(
                f"{shown(each)} has folders of its own ({_some(inner)}); "
                "name the one whose folders are galleries"
            )
        if not (own := _pictures(each)):
            raise UsageError(f"{shown(each)} has no images; move it out, or make them")
        galleries.append((each.name, own))
    return True, galleries


def by_name(names: Sequence[str], prompts: Sequence[str], ids: Sequence[str]) -> list[int] | None:
    """For every name the place of the prompt that it is, or begins with; None if none does.

    Case, accents' encoding, punctuation and a number in front do not count. A name may also be one
    of `ids`, the ids of the prompts' jobs.

    Raises:
        UsageError: some names are prompts and others are not, or are two prompts.
    """
    exact = {name: place for place, name in reversed([*enumerate(ids), *enumerate(prompts)])}
    alike: dict[tuple[str, ...], set[str]] = {}
    for prompt in prompts:
        alike.setdefault(_words(prompt), set()).add(prompt)
    matched = [exact[name] if name in exact else _place(name, alike, exact) for name in names]
    if all(place is None for place in matched):
        return None
    if None in matched:
        other = names[matched.index(None)]
        named = next(name for name, place in zip(names, matched, strict=True) if place is not None)
        raise UsageError(
            f"{named!r} is named by its prompt, but {other!r} by none of the {len(prompts)}; "
            "rename it, or list galleries and prompts in a .jsonl"
        )
    return [place for place in matched if place is not None]


def _place(
    name: str, alike: Mapping[tuple[str, ...], set[str]], exact: Mapping[str, int]
) -> int | None:
    """The place of the longest prompt that a name begins with."""
    words = _words(name)
    if all(word.isdecimal() for word in words):
        return None  # a number, whatever the prompts are
    for start in (words, words[1:] if words[0].isdecimal() else ()):
        for length in range(len(start), 0, -1):
            if len(prompts := alike.get(start[:length], set())) > 1:
                told = " and ".join(map(repr, sorted(prompts)))
                raise UsageError(f"{name!r} may be {told}; list galleries and prompts in a .jsonl")
            if prompts:
                return exact[next(iter(prompts))]
    return None


def _words(text: str) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("’", "")
    return tuple(re.findall(r"[^\W\d_]+|\d+", plain))


def _pictures(folder: Path) -> list[Path]:
    files = [path for path in _children(folder) if not path.is_dir()]
    if strange := [path for path in files if path.suffix.lower() in NOT_READ]:
        raise UsageError(
            f"{shown(folder)} has pictures that are not read ({_some(strange)}); "
            f"save them as one of {', '.join(sorted(READ))}, or move them out"
        )
    return natural(path for path in files if path.suffix.lower() in READ)


def _folders(folder: Path) -> list[Path]:
    return natural(path for path in _children(folder) if path.is_dir())


def _children(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not _left_behind(path.name)]
    except OSError as error:
        raise UsageError(f"{shown(folder)} cannot be read: {error.strerror}") from None


def _left_behind(name: str) -> bool:
    return name.startswith(".") or name.lower() in LEFT_BEHIND


def _some(paths: Sequence[Path]) -> str:
    names = ", ".join(shown(path.name) for path in paths[:3])
    return f"{names} and {len(paths) - 3} more" if len(paths) > 3 else names
