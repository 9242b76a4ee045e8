def pytest_collection_modifyitems(items):
    """The longest first: whoever is free meanwhile takes the others."""
    items.sort(key=lambda item: "rehearsal" not in item.path.parts)
