"""What Hydra says of a mistake on the command line, in one line that says how to mend it."""

import re
import shlex
from collections.abc import Callable, Sequence

from experiments.inputs.settings import nearest, quoted

HELP = "--help lists the settings"


def told(error: Exception, *, keys: Callable[[str], Sequence[str]]) -> str:
    """What was wrong, and how to mend it.

    Args:
        error: what Hydra, or OmegaConf, has raised.
        keys: all settings that there are, whatever a setting that does not exist was given.
    """
    text = str(error)
    first = text.strip().partition("\n")[0].rstrip(".")
    if word := getattr(error, "override", None):
        return _unread(word)
    if found := re.match("Ambiguous value for argument '(.*)'\n", text):
        return f"{_unread(found[1])}; with -m several values are tried one after another"
    if found := re.search("Could not (?:find|load) '(.+)/(.+?)'", text):
        options = re.findall(r"^\t(\w\S*)$", text, flags=re.MULTILINE)
        there = f"; there are {', '.join(options)}" if options else ""
        return f"there is no {found[1]}={found[2]}{nearest(found[2], options) or there}"
    if found := re.match("Could not override '(.+?)'", text):
        return f"there is no setting {found[1]}{nearest(found[1], keys(found[1])) or f'; {HELP}'}"
    if found := re.search("An item is already at '(.+?)'", text):
        return f"{found[1]} is there already: write {found[1]}=... without the +"
    return f"{first}; {HELP}"


def _unread(word: str) -> str:
    key, equals, value = word.partition("=")
    if not equals or not key:
        return f"{word!r} is no setting: write key=value; {HELP}"
    whole = f"{key}={quoted(value)}"
    shown = shlex.quote(whole) if set(whole) & set('"$`\\!') else f'"{whole}"'
    return f"{key}: {value} has characters that need quotes, for Hydra and the shell: write {shown}"
