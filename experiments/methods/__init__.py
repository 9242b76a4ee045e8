"""How the galleries of a device batch are made: one file per kind of method (see `generate`)."""
