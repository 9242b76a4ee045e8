"""What a setting must be, told by its name."""

from typing import Any

from experiments.errors import UsageError


def require_whole(name: str, value: Any, *, least: int) -> None:
    """Raises UsageError unless `value` is an integer of `least` or more; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageError(
            f"{name}={value} is no whole number: write one, as in {name}={max(least, 3)}"
        )
    if value < least:
        raise UsageError(f"{name} = {value} must be at least {least}")
