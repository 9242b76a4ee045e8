"""Errors that the user can mend."""


class UsageError(Exception):
    """One line that says what is wrong and how to mend it; shown without a traceback."""
