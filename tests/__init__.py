"""A package of its own name, whatever else that is installed calls itself `tests`."""
