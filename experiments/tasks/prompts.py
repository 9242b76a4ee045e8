"""Where prompts come from. A prompt source is a callable `count -> list of prompts`.

The first `n` prompts of a source never depend on `count`, so a run that grows from 24 to 48 prompts
keeps its first 24 galleries. A `count` of None asks for all that there are.
"""

from experiments.errors import UsageError
from experiments.inputs.prompts import Source, from_file, from_list

__all__ = ["captions", "from_file", "from_list", "held_out"]


def captions(count: int | None, *, seed: int) -> list[str]:
    """`count` distinct captions of the bundled model's bedrooms, drawn with `seed`.

    Raises:
        UsageError: all were asked for, or more than 3,000.
    """
    from experiments.bedrooms import prompts

    if count is None or count > 3000:
        raise UsageError("captions are drawn: set task.num_prompts to a number up to 3000")
    return prompts(count, seed=seed)


def held_out(count: int, *, source: Source, used: int) -> list[str]:
    """The `count` prompts of `source` that follow its first `used`, which something learned from.

    Raises:
        UsageError: the source has fewer than `used` + `count`.
    """
    return source(used + count)[used:]
